/* What a fit does with its options, its runs' order and units, and the real runs. */
#include "core/fit.h"

#include <gsl/gsl_errno.h>

#include "core/fit_residual.h"
#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

static const struct law *joint(void)
{
    return law_find("joint");
}

static size_t index_of(const char *name)
{
    return law_coefficient_index(joint(), name);
}

/* 120 runs of J's law with half a percent of noise. */
static void simulate(uint64_t seed)
{
    fit_case_design(&runs, 120, seed);
    fit_case_losses(&runs, joint(), preset_for_law("joint")->coefficient, 0.005, seed);
}

/* The contract's objective, written out here once more. */
static double contract_objective(const struct law *law, const double *coefficients,
                                 const struct fit_case *some)
{
    double sum = 0.0;

    for (size_t i = 0; i < some->count; i++) {
        struct law_x x = law_x_from_obs(&some->obs[i]);
        double r = fabs(log(some->obs[i].loss) - log(law_loss(law, coefficients, &x)));

        sum += some->obs[i].weight * (r <= 1e-3 ? r * r / 2.0 : 1e-3 * (r - 1e-3 / 2.0));
    }
    return sum;
}

static void marin_reaches_the_best_known_objective(void **state)
{
    static const struct {
        const char *law;
        double objective;
    } best[] = {{"chinchilla", 0.0008631725046783}, {"joint", 0.00028998022209}};

    (void)state;
    assert_true(fit_case_read("examples/marin-moe.csv", NULL, NULL, &runs));
    assert_int_equal(runs.count, 64);
    for (size_t b = 0; b < sizeof best / sizeof best[0]; b++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            struct fit_options options = fit_options_default(law_find(best[b].law));
            struct fit_outcome got;

            options.seed = seed;
            fit_case_shuffle(&runs, seed);
            fit_case_run(&options, &runs, &got);
            assert_int_equal(got.code, ERR_OK);
            assert_near(got.result.objective, best[b].objective, 1e-6);
            assert_near(contract_objective(options.law, got.result.coefficient, &runs),
                        got.result.objective, 1e-12);
            assert_string_equal(fit_stop_name(got.result.stop), "converged");
            fit_case_release(&got);
        }
}

static void overtraining_reaches_the_best_known_objectives(void **state)
{
    static const struct {
        const char *data;
        double objective, alpha, beta;
    } best[] = {{"c4_original", 0.00052995413045, 0.25257406, 0.26222923},
                {"rpj", 0.00042651082715, 0.24308449, 0.27300544},
                {"rw_original", 0.00047572550163, 0.22258715, 0.28977290}};

    (void)state;
    for (size_t b = 0; b < sizeof best / sizeof best[0]; b++) {
        struct fit_options options = fit_options_default(law_find("chinchilla"));
        struct fit_outcome got;

        if (!fit_case_shared("overtraining.csv", "tag.dataset", best[b].data, &runs))
            skip();
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        assert_near(got.result.objective, best[b].objective, 1e-6);
        assert_near(got.result.coefficient[law_coefficient_index(options.law, "alpha")],
                    best[b].alpha, 1e-5);
        assert_near(got.result.coefficient[law_coefficient_index(options.law, "beta")],
                    best[b].beta, 1e-5);
        fit_case_release(&got);
    }
}

static void too_few_values_of_experts_pin_the_saturations(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome got;

    (void)state;
    assert_true(fit_case_read("examples/marin-moe.csv", NULL, NULL, &runs));
    fit_case_run(&options, &runs, &got);
    assert_true(got.result.is_pinned[index_of("E_start")]);
    assert_true(got.result.coefficient[index_of("E_start")] == 2.0732);
    assert_true(got.result.coefficient[index_of("E_max")] == 290.4521);
    assert_true(fit_case_warned(&got, "pinned"));
    assert_int_equal(got.result.n_free, 9);
    fit_case_release(&got);
    simulate(1);
    fit_case_run(&options, &runs, &got);
    assert_false(got.result.is_pinned[index_of("E_start")]);
    assert_int_equal(got.result.n_free, 11);
    fit_case_release(&got);
}

