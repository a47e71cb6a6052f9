#include "core/fit_shape.h"

#include <math.h>

#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;
static struct arena arena;
static struct fit_problem problem;

/* Every coefficient free, of runs of the law itself. */
static void pose(const char *law)
{
    fit_case_design(&runs, 40, 3);
    fit_case_losses(&runs, law_find(law), preset_for_law(law)->coefficient, 0.01, 1);
    fit_case_pose(law, &runs, &arena, &problem);
}

static void published_point(double *ret_z)
{
    memset(ret_z, 0, LAW_MAX_COEFFICIENTS * sizeof *ret_z);
    fit_problem_point(&problem, preset_for_law(problem.law->name)->coefficient, ret_z);
}

/* kappa·ln(Ê/E_start) at the centre. */
static double weight_at_centre(const double *natural)
{
    double start = natural[problem.e_start], inverse = 1.0 / natural[problem.e_max];

    return natural[problem.kappa] *
           (law_ln_experts(problem.centre.experts, start, inverse, NULL, NULL) - log(start));
}

static void a_shape_is_what_is_held_of_it(void **state)
{
    size_t of_experts = 0, of_both = 0;

    (void)state;
    pose("joint-granular");
    for (size_t s = 0; s < FIT_SHAPES; s++) {
        double before[LAW_MAX_COEFFICIENTS], z[LAW_MAX_COEFFICIENTS];
        double natural[LAW_MAX_COEFFICIENTS], t;
        bool held[LAW_MAX_COEFFICIENTS];
        size_t count = 0;

        published_point(before);
        memcpy(z, before, sizeof z);
        assert_true(fit_shape_set(&problem, s, z, held));
        for (size_t j = 0; j < problem.p; j++) {
            count += held[j] ? 1 : 0;
            assert_true(held[j] || z[j] == before[j]);
            assert_true(z[j] >= problem.lower[j] && z[j] <= problem.upper[j]);
        }
        fit_problem_natural(&problem, z, natural);
        t = weight_at_centre(natural);
        assert_near(z[problem.coordinate[problem.kappa]], t / (1.0 + t), 1e-9);
        assert_true(natural[problem.e_start] >= 1.0);
        assert_true(natural[problem.e_max] > natural[problem.e_start]);
        of_experts += held[problem.coordinate[problem.e_start]] ? 1 : 0;
        of_both += count == 4 ? 1 : 0;
        assert_true(count == 2 || count == 4);
    }
    assert_int_equal(36, of_experts);
    assert_int_equal(30, of_both);
    arena_release(&arena);
}

static void a_law_that_does_not_bend_has_no_shapes(void **state)
{
    double z[LAW_MAX_COEFFICIENTS];
    bool held[LAW_MAX_COEFFICIENTS];

    (void)state;
    pose("chinchilla");
    published_point(z);
    for (size_t s = 0; s < FIT_SHAPES; s++)
        assert_false(fit_shape_set(&problem, s, z, held));
    arena_release(&arena);
}

/* The greatest error of ∂f/∂z_j by differences, as a share of the column. */
static double slope_error(const double *z, size_t j, const double *jacobian)
{
    static double up[CASE_RUNS_MAX], down[CASE_RUNS_MAX];
    double at[LAW_MAX_COEFFICIENTS], worst = 0.0, size = 0.0;
    double h = fmin(1e-5, 0.25 * fmin(problem.upper[j] - z[j], z[j] - problem.lower[j]));

    memcpy(at, z, sizeof at);
    at[j] = z[j] + h;
    assert_true(fit_problem_evaluate(&problem, at, up, NULL));
    at[j] = z[j] - h;
    assert_true(fit_problem_evaluate(&problem, at, down, NULL));
    for (size_t i = 0; i < problem.n; i++) {
        double slope = jacobian[i * problem.stride + j];

        worst = fmax(worst, fabs((down[i] - up[i]) / (2.0 * h) - slope));
        size = fmax(size, fabs(slope));
    }
    return worst / size;
}

static void slopes_are_those_of_the_coordinates(void **state)
{
    static double residual[CASE_RUNS_MAX], jacobian[CASE_RUNS_MAX * LAW_MAX_COEFFICIENTS];

    (void)state;
    pose("joint-granular");
    for (int away = 0; away < 8; away++) {
        double z[LAW_MAX_COEFFICIENTS], natural[LAW_MAX_COEFFICIENTS];
        double again[LAW_MAX_COEFFICIENTS] = {0};
        struct rng rng = rng_stream(5, (uint64_t)away);

        published_point(z);
        for (size_t j = 0; j < problem.p; j++)
            z[j] += away * 0.01 * fabs(z[j]) * rng_normal(&rng);
        fit_problem_clip(&problem, z);
        fit_problem_natural(&problem, z, natural);
        fit_problem_point(&problem, natural, again);
        assert_true(fit_problem_evaluate(&problem, z, residual, jacobian));
        for (size_t j = 0; j < problem.p; j++) {
            assert_near(z[j], again[j], 1e-9);
            assert_true(slope_error(z, j, jacobian) < 1e-5);
        }
    }
    arena_release(&arena);
}

/* Moving E_start and E_max leaves the weight of granularity where it is, and granularity's exponent
 * the others': ln φ is not linear in it. */
static void saturation_does_not_move_the_weight_of_granularity(void **state)
{
    double z[LAW_MAX_COEFFICIENTS], natural[LAW_MAX_COEFFICIENTS], before;
    size_t phi;

    (void)state;
    pose("joint-granular");
    phi = law_coefficient_index(problem.law, "phi");
    published_point(z);
    fit_problem_natural(&problem, z, natural);
    before = weight_at_centre(natural);
    z[problem.coordinate[problem.e_start]] = 0.0;
    z[problem.coordinate[problem.e_max]] = log(1e-3);
    fit_problem_natural(&problem, z, natural);
    assert_near(before, weight_at_centre(natural), 1e-9);
    assert_true(problem.place[phi] == SIZE_MAX);
    assert_true(z[problem.coordinate[phi]] == natural[phi]);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shape_is_what_is_held_of_it),
        cmocka_unit_test(a_law_that_does_not_bend_has_no_shapes),
        cmocka_unit_test(slopes_are_those_of_the_coordinates),
        cmocka_unit_test(saturation_does_not_move_the_weight_of_granularity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
