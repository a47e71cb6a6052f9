#include "core/varpro.h"

#include "core/rng.h"
#include "tests/unit/core/fit_cases.h"

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
        unsigned used;

        random_problem(seed, phi, y);
        memcpy(phi2, phi, sizeof phi);
        memcpy(y2, y, sizeof y);
        value = varpro_solve(phi2, y2, ROWS, COLUMNS, false, a, &used);
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
            assert_int_equal((used >> k) & 1u, a[k] > 0.0);
        }
    }
    assert_true(at_zero > 20); /* the bound was really met */
}

static void signed_amplitudes_are_least_squares(void **state)
{
    double phi[ROWS * COLUMNS], y[ROWS], phi2[ROWS * COLUMNS], y2[ROWS], a[COLUMNS], near[COLUMNS];
    unsigned used;

    (void)state;
    random_problem(3, phi, y);
    memcpy(phi2, phi, sizeof phi);
    memcpy(y2, y, sizeof y);
    (void)varpro_solve(phi2, y2, ROWS, COLUMNS, true, a, &used);
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
    unsigned used;

    (void)state;
    random_problem(5, phi, y);
    memcpy(phi + 3 * ROWS, phi + ROWS, ROWS * sizeof *phi);
    assert_true(isfinite(varpro_solve(phi, y, ROWS, COLUMNS, true, a, &used)));
    assert_true(a[3] == 0.0);
    assert_int_equal(used, 7);
}

/* From starts all over the box the search finds the planted exponents. */
static void descent_finds_planted_exponents_from_most_starts(void **state)
{
    static struct fit_case runs;
    const struct law *law = law_find("chinchilla");
    const struct preset *preset = preset_for_law("chinchilla");
    struct fit_options options = fit_options_default(law);
    bool is_free[LAW_MAX_COEFFICIENTS];
    double natural[LAW_MAX_COEFFICIENTS] = {0};
    struct arena arena;
    struct err err;
    struct fit_problem problem;
    struct varpro varpro;
    size_t found = 0;

    (void)state;
    arena_init(&arena, (size_t)1 << 28);
    err_init(&err, NULL);
    for (size_t i = 0; i < LAW_MAX_COEFFICIENTS; i++)
        is_free[i] = true;
    fit_case_design(&runs, 80, 1);
    fit_case_losses(&runs, law, preset->coefficient, 0.0, 1);
    assert_int_equal(ERR_OK, fit_problem_init(&problem, &options, is_free, natural, runs.obs,
                                              runs.count, &arena, &err));
    assert_int_equal(ERR_OK, varpro_init(&varpro, &problem, &arena, &err));
    for (size_t start = 0; start < 50; start++) {
        double z[LAW_MAX_COEFFICIENTS] = {0}, value;
        struct rng rng = rng_stream(1, start);

        for (size_t j = 0; j < problem.p; j++)
            z[j] = problem.term[problem.index[j]] == SIZE_MAX ? -1.5 * rng_uniform(&rng) : 0.0;
        for (size_t j = 0; j < problem.p; j++)
            z[j] = fabs(z[j]);
        value = varpro_descend(&varpro, z, 60);
        found += value < 1e-6 ? 1 : 0;
    }
    assert_true(found >= 45);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(non_negative_amplitudes_meet_the_optimality_conditions),
        cmocka_unit_test(signed_amplitudes_are_least_squares),
        cmocka_unit_test(a_repeated_column_gets_nothing_and_breaks_nothing),
        cmocka_unit_test(descent_finds_planted_exponents_from_most_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
