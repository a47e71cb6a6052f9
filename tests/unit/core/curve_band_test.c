/* Bands of contours against the sorted losses of every draw at every point. */
#include "core/curve_band.h"

#include <stdlib.h>

#include "core/rng.h"
#include "tests/unit/core/curve_column.h"
#include "tests/unit/core/plan_question.h"

enum { DRAWS = 501, SIZES = 9, TOKENS = 7, ARENA_BYTES = 1 << 24 };

static const double level = 0.8;

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* By the textbook, of the finite losses. */
static void sorted_interval(const struct plan_model *model, const struct obs *run, double ret[2])
{
    const struct law_x x = law_x_from_obs(run);
    double loss[DRAWS];
    size_t n = 0;

    for (size_t i = 0; i < model->n_draws; i++) {
        loss[n] = law_loss(model->law, model->draws + i * model->law->n_coefficients, &x);
        n += isfinite(loss[n]) ? 1 : 0;
    }
    ret[0] = ret[1] = NAN;
    qsort(loss, n, sizeof *loss, ascending);
    for (int side = 0; n >= 2 && side < 2; side++) {
        double at = (side == 0 ? 1 - level : 1 + level) / 2 * (double)(n - 1);
        size_t k = (size_t)at;
        double next = loss[k + 1 < n ? k + 1 : k];

        ret[side] = loss[k] + (at - (double)k) * (next - loss[k]);
    }
}

static void make_draws(struct plan_model *model, size_t n_draws, double spread, double *draws)
{
    size_t n = model->law->n_coefficients;
    struct rng rng = rng_stream(5, n_draws);

    for (size_t i = 0; i < n_draws; i++)
        for (size_t j = 0; j < n; j++)
            draws[i * n + j] = model->coefficient[j] * (1 + spread * rng_normal(&rng));
    model->n_draws = n_draws;
    model->draws = draws;
}

static void assert_bands(const struct plan_question *question, const double n_active[2],
                         const double tokens[2])
{
    struct curve_contour contour;
    struct arena arena;
    struct err err;

    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    assert_int_equal(
        curve_contour(question, SIZES, TOKENS, n_active, tokens, &arena, &contour, &err), ERR_OK);
    for (size_t i = 0; i < SIZES; i++) {
        for (size_t j = 0; j < TOKENS; j++) {
            double d = shape_d_from_n_active(&question->model.shape, contour.n_active[i]), want[2];
            const struct obs run = {
                .n_active = contour.n_active[i],
                .n_total = shape_n_total(&question->model.shape, d, question->experts[0]),
                .tokens = contour.tokens[j],
                .experts = question->experts[0],
                .granularity = question->experts[0] > 1 ? question->granularity[0] : 1,
            };

            sorted_interval(&question->model, &run, want);
            if (isnan(want[0])) {
                assert_true(isnan(contour.loss_low[i * TOKENS + j]));
                assert_true(isnan(contour.loss_high[i * TOKENS + j]));
                continue;
            }
            assert_near(contour.loss_low[i * TOKENS + j], want[0], 1e-12);
            assert_near(contour.loss_high[i * TOKENS + j], want[1], 1e-12);
        }
    }
    arena_release(&arena);
}

static const double sizes[2] = {1e7, 1e12}, data[2] = {1e8, 1e14};

static void bands_are_the_quantiles_of_all_draws(void **state)
{
    static const size_t counts[] = {2, 3, 100, 128, 129, DRAWS};
    static double draws[DRAWS * LAW_MAX_COEFFICIENTS];

    (void)state;
    for (size_t p = 0; p < PLANNING_PRESETS; p++) {
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            struct plan_question question = question_of(planning_presets[p]);

            question.n_experts = question.n_granularity = 1;
            question.experts = question.n_experts > 0 && question.model.fixed_experts > 0
                                   ? question.experts
                                   : &six_experts[(p + k) % 6];
            question.granularity = &eight_granularities[k % 8];
            question.level = level;
            make_draws(&question.model, counts[k], k % 2 == 0 ? 0.01 : 0.1, draws);
            assert_bands(&question, sizes, data);
        }
    }
}

/* What single precision cannot hold, or be trusted with, is asked exactly. */
static void strange_draws_have_bands_too(void **state)
{
    static double draws[DRAWS * LAW_MAX_COEFFICIENTS];
    static const double values[] = {0, -3, 1e300, 1e-300, INFINITY, NAN};
    static const char *const names[] = {"a", "b", "c", "alpha", "beta"};
    static const double far[2] = {2, 1e30};

    (void)state;
    for (size_t v = 0; v < sizeof values / sizeof *values; v++) {
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            struct plan_question question = question_of("joint-2025");
            size_t n = question.model.law->n_coefficients;

            question.n_experts = 1;
            question.experts = &six_experts[3];
            question.level = level;
            make_draws(&question.model, DRAWS, 0.02, draws);
            for (size_t i = 0; i < DRAWS; i += k + 1)
                draws[i * n + law_coefficient_index(question.model.law, names[k])] = values[v];
            assert_bands(&question, sizes, data);
            assert_bands(&question, far, data);
        }
    }
}

/* From one E and G to the next, some of whose draws may be lost. */
static void rows_of_curves_have_the_same_bands(void **state)
{
    static double draws[DRAWS * LAW_MAX_COEFFICIENTS];
    struct plan_question question = question_of("joint-granular-composed");
    size_t n = question.model.law->n_coefficients;
    struct curve curve;
    struct arena arena;
    struct err err;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    question.limits.compute_flops = 1e21;
    question.level = level;
    make_draws(&question.model, DRAWS, 0.02, draws);
    /* Ê beyond every number, but for E = 1 */
    for (size_t i = 0; i < DRAWS; i += 7)
        draws[i * n + law_coefficient_index(question.model.law, "delta")] = 3000;
    assert_int_equal(curve_isoflop(&question, 9, NAN, NAN, &arena, &curve, &err), ERR_OK);
    for (size_t i = 0; i < curve.n_rows; i++) {
        const struct obs run = {
            .n_active = column(&curve, "n_active")[i],
            .n_total = column(&curve, "n_total")[i],
            .tokens = column(&curve, "tokens")[i],
            .experts = column(&curve, "experts")[i],
            .granularity = column(&curve, "granularity")[i],
        };
        double want[2];

        sorted_interval(&question.model, &run, want);
        assert_near(column(&curve, "loss_low")[i], want[0], 1e-12);
        assert_near(column(&curve, "loss_high")[i], want[1], 1e-12);
    }
    arena_release(&arena);
}

static void no_draws_no_bands(void **state)
{
    struct plan_question question = question_of("joint-2025");
    struct curve_contour contour;
    struct arena arena;
    struct err err;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    question.n_experts = 1;
    assert_int_equal(curve_contour(&question, 3, 3, sizes, data, &arena, &contour, &err), ERR_OK);
    assert_null(contour.loss_low);
    assert_null(contour.loss_high);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_are_the_quantiles_of_all_draws),
        cmocka_unit_test(strange_draws_have_bands_too),
        cmocka_unit_test(rows_of_curves_have_the_same_bands),
        cmocka_unit_test(no_draws_no_bands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