static void same_runs_in_any_order_give_the_same_bits(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome first, again;

    (void)state;
    simulate(2);
    fit_case_run(&options, &runs, &first);
    assert_int_equal(first.code, ERR_OK);
    for (uint64_t order = 0; order < 4; order++) {
        fit_case_shuffle(&runs, order);
        fit_case_run(&options, &runs, &again);
        assert_memory_equal(&first.result, &again.result, sizeof first.result);
        fit_case_release(&again);
    }
    fit_case_release(&first);
}

static void units_change_the_amplitudes_and_nothing_else(void **state)
{
    static const double factor[] = {1e-9, 1e-3, 1e6};
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome first, again;

    (void)state;
    simulate(3);
    fit_case_run(&options, &runs, &first);
    for (size_t f = 0; f < sizeof factor / sizeof factor[0]; f++) {
        simulate(3);
        for (size_t i = 0; i < runs.count; i++) {
            runs.obs[i].n_active *= factor[f];
            runs.obs[i].tokens *= factor[f];
            runs.obs[i].n_total *= factor[f];
        }
        fit_case_run(&options, &runs, &again);
        assert_int_equal(again.code, ERR_OK);
        assert_near(again.result.objective, first.result.objective, 1e-9);
        assert_near(again.result.coefficient[index_of("gamma")],
                    first.result.coefficient[index_of("gamma")], 1e-3);
        assert_near(again.result.condition_number, first.result.condition_number, 1e-3);
        fit_case_release(&again);
    }
    fit_case_release(&first);
}

static void weight_two_is_the_run_twice(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome heavy, twice;

    (void)state;
    simulate(4);
    for (size_t i = 0; i < 10; i++)
        runs.obs[i].weight = 2.0;
    fit_case_run(&options, &runs, &heavy);
    for (size_t i = 0; i < 10; i++) {
        runs.obs[i].weight = 1.0;
        runs.obs[runs.count++] = runs.obs[i];
    }
    fit_case_run(&options, &runs, &twice);
    assert_near(heavy.result.objective, twice.result.objective, 1e-9);
    assert_near(heavy.result.coefficient[index_of("alpha")],
                twice.result.coefficient[index_of("alpha")], 1e-6);
    fit_case_release(&heavy);
    fit_case_release(&twice);
}

static void weight_zero_is_no_run(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome with, without;

    (void)state;
    simulate(5);
    fit_case_run(&options, &runs, &without);
    runs.obs[runs.count] = runs.obs[0];
    runs.obs[runs.count].loss *= 3.0;
    runs.obs[runs.count++].weight = 0.0;
    fit_case_run(&options, &runs, &with);
    assert_memory_equal(&with.result, &without.result, sizeof with.result);
    fit_case_release(&with);
    fit_case_release(&without);
}

static void fixed_coefficients_stay_where_they_are(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome got, free_fit;

    (void)state;
    simulate(6);
    fit_case_run(&options, &runs, &free_fit);
    options.hold[index_of("c")] = FIT_FIXED;
    options.fixed[index_of("c")] = 1.25;
    options.hold[index_of("gamma")] = FIT_FIXED;
    options.fixed[index_of("gamma")] = 0.01;
    options.hold[index_of("E_max")] = FIT_FIXED;
    options.fixed[index_of("E_max")] = INFINITY;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(got.result.coefficient[index_of("c")] == 1.25);
    assert_true(got.result.coefficient[index_of("gamma")] == 0.01);
    assert_true(isinf(got.result.coefficient[index_of("E_max")]));
    assert_int_equal(got.result.n_free, 8);
    assert_false(got.result.is_free[index_of("c")]);
    assert_true(got.result.objective >= free_fit.result.objective * (1.0 - 1e-9));
    fit_case_release(&got);
    fit_case_release(&free_fit);
}

static void everything_fixed_is_only_measured(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome got;

    (void)state;
    simulate(7);
    for (size_t i = 0; i < joint()->n_coefficients; i++) {
        options.hold[i] = FIT_FIXED;
        options.fixed[i] = preset_for_law("joint")->coefficient[i];
    }
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_near(got.result.objective,
                contract_objective(joint(), preset_for_law("joint")->coefficient, &runs), 1e-12);
    fit_case_release(&got);
}

