/* Planted coefficients come back from noise-free losses, for every law of the registry. */
#include <gsl/gsl_errno.h>

#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

/* The law's published coefficients, which every law has. */
static const double *planted(const struct law *law)
{
    const struct preset *preset = preset_for_law(law->name);

    assert_non_null(preset);
    return preset->coefficient;
}

static void every_law_recovers_what_was_planted(void **state)
{
    (void)state;
    for (size_t l = 0; l < law_count(); l++) {
        const struct law *law = law_at(l);
        const double *want = planted(law);
        struct fit_options options = fit_options_default(law);
        struct fit_outcome got;

        fit_case_design(&runs, 150, l);
        fit_case_losses(&runs, law, want, 0.0, 0);
        fit_case_run(&options, &runs, &got);
        if (got.code != ERR_OK)
            print_error("%s: %s\n", law->name, got.err.detail);
        assert_int_equal(got.code, ERR_OK);
        for (size_t i = 0; i < law->n_coefficients; i++) {
            double x = got.result.coefficient[i];

            assert_true(got.result.is_free[i]);
            if (law->coefficients[i].role != LAW_EXPONENT)
                continue;
            if (!(fabs(x - want[i]) <= 1e-5 * fmax(fabs(want[i]), 1e-2)))
                print_error("%s %s: %.12g, want %.12g\n", law->name, law->coefficients[i].name, x,
                            want[i]);
            assert_true(fabs(x - want[i]) <= 1e-5 * fmax(fabs(want[i]), 1e-2));
        }
        for (size_t i = 0; i < runs.count; i++) {
            struct law_x x = law_x_from_obs(&runs.obs[i]);

            assert_near(law_loss(law, got.result.coefficient, &x), runs.obs[i].loss, 1e-9);
        }
        fit_case_release(&got);
    }
}

static void squared_loss_recovers_as_well(void **state)
{
    (void)state;
    for (size_t l = 0; l < law_count(); l++) {
        const struct law *law = law_at(l);
        struct fit_options options = fit_options_default(law);
        struct fit_outcome got;

        options.robust.kind = ROBUST_SQUARED;
        fit_case_design(&runs, 150, 100 + l);
        fit_case_losses(&runs, law, planted(law), 0.0, 0);
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        for (size_t i = 0; i < runs.count; i++) {
            struct law_x x = law_x_from_obs(&runs.obs[i]);

            assert_near(law_loss(law, got.result.coefficient, &x), runs.obs[i].loss, 1e-9);
        }
        fit_case_release(&got);
    }
}

/* A floor of 0 is a bound: found, and said. */
static void a_planted_floor_of_zero_is_found_and_warned(void **state)
{
    const struct law *law = law_find("joint");
    struct fit_options options = fit_options_default(law);
    double want[LAW_MAX_COEFFICIENTS];
    struct fit_outcome got;

    (void)state;
    memcpy(want, planted(law), law->n_coefficients * sizeof *want);
    want[law_coefficient_index(law, "c")] = 0.0;
    fit_case_design(&runs, 150, 7);
    fit_case_losses(&runs, law, want, 0.01, 9);
    for (size_t i = 0; i < runs.count; i++) /* bend the losses so that the floor leans on 0 */
        runs.obs[i].loss *= pow(runs.obs[i].n_active / 3e8, -0.01);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(got.result.coefficient[law_coefficient_index(law, "c")] < 0.3);
    if (got.result.coefficient[law_coefficient_index(law, "c")] == 0.0)
        assert_true(fit_case_warned(&got, "at_bound"));
    fit_case_release(&got);
}

/* Searches of many runs see some of them, which must not be those of one E alone. */
static void few_runs_of_other_experts_among_many_dense_ones_are_seen(void **state)
{
    enum { MANY = 20000, FEW = 45 };
    const struct law *law = law_find("joint");
    struct fit_options options = fit_options_default(law);
    struct obs *obs = calloc(MANY, sizeof *obs);
    struct rng rng = rng_stream(5, 0);
    struct fit_result result;
    struct arena arena;
    struct err err;

    (void)state;
    assert_non_null(obs);
    arena_init(&arena, SIZE_MAX);
    err_init(&err, NULL);
    for (size_t i = 0; i < MANY; i++) {
        struct law_x x;

        obs[i] = (struct obs){.n_active = 8e7 * pow(34.0, rng_uniform(&rng)),
                              .n_total = NAN,
                              .tokens = 5e8 * pow(160.0, rng_uniform(&rng)),
                              .experts = i < MANY - FEW ? 1.0
                                         : i % 2 == 0   ? 4.0
                                                        : 16.0,
                              .granularity = 1.0,
                              .weight = 1.0,
                              .train_flops = NAN};
        x = law_x_from_obs(&obs[i]);
        obs[i].loss = law_loss(law, planted(law), &x);
    }
    assert_int_equal(fit_run(&options, obs, MANY, &arena, &result, &err), ERR_OK);
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (law->coefficients[i].role == LAW_EXPONENT)
            assert_near(result.coefficient[i], planted(law)[i], 1e-5);
    arena_release(&arena);
    free(obs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_law_recovers_what_was_planted),
        cmocka_unit_test(squared_loss_recovers_as_well),
        cmocka_unit_test(a_planted_floor_of_zero_is_found_and_warned),
        cmocka_unit_test(few_runs_of_other_experts_among_many_dense_ones_are_seen),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
