/* Draws, intervals and the held-out check. */
#include <gsl/gsl_errno.h>

#include "core/fit_interval.h"
#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

static const struct law *chinchilla(void)
{
    return law_find("chinchilla");
}

/* 100 log-uniform runs of B's law. */
static void simulate(double noise, uint64_t seed)
{
    fit_case_design(&runs, 100, 42);
    fit_case_losses(&runs, chinchilla(), preset_for_law("chinchilla")->coefficient, noise, seed);
}

static void draws_are_the_same_made_whole_or_in_parts(void **state)
{
    struct fit_options options = fit_options_default(law_find("joint"));
    struct fit_outcome got;
    size_t width = options.law->n_coefficients;
    double *parts = calloc(40 * width, sizeof *parts);

    (void)state;
    assert_non_null(parts);
    fit_case_design(&runs, 90, 1);
    fit_case_losses(&runs, options.law, preset_for_law("joint")->coefficient, 0.005, 1);
    options.bootstrap = 40;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_int_equal(got.result.n_draws, 40);
    fit_case_shuffle(&runs, 5);
    assert_int_equal(ERR_OK, fit_draws(&options, runs.obs, runs.count, &got.result, 25, 15,
                                       parts + 25 * width, &got.err));
    assert_int_equal(
        ERR_OK, fit_draws(&options, runs.obs, runs.count, &got.result, 0, 25, parts, &got.err));
    assert_memory_equal(parts, got.result.draws, 40 * width * sizeof *parts);
    free(parts);
    fit_case_release(&got);
}

/* 90 % intervals over 60 simulated studies: fewer than 45 or all 60 would each be a chance below
 * one in a thousand. The full check, 400 studies of both kinds, is in the benchmark. */
static void intervals_cover_the_truth_as_often_as_they_say(void **state)
{
    enum { STUDIES = 60, DRAWS = 100 };
    static const struct obs dear = {
        .n_active = 3e10, .tokens = 1e12, .experts = 1.0, .granularity = 1.0, .n_total = 3e10};
    const double *truth = preset_for_law("chinchilla")->coefficient;
    size_t covered[3] = {0}, c = law_coefficient_index(chinchilla(), "E_inf");
    size_t alpha = law_coefficient_index(chinchilla(), "alpha");
    struct law_x x = law_x_from_obs(&dear);
    double expected = law_loss(chinchilla(), truth, &x);

    (void)state;
    for (uint64_t study = 0; study < STUDIES; study++) {
        struct fit_options options = fit_options_default(chinchilla());
        double scratch[DRAWS], mean[2], run[2];
        struct fit_outcome got;

        options.bootstrap = DRAWS;
        simulate(0.005, study);
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        covered[0] +=
            truth[c] >= got.result.interval[c][0] && truth[c] <= got.result.interval[c][1];
        covered[1] += truth[alpha] >= got.result.interval[alpha][0] &&
                      truth[alpha] <= got.result.interval[alpha][1];
        fit_interval_loss(chinchilla(), got.result.coefficient, got.result.draws, DRAWS, &x,
                          got.result.noise_log, 0.9, scratch, mean, run);
        covered[2] += expected >= mean[0] && expected <= mean[1];
        assert_true(run[0] < mean[0] && run[1] > mean[1]);
        fit_case_release(&got);
    }
    for (size_t i = 0; i < 3; i++)
        assert_in_range(covered[i], 45, STUDIES - 1);
}

static void few_configurations_are_drawn_by_their_residuals(void **state)
{
    struct fit_options options = fit_options_default(chinchilla());
    struct fit_outcome got;

    (void)state;
    simulate(0.005, 3);
    runs.count = 12; /* fewer than three configurations a coefficient */
    options.bootstrap = 60;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    for (size_t i = 0; i < chinchilla()->n_coefficients; i++)
        assert_true(got.result.interval[i][0] < got.result.interval[i][1]);
    fit_case_release(&got);
}

/* Fourteen configurations of five coefficients, each four times: the residuals of few are small,
 * which draws make up for. As above, one in a thousand below 70 % if 88 % hold; 60 % did when only
 * the number of runs was made up for. */
static void intervals_of_few_configurations_are_not_too_narrow(void **state)
{
    enum { STUDIES = 60, FEW = 14, TIMES = 4 };
    size_t alpha = law_coefficient_index(chinchilla(), "alpha"), covered = 0;
    double truth = preset_for_law("chinchilla")->coefficient[alpha];

    (void)state;
    for (uint64_t study = 0; study < STUDIES; study++) {
        struct fit_options options = fit_options_default(chinchilla());
        struct fit_outcome got;

        options.bootstrap = 100;
        options.robust.kind = ROBUST_SQUARED;
        fit_case_design(&runs, FEW, study);
        for (size_t i = FEW; i < FEW * TIMES; i++)
            runs.obs[i] = runs.obs[i % FEW];
        runs.count = FEW * TIMES;
        fit_case_losses(&runs, chinchilla(), preset_for_law("chinchilla")->coefficient, 0.008,
                        study);
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        assert_true(fit_case_warned(&got, "too_few_configurations"));
        covered += truth >= got.result.interval[alpha][0] && truth <= got.result.interval[alpha][1];
        fit_case_release(&got);
    }
    assert_in_range(covered, 46, STUDIES);
}

static void fixed_coefficients_have_no_interval(void **state)
{
    struct fit_options options = fit_options_default(chinchilla());
    size_t c = law_coefficient_index(chinchilla(), "E_inf");
    struct fit_outcome got;

    (void)state;
    simulate(0.005, 4);
    options.hold[c] = FIT_FIXED;
    options.fixed[c] = 1.8;
    options.bootstrap = 20;
    fit_case_run(&options, &runs, &got);
    assert_true(isnan(got.result.interval[c][0]));
    assert_true(isnan(got.result.standard_error[c]));
    assert_true(got.result.draws[c] == 1.8);
    fit_case_release(&got);
}

