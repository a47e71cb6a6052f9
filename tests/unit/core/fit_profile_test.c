/* Profiles of single coefficients, against refits from scratch and against standard errors. */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_errno.h>

#include "core/fit_profile.h"
#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

static const struct law *chinchilla(void)
{
    return law_find("chinchilla");
}

static size_t index_of(const char *name)
{
    size_t index = law_coefficient_index(chinchilla(), name);

    assert_true(index < chinchilla()->n_coefficients);
    return index;
}

static struct fit_options options_of(enum robust_kind kind)
{
    struct fit_options options = fit_options_default(chinchilla());

    options.robust.kind = kind;
    return options;
}

/* 100 log-uniform runs of B's law with some of its coefficients changed. */
static void simulate(double noise, double floor, uint64_t seed)
{
    double truth[LAW_MAX_COEFFICIENTS];

    memcpy(truth, preset_for_law("chinchilla")->coefficient, sizeof truth);
    truth[index_of("E_inf")] = floor;
    fit_case_design(&runs, 100, 42);
    fit_case_losses(&runs, chinchilla(), truth, noise, seed);
}

static enum err_code profile(const struct fit_options *options, struct fit_outcome *got,
                             const char *name, size_t points, struct fit_profile *ret)
{
    return fit_profile_run(options, runs.obs, runs.count, &got->result, index_of(name), points, 0.9,
                           &got->arena, ret, &got->err);
}

