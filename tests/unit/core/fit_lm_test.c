/* What GSL's solver does for a fit, seen from the contract's objective. */
#include "core/fit_lm.h"

#include <gsl/gsl_errno.h>

#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

/* A law's problem over sorted runs, and the solver on it. */
struct rig {
    struct arena arena;
    struct err err;
    struct fit_options options;
    struct fit_problem problem;
    struct fit_polish polish;
    struct fit_lm lm;
};

static void rig_open(struct rig *rig, const char *law, enum robust_kind kind)
{
    bool is_free[LAW_MAX_COEFFICIENTS];
    double natural[LAW_MAX_COEFFICIENTS];

    memset(rig, 0, sizeof *rig);
    arena_init(&rig->arena, SIZE_MAX);
    err_init(&rig->err, NULL);
    rig->options = fit_options_default(law_find(law));
    rig->options.robust.kind = kind;
    qsort(runs.obs, runs.count, sizeof *runs.obs, obs_compare);
    for (size_t i = 0; i < rig->options.law->n_coefficients; i++) {
        is_free[i] = rig->options.law->coefficients[i].role != LAW_SATURATION;
        natural[i] = preset_for_law(law)->coefficient[i];
    }
    assert_int_equal(ERR_OK, fit_problem_init(&rig->problem, &rig->options, is_free, natural,
                                              runs.obs, runs.count, &rig->arena, &rig->err));
    assert_int_equal(ERR_OK, fit_polish_init(&rig->polish, &rig->problem, &rig->arena, &rig->err));
    assert_int_equal(ERR_OK, fit_lm_init(&rig->lm, &rig->polish, false, &rig->err));
}

static void rig_close(struct rig *rig)
{
    fit_lm_release(&rig->lm);
    arena_release(&rig->arena);
}

static double objective_at(const struct rig *rig, const double *z)
{
    double natural[LAW_MAX_COEFFICIENTS];

    fit_problem_natural(&rig->problem, z, natural);
    return fit_objective(&rig->options, natural, runs.obs, runs.count);
}

/* The published coefficients, each exponent off by a tenth. */
static void near_point(const struct rig *rig, const char *law, double *ret_z)
{
    double natural[LAW_MAX_COEFFICIENTS];

    for (size_t i = 0; i < rig->options.law->n_coefficients; i++)
        natural[i] = preset_for_law(law)->coefficient[i] *
                     (rig->options.law->coefficients[i].role == LAW_EXPONENT ? 1.1 : 1.0);
    fit_problem_point(&rig->problem, natural, ret_z);
}

static void reaches_the_fits_own_minimum_of_squares(void **state)
{
    struct rig rig;
    double z[LAW_MAX_COEFFICIENTS] = {0}, far;
    struct fit_outcome got;

    (void)state;
    fit_case_design(&runs, 100, 1);
    fit_case_losses(&runs, law_find("chinchilla"), preset_for_law("chinchilla")->coefficient, 0.005,
                    1);
    rig_open(&rig, "chinchilla", ROBUST_SQUARED);
    near_point(&rig, "chinchilla", z);
    far = objective_at(&rig, z);
    fit_lm_run(&rig.lm, z);
    fit_case_run(&rig.options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(far > 10.0 * got.result.objective);
    assert_near(objective_at(&rig, z), got.result.objective, 1e-3);
    fit_case_release(&got);
    rig_close(&rig);
}

static void comes_near_the_minimum_of_the_huber_objective(void **state)
{
    struct rig rig;
    double z[LAW_MAX_COEFFICIENTS] = {0};
    struct fit_outcome got;

    (void)state;
    fit_case_design(&runs, 120, 2);
    fit_case_losses(&runs, law_find("joint"), preset_for_law("joint")->coefficient, 0.005, 2);
    rig_open(&rig, "joint", ROBUST_HUBER);
    near_point(&rig, "joint", z);
    fit_lm_run(&rig.lm, z);
    for (size_t i = 0; i < rig.options.law->n_coefficients; i++)
        if (rig.options.law->coefficients[i].role == LAW_SATURATION) {
            rig.options.hold[i] = FIT_FIXED;
            rig.options.fixed[i] = preset_for_law("joint")->coefficient[i];
        }
    fit_case_run(&rig.options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_near(objective_at(&rig, z), got.result.objective, 0.05);
    assert_true(objective_at(&rig, z) >= got.result.objective * (1.0 - 1e-9));
    fit_case_release(&got);
    rig_close(&rig);
}

/* The runs would have the floor below 0. From the optimum within the bounds GSL, which knows none,
 * must neither carry it outwards nor let go of it. */
static void holds_a_coefficient_at_its_bound(void **state)
{
    size_t floor = law_coefficient_index(law_find("chinchilla"), "E_inf");
    double planted[LAW_MAX_COEFFICIENTS], natural[LAW_MAX_COEFFICIENTS];
    double z[LAW_MAX_COEFFICIENTS] = {0};
    struct fit_outcome got;
    struct rig rig;

    (void)state;
    memcpy(planted, preset_for_law("chinchilla")->coefficient, sizeof planted);
    planted[floor] = -0.2;
    fit_case_design(&runs, 100, 3);
    fit_case_losses(&runs, law_find("chinchilla"), planted, 0.002, 3);
    rig_open(&rig, "chinchilla", ROBUST_HUBER);
    fit_case_run(&rig.options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(got.result.coefficient[floor] == 0.0);
    fit_problem_point(&rig.problem, got.result.coefficient, z);
    fit_lm_run(&rig.lm, z);
    fit_problem_natural(&rig.problem, z, natural);
    assert_true(natural[floor] == 0.0);
    assert_near(objective_at(&rig, z), got.result.objective, 0.05);
    fit_case_release(&got);
    rig_close(&rig);
}

static void a_point_without_finite_losses_stays(void **state)
{
    struct rig rig;
    double z[LAW_MAX_COEFFICIENTS] = {0}, kept[LAW_MAX_COEFFICIENTS];

    (void)state;
    fit_case_design(&runs, 60, 4);
    fit_case_losses(&runs, law_find("chinchilla"), preset_for_law("chinchilla")->coefficient, 0.005,
                    4);
    rig_open(&rig, "chinchilla", ROBUST_HUBER);
    memcpy(kept, z, sizeof kept); /* all amplitudes 0: a loss of 0 has no logarithm */
    fit_lm_run(&rig.lm, z);
    assert_memory_equal(z, kept, sizeof kept);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reaches_the_fits_own_minimum_of_squares),
        cmocka_unit_test(comes_near_the_minimum_of_the_huber_objective),
        cmocka_unit_test(holds_a_coefficient_at_its_bound),
        cmocka_unit_test(a_point_without_finite_losses_stays),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