static void quantiles_of_a_known_sample(void **state)
{
    double values[101], interval[2];

    (void)state;
    for (size_t i = 0; i <= 100; i++)
        values[i] = (double)((i * 37) % 101);
    fit_interval_of(values, 101, 0.9, interval);
    assert_near(interval[0], 5.0, 1e-12);
    assert_near(interval[1], 95.0, 1e-12);
    values[99] = values[100] = INFINITY;
    fit_interval_of(values, 101, 0.99, interval);
    assert_true(isinf(interval[1]) && isfinite(interval[0]));
    fit_interval_of(values, 0, 0.9, interval);
    assert_true(isnan(interval[0]));
}

static void the_dear_runs_are_predicted_from_the_cheap(void **state)
{
    struct fit_options options = fit_options_default(chinchilla());
    struct fit_outcome got, cheap;
    double squares = 0.0, worst = 0.0;
    size_t dear = 0;

    (void)state;
    simulate(0.005, 5);
    options.holdout_kind = FIT_HOLDOUT_MIN_FLOPS;
    options.holdout = 1e20;
    options.bootstrap = 50;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    options.holdout_kind = FIT_HOLDOUT_NONE;
    options.bootstrap = 0;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].weight = obs_flops(&runs.obs[i]) < 1e20 ? 1.0 : 0.0;
    fit_case_run(&options, &runs, &cheap);
    for (size_t i = 0; i < runs.count; i++) {
        struct law_x x = law_x_from_obs(&runs.obs[i]);
        double r = log(runs.obs[i].loss / law_loss(chinchilla(), cheap.result.coefficient, &x));

        if (runs.obs[i].weight > 0.0)
            continue;
        dear++;
        squares += r * r;
        worst = fmax(worst, fabs(r));
    }
    assert_int_equal(got.result.holdout.points, dear);
    assert_near(got.result.holdout.rmse_log, sqrt(squares / (double)dear), 1e-9);
    assert_near(got.result.holdout.max_abs_log, worst, 1e-9);
    assert_true(got.result.holdout.min_flops >= 1e20);
    assert_true(got.result.holdout.coverage > 0.7);
    fit_case_release(&got);
    fit_case_release(&cheap);
}

static void a_holdout_that_leaves_too_little_is_a_warning(void **state)
{
    struct fit_options options = fit_options_default(chinchilla());
    struct fit_outcome got;

    (void)state;
    simulate(0.005, 6);
    options.holdout_kind = FIT_HOLDOUT_FRACTION;
    options.holdout = 0.97;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_int_equal(got.result.holdout.points, 0);
    assert_true(fit_case_warned(&got, "holdout_failed"));
    fit_case_release(&got);
    options.holdout_kind = FIT_HOLDOUT_MIN_FLOPS;
    options.holdout = 1e30;
    fit_case_run(&options, &runs, &got);
    assert_true(fit_case_warned(&got, "holdout_empty"));
    fit_case_release(&got);
}

/* Granularity never varies, so that priors alone tell kappa and phi. An sd stands beside residuals
 * as they are: its errors are so many times theirs. */
static void what_a_prior_alone_tells_is_as_uncertain_as_it_says(void **state)
{
    static const char *const names[] = {"kappa", "phi"};
    const struct law *law = law_find("joint-granular");
    struct fit_options options = fit_options_default(law);
    const double *published = preset_for_law("joint-granular")->coefficient;

    (void)state;
    for (size_t design = 0; design < 2; design++) { /* draws of weights, and of residuals */
        static const size_t counts[] = {200, 20};
        struct fit_outcome got;

        fit_case_design(&runs, counts[design], 3);
        for (size_t i = 0; i < runs.count; i++)
            runs.obs[i].granularity = 1.0;
        fit_case_losses(&runs, law, published, 0.005, 3);
        options.robust.kind = ROBUST_SQUARED;
        options.bootstrap = 1000;
        for (size_t k = 0; k < 2; k++) {
            size_t i = law_coefficient_index(law, names[k]);

            options.prior[i] = (struct fit_prior){true, published[i], 0.5};
        }
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        for (size_t k = 0; k < 2; k++) {
            size_t i = law_coefficient_index(law, names[k]);
            const enum law_transform transform = law->coefficients[i].transform;
            double noise =
                sqrt(2.0 * got.result.objective / (double)(runs.count + 2 - got.result.n_free));
            double width = law_to_transform(transform, got.result.interval[i][1]) -
                           law_to_transform(transform, got.result.interval[i][0]);

            assert_near(got.result.coefficient[i], published[i], 1e-6);
            assert_near(width, 2.0 * 1.645 * 0.5 * noise, 0.12);
        }
        fit_case_release(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_are_the_same_made_whole_or_in_parts),
        cmocka_unit_test(intervals_cover_the_truth_as_often_as_they_say),
        cmocka_unit_test(few_configurations_are_drawn_by_their_residuals),
        cmocka_unit_test(intervals_of_few_configurations_are_not_too_narrow),
        cmocka_unit_test(what_a_prior_alone_tells_is_as_uncertain_as_it_says),
        cmocka_unit_test(fixed_coefficients_have_no_interval),
        cmocka_unit_test(quantiles_of_a_known_sample),
        cmocka_unit_test(the_dear_runs_are_predicted_from_the_cheap),
        cmocka_unit_test(a_holdout_that_leaves_too_little_is_a_warning),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