/* The objective of a whole new fit with the coefficient fixed. */
static double from_scratch(const struct fit_options *options, const char *name, double value)
{
    struct fit_options fixed = *options;
    struct fit_outcome got;
    double objective;

    fixed.hold[index_of(name)] = FIT_FIXED;
    fixed.fixed[index_of(name)] = value;
    fit_case_run(&fixed, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    objective = got.result.objective;
    fit_case_release(&got);
    return objective;
}

static void every_point_is_what_a_fit_from_scratch_finds(void **state)
{
    static const enum robust_kind kinds[] = {ROBUST_HUBER, ROBUST_SQUARED};
    static const char *const names[] = {"E_inf", "alpha", "B"};

    (void)state;
    simulate(0.005, 1.8, 1);
    for (size_t k = 0; k < 2; k++) {
        struct fit_options options = options_of(kinds[k]);
        struct fit_outcome got;

        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        for (size_t c = 0; c < 3; c++) {
            struct fit_profile at;

            assert_int_equal(profile(&options, &got, names[c], 9, &at), ERR_OK);
            assert_int_equal(at.n, 9);
            for (size_t i = 0; i < at.n; i++) {
                assert_true(i == 0 || at.value[i] > at.value[i - 1]);
                assert_near(at.objective[i], from_scratch(&options, names[c], at.value[i]), 1e-6);
            }
            assert_true(at.least >= got.result.objective * (1 - 1e-9));
        }
        fit_case_release(&got);
    }
}

static void the_ends_of_the_interval_are_where_the_threshold_is_met(void **state)
{
    struct fit_options options = options_of(ROBUST_HUBER);
    struct fit_outcome got;
    struct fit_profile at;

    (void)state;
    simulate(0.005, 1.8, 2);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(profile(&options, &got, "E_inf", 21, &at), ERR_OK);
    for (int side = 0; side < 2; side++) {
        double excess = from_scratch(&options, "E_inf", at.interval[side]) - got.result.objective;

        assert_int_equal(at.end[side], FIT_PROFILE_CROSSES);
        assert_near(excess, at.threshold - got.result.objective, 1e-2);
    }
    assert_true(at.value[0] < at.interval[0] && at.value[at.n - 1] > at.interval[1]);
    fit_case_release(&got);
}

/* With the exponents known and the amplitudes apart from 0 the law is linear but for its
 * logarithm. */
static void a_nearly_linear_fit_has_the_interval_of_its_standard_error(void **state)
{
    static const struct {
        enum robust_kind kind;
        double tolerance; /* of the half width: Huber's objective is nearly one of corners */
    } cases[] = {{ROBUST_SQUARED, 0.01}, {ROBUST_HUBER, 0.35}};

    (void)state;
    simulate(0.001, 1.8, 3);
    for (size_t k = 0; k < 2; k++) {
        struct fit_options options = options_of(cases[k].kind);
        double wald = sqrt(gsl_cdf_fdist_Pinv(0.9, 1.0, 97.0)), value;
        struct fit_outcome got;
        struct fit_profile at;

        options.hold[index_of("alpha")] = options.hold[index_of("beta")] = FIT_FIXED;
        options.fixed[index_of("alpha")] = 0.34781303;
        options.fixed[index_of("beta")] = 0.36585412;
        fit_case_run(&options, &runs, &got);
        assert_int_equal(profile(&options, &got, "E_inf", 11, &at), ERR_OK);
        value = got.result.coefficient[index_of("E_inf")];
        wald *= got.result.standard_error[index_of("E_inf")];
        assert_near(value - at.interval[0], wald, cases[k].tolerance);
        assert_near(at.interval[1] - value, wald, cases[k].tolerance);
        fit_case_release(&got);
    }
}

/* One coefficient free: ν is the runs but one. Student's tables give 1.6493 for ν of 340 to 360. */
static void every_number_of_runs_has_its_threshold(void **state)
{
    struct fit_options options = options_of(ROBUST_SQUARED);

    (void)state;
    for (size_t i = 0; i < chinchilla()->n_coefficients; i++) {
        options.hold[i] = i == index_of("E_inf") ? FIT_DEFAULT : FIT_FIXED;
        options.fixed[i] = preset_for_law("chinchilla")->coefficient[i];
    }
    fit_case_design(&runs, 360, 42);
    fit_case_losses(&runs, chinchilla(), preset_for_law("chinchilla")->coefficient, 0.005, 8);
    for (runs.count = 340; runs.count <= 360; runs.count++) {
        struct fit_outcome got;
        struct fit_profile at;

        fit_case_run(&options, &runs, &got);
        assert_int_equal(profile(&options, &got, "E_inf", 3, &at), ERR_OK);
        assert_near(at.threshold - got.result.objective, 0.5 * at.dispersion * 1.6493 * 1.6493,
                    1e-3);
        assert_int_equal(at.end[0], FIT_PROFILE_CROSSES);
        assert_int_equal(at.end[1], FIT_PROFILE_CROSSES);
        fit_case_release(&got);
    }
}

static void an_interval_ends_at_a_bound_that_the_runs_do_not_exclude(void **state)
{
    struct fit_options options = options_of(ROBUST_SQUARED);
    struct fit_outcome got;
    struct fit_profile at;

    (void)state;
    simulate(0.02, 0.0, 4);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(profile(&options, &got, "E_inf", 11, &at), ERR_OK);
    assert_int_equal(at.end[0], FIT_PROFILE_BOUND);
    assert_true(at.interval[0] == 0.0 && at.value[0] == 0.0);
    assert_int_equal(at.end[1], FIT_PROFILE_CROSSES);
    assert_true(at.interval[1] > got.result.coefficient[index_of("E_inf")]);
    fit_case_release(&got);
}

static void a_fixed_coefficient_has_no_profile(void **state)
{
    struct fit_options options = options_of(ROBUST_SQUARED);
    struct fit_outcome got;
    struct fit_profile at;

    (void)state;
    simulate(0.005, 1.8, 5);
    options.hold[index_of("E_inf")] = FIT_FIXED;
    options.fixed[index_of("E_inf")] = 1.8;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(profile(&options, &got, "E_inf", 11, &at), ERR_INVALID);
    fit_case_release(&got);
}

static bool stop(void *ctx, const struct fit_progress *progress)
{
    size_t *left = ctx;

    assert_true(progress->draws_done <= progress->draws);
    return (*left)-- > 0;
}

static void progress_cancels_a_profile(void **state)
{
    struct fit_options options = options_of(ROBUST_SQUARED);
    struct fit_outcome got;
    struct fit_profile at;

    (void)state;
    simulate(0.005, 1.8, 6);
    fit_case_run(&options, &runs, &got);
    for (size_t after = 0; after < 18; after += 5) {
        size_t left = after;

        options.progress = stop;
        options.progress_ctx = &left;
        assert_int_equal(profile(&options, &got, "alpha", 11, &at), ERR_CANCELLED);
    }
    fit_case_release(&got);
}

/* Every free coefficient of every law that fits its own preset's losses. */
static void every_coefficient_has_a_profile_around_its_value(void **state)
{
    static const char *const laws[] = {"joint", "routed", "sparsity"};

    (void)state;
    for (size_t l = 0; l < 3; l++) {
        const struct law *law = law_find(laws[l]);
        struct fit_options options = fit_options_default(law);
        struct fit_outcome got;

        fit_case_design(&runs, 90, 1);
        fit_case_losses(&runs, law, preset_for_law(law->name)->coefficient, 0.005, 1);
        options.starts = 16;
        fit_case_run(&options, &runs, &got);
        if (got.code != ERR_OK)
            fail_msg("%s: %s", law->name, got.err.detail);
        for (size_t c = 0; c < law->n_coefficients; c++) {
            double value = got.result.coefficient[c];
            struct fit_profile at;
            bool seen = false;

            if (!got.result.is_free[c])
                continue;
            assert_int_equal(fit_profile_run(&options, runs.obs, runs.count, &got.result, c, 5, 0.9,
                                             &got.arena, &at, &got.err),
                             ERR_OK);
            for (size_t i = 0; i < at.n; i++) {
                assert_true(!isnan(at.value[i]) && !isnan(at.objective[i]));
                assert_true(i == 0 || at.value[i] > at.value[i - 1]);
                seen |= at.value[i] == value;
            }
            assert_true(seen);
            assert_true(!(at.interval[0] > value) && !(at.interval[1] < value));
        }
        fit_case_release(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_point_is_what_a_fit_from_scratch_finds),
        cmocka_unit_test(the_ends_of_the_interval_are_where_the_threshold_is_met),
        cmocka_unit_test(a_nearly_linear_fit_has_the_interval_of_its_standard_error),
        cmocka_unit_test(every_number_of_runs_has_its_threshold),
        cmocka_unit_test(an_interval_ends_at_a_bound_that_the_runs_do_not_exclude),
        cmocka_unit_test(a_fixed_coefficient_has_no_profile),
        cmocka_unit_test(progress_cancels_a_profile),
        cmocka_unit_test(every_coefficient_has_a_profile_around_its_value),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
