#include "core/fit_edge.h"

#include <math.h>

#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;
static double least_size;
static struct arena arena;
static struct fit_problem problem;
static struct fit_polish polish;
static struct fit_edge edge;

static const struct fit_polish_goal goal = {1e-3, 1e-13, 200, true};

/* Everything free, of the runs as they are. */
static void pose(const char *law)
{
    struct err err;

    err_init(&err, NULL);
    fit_case_pose(law, &runs, &arena, &problem);
    assert_int_equal(ERR_OK, fit_polish_init(&polish, &problem, &arena, &err));
    assert_int_equal(ERR_OK, fit_edge_init(&edge, &problem, &arena, &err));
}

/* Parameters matter to the smallest model alone, so that alpha has no finite optimum. */
static void spoil_the_smallest(void)
{
    static const double flat[] = {1.8, 0.0, 2000.0, 0.3, 0.36};
    size_t smallest = 0;

    fit_case_design(&runs, 60, 1);
    fit_case_losses(&runs, law_find("chinchilla"), flat, 0.002, 1);
    for (size_t i = 0; i < runs.count; i++)
        if (runs.obs[i].n_active < runs.obs[smallest].n_active)
            smallest = i;
    runs.obs[smallest].loss *= 1.3;
    least_size = runs.obs[smallest].n_active;
}

/* Down from coefficients, through the valley in strides, and along the edge. */
static double reach(double alpha, double beta)
{
    double z[LAW_MAX_COEFFICIENTS] = {0}, natural[LAW_MAX_COEFFICIENTS];
    double at[] = {1.8, 0.5 * pow(least_size, alpha), 0.3 * pow(1e10, beta), alpha, beta};
    struct fit_polished got;
    double strode;

    fit_problem_point(&problem, at, z);
    got = fit_polish_run(&polish, &goal, z);
    for (int walk = 0; walk < 5 && got.stop == FIT_MAX_ITERATIONS; walk++) {
        double from[LAW_MAX_COEFFICIENTS];

        memcpy(from, z, sizeof from);
        got = fit_polish_run(&polish, &goal, z);
        strode = fit_edge_stride(&polish, &goal, from, z);
        assert_true(strode <= got.objective);
    }
    assert_true(fit_edge_reached(&problem, z));
    fit_edge_walk(&edge, &goal, z);
    strode = fit_polish_run(&polish, &goal, z).objective;
    assert_true(strode <= got.objective * (1.0 + 1e-6));
    fit_problem_natural(&problem, z, natural);
    for (size_t i = 0; i < problem.law->n_coefficients; i++)
        assert_true(isfinite(natural[i]));
    assert_true(natural[3] > 29.0);
    return strode;
}

static void a_valley_without_an_end_is_walked_to_where_numbers_end(void **state)
{
    double least = INFINITY, most = 0.0;

    (void)state;
    spoil_the_smallest();
    pose("chinchilla");
    for (double alpha = 20.0; alpha < 29.0; alpha += 4.0)
        for (double beta = 0.2; beta < 0.7; beta += 0.2) {
            double reached = reach(alpha, beta);

            least = fmin(least, reached);
            most = fmax(most, reached);
        }
    assert_true(most <= least * (1.0 + 1e-6));
    arena_release(&arena);
}

static void ordinary_fits_are_nowhere_near_the_edge(void **state)
{
    double z[LAW_MAX_COEFFICIENTS] = {0};

    (void)state;
    for (size_t l = 0; l < law_count(); l++) {
        fit_case_design(&runs, 60, l);
        fit_case_losses(&runs, law_at(l), preset_for_law(law_at(l)->name)->coefficient, 0.002, 1);
        pose(law_at(l)->name);
        fit_problem_point(&problem, preset_for_law(law_at(l)->name)->coefficient, z);
        assert_false(fit_edge_reached(&problem, z));
        arena_release(&arena);
    }
}

/* The largest change of a residual between two points. */
static double change(const double *a, const double *b)
{
    double most = 0.0;

    assert_true(fit_problem_evaluate(&problem, a, polish.residual, NULL));
    assert_true(fit_problem_evaluate(&problem, b, polish.trial, NULL));
    for (size_t i = 0; i < problem.n; i++)
        most = fmax(most, fabs(polish.residual[i] - polish.trial[i]));
    return most;
}

static void turns_leave_a_bend_of_experts_as_it_is(void **state)
{
    static const struct fit_polish_goal stay = {1e-3, 1e-13, 0, false};
    static const char *const laws[] = {"joint", "joint-granular"};

    (void)state;
    for (size_t l = 0; l < 2; l++) {
        double natural[LAW_MAX_COEFFICIENTS], start[LAW_MAX_COEFFICIENTS] = {0};
        double z[LAW_MAX_COEFFICIENTS], there[LAW_MAX_COEFFICIENTS];

        fit_case_design(&runs, 60, 2);
        memcpy(natural, preset_for_law(laws[l])->coefficient, sizeof natural);
        fit_case_losses(&runs, law_find(laws[l]), natural, 0.0, 1);
        pose(laws[l]);
        assert_true(fit_edge_turns(&problem));
        fit_problem_point(&problem, natural, start);
        start[problem.coordinate[problem.e_start]] = log(1e3);
        start[problem.coordinate[problem.e_max]] = 0.0;
        memcpy(z, start, sizeof z);
        fit_edge_turn(&edge, &stay, FIT_EDGE_DENSE, z);
        fit_problem_natural(&problem, z, there);
        assert_near(there[problem.e_start], 1.0, 1e-12);
        assert_true(there[problem.e_max] < 1.1);
        assert_true(change(start, z) < 1e-3);
        fit_edge_turn(&edge, &stay, FIT_EDGE_ENDLESS, z);
        fit_problem_natural(&problem, z, there);
        assert_near(there[problem.e_start], 1e3, 1e-6);
        assert_true(there[problem.e_max] == INFINITY);
        assert_true(change(start, z) < 1e-9);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_valley_without_an_end_is_walked_to_where_numbers_end),
        cmocka_unit_test(ordinary_fits_are_nowhere_near_the_edge),
        cmocka_unit_test(turns_leave_a_bend_of_experts_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