static void a_tight_prior_holds_and_a_loose_one_lets_go(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome tight, loose, none;
    size_t alpha = index_of("alpha"), c = index_of("c"), a = index_of("a");

    (void)state;
    simulate(8);
    fit_case_run(&options, &runs, &none);
    options.prior[alpha] = (struct fit_prior){true, -0.25, 1e-5};
    options.prior[a] = (struct fit_prior){true, 80.0, 1e-3};
    options.prior[c] = (struct fit_prior){true, 1.2, 1e3};
    fit_case_run(&options, &runs, &tight);
    assert_near(tight.result.coefficient[alpha], -0.25, 1e-4);
    assert_near(tight.result.coefficient[a], 80.0, 1e-3);
    options.prior[alpha].sd = options.prior[a].sd = options.prior[c].sd = 1e5;
    fit_case_run(&options, &runs, &loose);
    assert_near(loose.result.objective, none.result.objective, 1e-4);
    fit_case_release(&tight);
    fit_case_release(&loose);
    fit_case_release(&none);
}

/* However sure: E_start and E_max bend the valley that such a prior leaves. */
static void a_sure_prior_fits_as_well_as_a_fixed_coefficient(void **state)
{
    static const double sds[] = {1e-4, 1e-6, 1e-8, 1e-10};
    size_t alpha = index_of("alpha");
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome fixed, got;

    (void)state;
    simulate(8);
    options.hold[alpha] = FIT_FIXED;
    options.fixed[alpha] = -0.3;
    fit_case_run(&options, &runs, &fixed);
    assert_int_equal(fixed.code, ERR_OK);
    options.hold[alpha] = FIT_DEFAULT;
    for (size_t k = 0; k < sizeof sds / sizeof *sds; k++) {
        options.prior[alpha] = (struct fit_prior){true, -0.3, sds[k]};
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        assert_near(got.result.objective, fixed.result.objective, 1e-6);
        fit_case_release(&got);
    }
    fit_case_release(&fixed);
}

/* Twelve runs move a published law where eleven free coefficients could not be fitted. */
static void priors_on_everything_let_few_runs_fit(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome got;

    (void)state;
    simulate(9);
    runs.count = 8;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_TOO_FEW_EXPERIMENTS);
    fit_case_release(&got);
    for (size_t i = 0; i < joint()->n_coefficients; i++)
        options.prior[i] =
            (struct fit_prior){true, preset_for_law("joint")->coefficient[i],
                               joint()->coefficients[i].transform == LAW_RECIPROCAL ? 1e-3 : 0.1};
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_near(fit_objective(&options, got.result.coefficient, runs.obs, runs.count),
                got.result.objective, 1e-10);
    assert_true(got.result.objective <= fit_objective(&options,
                                                      preset_for_law("joint")->coefficient,
                                                      runs.obs, runs.count));
    fit_case_release(&got);
}

static bool stop_after(void *ctx, const struct fit_progress *progress)
{
    size_t *calls = ctx;

    (void)progress;
    return ++*calls < 3;
}

static void a_false_from_progress_cancels(void **state)
{
    struct fit_options options = fit_options_default(joint());
    struct fit_outcome got;
    size_t calls = 0;

    (void)state;
    simulate(10);
    options.progress = stop_after;
    options.progress_ctx = &calls;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_CANCELLED);
    assert_int_equal(calls, 3);
    fit_case_release(&got);
}

static void information_criteria_are_the_contracts(void **state)
{
    struct fit_options options = fit_options_default(law_find("chinchilla"));
    struct fit_outcome got;
    double squares = 0.0, n, k = 6.0;

    (void)state;
    simulate(11);
    fit_case_run(&options, &runs, &got);
    n = (double)runs.count;
    for (size_t i = 0; i < runs.count; i++) {
        struct law_x x = law_x_from_obs(&runs.obs[i]);
        double r =
            log(runs.obs[i].loss) - law_response(options.law, got.result.coefficient, &x, NULL);

        squares += r * r;
    }
    assert_near(got.result.bic, n * log(squares / n) + k * log(n), 1e-9);
    assert_near(got.result.aicc,
                n * log(squares / n) + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0), 1e-9);
    assert_near(got.result.rmse_log, sqrt(squares / n), 1e-9);
    fit_case_release(&got);
}

