#include "core/amplitudes.h"

#include <string.h>

#include "core/rng.h"
#include "tests/unit/check.h"

enum { ROWS = 30, COLUMNS = 4 };

static double residual_norm(const double *phi, const double *y, const double *a)
{
    double sum = 0.0;

    for (size_t i = 0; i < ROWS; i++) {
        double r = y[i];

        for (size_t k = 0; k < COLUMNS; k++)
            r -= a[k] * phi[k * ROWS + i];
        sum += r * r;
    }
    return sum;
}

static void random_problem(uint64_t seed, double *phi, double *y)
{
    struct rng rng = rng_stream(seed, 0);

    for (size_t i = 0; i < ROWS * COLUMNS; i++)
        phi[i] = rng_uniform(&rng);
    for (size_t i = 0; i < ROWS; i++)
        y[i] = rng_normal(&rng) + 0.5;
}

/* The Karush-Kuhn-Tucker conditions, which the solver never looks at. */
static void non_negative_amplitudes_meet_the_optimality_conditions(void **state)
{
    size_t at_zero = 0;

    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        double phi[ROWS * COLUMNS], y[ROWS], phi2[ROWS * COLUMNS], y2[ROWS], a[COLUMNS], value;
        struct amplitudes set;

        random_problem(seed, phi, y);
        memcpy(phi2, phi, sizeof phi);
        memcpy(y2, y, sizeof y);
        value = amplitudes_solve(phi2, y2, ROWS, COLUMNS, false, a, &set);
        assert_near(value, residual_norm(phi, y, a), 1e-10);
        for (size_t k = 0; k < COLUMNS; k++) {
            double slope = 0.0;

            for (size_t i = 0; i < ROWS; i++) {
                double r = y[i];

                for (size_t j = 0; j < COLUMNS; j++)
                    r -= a[j] * phi[j * ROWS + i];
                slope -= r * phi[k * ROWS + i];
            }
            assert_true(a[k] >= 0.0);
            if (a[k] > 0.0)
                assert_true(fabs(slope) < 1e-10);
            else
                assert_true(slope > -1e-10);
            at_zero += a[k] == 0.0 ? 1 : 0;
            assert_int_equal((set.used >> k) & 1u, a[k] > 0.0);
        }
    }
    assert_true(at_zero > 20); /* the bound was really met */
}

static void signed_amplitudes_are_least_squares(void **state)
{
    double phi[ROWS * COLUMNS], y[ROWS], phi2[ROWS * COLUMNS], y2[ROWS], a[COLUMNS], near[COLUMNS];
    struct amplitudes set;

    (void)state;
    random_problem(3, phi, y);
    memcpy(phi2, phi, sizeof phi);
    memcpy(y2, y, sizeof y);
    (void)amplitudes_solve(phi2, y2, ROWS, COLUMNS, true, a, &set);
    for (size_t k = 0; k < COLUMNS; k++)
        for (double step = -1e-3; step < 2e-3; step += 2e-3) {
            memcpy(near, a, sizeof a);
            near[k] += step;
            assert_true(residual_norm(phi, y, near) > residual_norm(phi, y, a));
        }
}

static void a_repeated_column_gets_nothing_and_breaks_nothing(void **state)
{
    double phi[ROWS * COLUMNS], y[ROWS], a[COLUMNS];
    struct amplitudes set;

    (void)state;
    random_problem(5, phi, y);
    memcpy(phi + 3 * ROWS, phi + ROWS, ROWS * sizeof *phi);
    assert_true(isfinite(amplitudes_solve(phi, y, ROWS, COLUMNS, true, a, &set)));
    assert_true(a[3] == 0.0);
    assert_int_equal(set.used, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(non_negative_amplitudes_meet_the_optimality_conditions),
        cmocka_unit_test(signed_amplitudes_are_least_squares),
        cmocka_unit_test(a_repeated_column_gets_nothing_and_breaks_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
