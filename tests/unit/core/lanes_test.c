/* The vector-made exponentials against libm's, and the losses made of them against the laws' own.
 */
#include "core/lanes.h"

#include <math.h>

#include "core/law.h"
#include "core/near.h"
#include "core/preset.h"
#include "core/rng.h"
#include "tests/unit/check.h"

enum { SETS = 53 /* whole blocks and a part of one */, MANY = 20000 };

static void exponentials_are_those_of_libm(void **state)
{
    struct rng rng = rng_stream(7, 0);

    (void)state;
    for (int i = 0; i < MANY; i++) {
        double x = rng_normal(&rng) * (i % 2 ? 200 : 1);

        if (lanes_beyond(x) == 0)
            assert_true(fabs(lanes_exp(x) / exp(x) - 1) < 5e-16);
    }
}

/* Small steps by products, great ones each by itself, past the range of doubles too. */
static void equal_steps_are_those_of_libm(void **state)
{
    static const double step[] = {0, 1e-9, 0.0115, -0.3, 0.5, 0.51, -20, 300};
    static const double first[] = {0, 20.7, -650, 650, -740};
    double power[SETS];

    (void)state;
    for (size_t s = 0; s < sizeof step / sizeof *step; s++)
        for (size_t f = 0; f < sizeof first / sizeof *first; f++) {
            lanes_exp_steps(first[f], step[s], SETS, power);
            for (int i = 0; i < SETS; i++) {
                double x = first[f] + i * step[s], right = exp(x);
                double ulps = 3e-15 + 3e-16 * fabs(x); /* those of x itself are multiplied by it */

                assert_true(fabs(power[i] - right) <= ulps * right + 1e-307 || power[i] == right);
            }
        }
}

static void logarithms_are_those_of_libm(void **state)
{
    struct rng rng = rng_stream(8, 0);

    (void)state;
    for (int i = 0; i < MANY; i++) {
        double x = exp(rng_normal(&rng) * (i % 2 ? 100 : 0.1));

        assert_true(fabs(lanes_log(x) - log(x)) <= 1e-15 * fmax(fabs(log(x)), 1e-3));
    }
}

/* In single precision. */
static void near_ones_are_as_near_as_the_header_says(void **state)
{
    struct rng rng = rng_stream(12, 0);

    (void)state;
    for (int i = 0; i < MANY; i++) {
        float x = (float)(240 * rng_uniform(&rng) - 120), y = (float)exp(20 * rng_normal(&rng));
        double ln_y = log((double)y);

        assert_true(fabs((double)near_exp2(x) / exp2((double)x) - 1) < 0x1p-18);
        assert_true(fabs((double)near_log(y) - ln_y) < 0x1p-22 * (1 + fabs(ln_y)));
    }
}

static void what_is_beyond_is_told(void **state)
{
    (void)state;
    assert_int_equal(lanes_beyond(700), 0);
    assert_int_equal(lanes_beyond(-700), 0);
    assert_int_equal(lanes_beyond(nextafter(700, 701)), 1);
    assert_int_equal(lanes_beyond(-701), 1);
    assert_int_equal(lanes_beyond(INFINITY), 1);
    assert_int_equal(lanes_beyond(NAN), 1);
}

/* Sets of coefficients about a preset's, column by column. */
static void fill_columns(const struct law *law, const struct preset *preset, double *columns)
{
    struct rng rng = rng_stream(9, 0);

    for (size_t j = 0; j < law->n_coefficients; j++)
        for (size_t i = 0; i < SETS; i++)
            columns[j * SETS + i] = preset->coefficient[j] * (1 + 0.02 * rng_normal(&rng));
}

/* At x, and every third of them with twice the tokens. */
static void check_losses(const struct law *law, const double *columns, const struct law_x *x)
{
    double loss[SETS], coefficients[LAW_MAX_COEFFICIENTS];
    struct law_x at[SETS];

    for (size_t i = 0; i < SETS; i++) {
        at[i] = *x;
        at[i].ln_tokens += i % 3 == 0 ? log(2) : 0;
    }
    law_losses(law, columns, at, SETS, loss);
    for (size_t i = 0; i < SETS; i++) {
        double want;

        for (size_t j = 0; j < law->n_coefficients; j++)
            coefficients[j] = columns[j * SETS + i];
        want = law_loss(law, coefficients, &at[i]);
        if (isfinite(want))
            assert_true(fabs(loss[i] - want) <= 1e-13 * fabs(want));
        else
            assert_int_equal(isfinite(loss[i]) ? 1 : 0, 0);
    }
}

static void losses_of_many_sets_are_those_of_each(void **state)
{
    static const double experts[] = {1, 2, 8, 64, 1e5}, granularity[] = {1, 4, 16};
    double columns[LAW_MAX_COEFFICIENTS * SETS];

    (void)state;
    for (size_t p = 0; p < preset_count(); p++) {
        const struct law *law = law_find(preset_at(p)->law);

        fill_columns(law, preset_at(p), columns);
        for (size_t e = 0; e < sizeof experts / sizeof *experts; e++)
            for (size_t g = 0; g < sizeof granularity / sizeof *granularity; g++) {
                const struct obs obs = {.n_active = 1e9,
                                        .n_total = 1e9 * experts[e],
                                        .tokens = 3e10,
                                        .experts = experts[e],
                                        .granularity = granularity[g]};
                const struct law_x x = law_x_from_obs(&obs);

                check_losses(law, columns, &x);
            }
    }
}

static void sets_beyond_the_fast_range_are_computed_all_the_same(void **state)
{
    const struct preset *preset = preset_find("joint-2025");
    const struct law *law = law_find(preset->law);
    const struct obs obs = {
        .n_active = 1e9, .n_total = 1e9, .tokens = 1e10, .experts = 8, .granularity = 1};
    const struct law_x x = law_x_from_obs(&obs);
    double columns[LAW_MAX_COEFFICIENTS * SETS];

    (void)state;
    fill_columns(law, preset, columns);
    columns[law_coefficient_index(law, "alpha") * SETS + 3] = -40;
    columns[law_coefficient_index(law, "beta") * SETS + 5] = 40;
    columns[law_coefficient_index(law, "gamma") * SETS + 50] = NAN;
    columns[law_coefficient_index(law, "E_max") * SETS + 51] = INFINITY;
    check_losses(law, columns, &x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exponentials_are_those_of_libm),
        cmocka_unit_test(equal_steps_are_those_of_libm),
        cmocka_unit_test(logarithms_are_those_of_libm),
        cmocka_unit_test(near_ones_are_as_near_as_the_header_says),
        cmocka_unit_test(what_is_beyond_is_told),
        cmocka_unit_test(losses_of_many_sets_are_those_of_each),
        cmocka_unit_test(sets_beyond_the_fast_range_are_computed_all_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