static void residuals_name_the_outlier_and_its_small_say(void **state)
{
    struct fit_options options = fit_options_default(joint());
    static struct fit_residual rows[CASE_RUNS_MAX];
    struct fit_outcome got;

    (void)state;
    simulate(12);
    runs.obs[17].loss *= 1.5;
    fit_case_run(&options, &runs, &got);
    fit_residuals(joint(), got.result.coefficient, &options.robust, runs.obs, runs.count, rows);
    assert_true(rows[17].outlier);
    assert_true(rows[17].effective_weight < 0.01);
    assert_near(rows[17].residual, log(1.5), 0.1);
    for (size_t i = 0; i < runs.count; i++)
        assert_near(rows[i].predicted * exp(rows[i].residual), runs.obs[i].loss, 1e-12);
    fit_case_release(&got);
}

static void ranges_are_those_of_the_variables_read(void **state)
{
    struct fit_options options = fit_options_default(law_find("chinchilla"));
    struct fit_outcome got;
    double least = INFINITY, most = 0;

    (void)state;
    simulate(13);
    fit_case_run(&options, &runs, &got);
    for (size_t i = 0; i < runs.count; i++) {
        double ratio = runs.obs[i].tokens / runs.obs[i].n_active;

        least = fmin(least, ratio);
        most = fmax(most, ratio);
        assert_true(runs.obs[i].tokens >= got.result.range[LAW_TOKENS].min);
        assert_true(runs.obs[i].tokens <= got.result.range[LAW_TOKENS].max);
    }
    assert_true(isnan(got.result.range[LAW_EXPERTS].min));
    assert_near(got.result.range[LAW_TOKENS_PER_ACTIVE_PARAM].min, least, 0);
    assert_near(got.result.range[LAW_TOKENS_PER_ACTIVE_PARAM].max, most, 0);
    fit_case_release(&got);
}

/* Each variable that a law passes over is its own warning, and none where there is one value. */
static void what_the_law_does_not_read_and_varies_is_warned_of(void **state)
{
    struct fit_options options = fit_options_default(law_find("routed"));
    struct fit_outcome got;

    (void)state;
    fit_case_design(&runs, 60, 3);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].granularity = 1.0;
    fit_case_losses(&runs, options.law, preset_for_law("routed")->coefficient, 0.005, 3);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(fit_case_warned(&got, "tokens_vary"));
    assert_false(fit_case_warned(&got, "experts_vary"));
    assert_false(fit_case_warned(&got, "granularity_varies"));
    fit_case_release(&got);

    options = fit_options_default(law_find("chinchilla"));
    runs.obs[0].granularity = 2.0;
    fit_case_losses(&runs, options.law, preset_for_law("chinchilla")->coefficient, 0.005, 3);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_false(fit_case_warned(&got, "tokens_vary"));
    assert_true(fit_case_warned(&got, "experts_vary"));
    assert_true(fit_case_warned(&got, "granularity_varies"));
    fit_case_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marin_reaches_the_best_known_objective),
        cmocka_unit_test(overtraining_reaches_the_best_known_objectives),
        cmocka_unit_test(too_few_values_of_experts_pin_the_saturations),
        cmocka_unit_test(same_runs_in_any_order_give_the_same_bits),
        cmocka_unit_test(units_change_the_amplitudes_and_nothing_else),
        cmocka_unit_test(weight_two_is_the_run_twice),
        cmocka_unit_test(weight_zero_is_no_run),
        cmocka_unit_test(fixed_coefficients_stay_where_they_are),
        cmocka_unit_test(everything_fixed_is_only_measured),
        cmocka_unit_test(a_tight_prior_holds_and_a_loose_one_lets_go),
        cmocka_unit_test(a_sure_prior_fits_as_well_as_a_fixed_coefficient),
        cmocka_unit_test(priors_on_everything_let_few_runs_fit),
        cmocka_unit_test(a_false_from_progress_cancels),
        cmocka_unit_test(information_criteria_are_the_contracts),
        cmocka_unit_test(residuals_name_the_outlier_and_its_small_say),
        cmocka_unit_test(ranges_are_those_of_the_variables_read),
        cmocka_unit_test(what_the_law_does_not_read_and_varies_is_warned_of),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
