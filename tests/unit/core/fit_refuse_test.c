/* What a fit refuses, by name, and what it survives. */
#include <gsl/gsl_errno.h>

#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

static void simulate(const char *law_name, size_t count, uint64_t seed)
{
    fit_case_design(&runs, count, seed);
    fit_case_losses(&runs, law_find(law_name), preset_for_law(law_name)->coefficient, 0.005, seed);
}

/* Relabels the losses so that they fit the runs as they are now. */
static void relabel(const char *law_name)
{
    fit_case_losses(&runs, law_find(law_name), preset_for_law(law_name)->coefficient, 0.005, 1);
}

/* The value a field proposes: the last number of '("fixed": {"beta": 0.36})'. */
static double proposed(const struct fit_outcome *got, const char *name)
{
    const struct err_field *field = got->err.first;
    const char *colon;

    while (strcmp(field->name, name) != 0)
        field = field->next;
    colon = strrchr(field->detail, ':');
    assert_non_null(colon);
    return strtod(colon + 1, NULL);
}

/* A refusal lists a field per coefficient; fixing those as it proposes cures it. */
static void assert_refused_and_cured(const char *law_name, enum err_code code, const char *field)
{
    const struct law *law = law_find(law_name);
    struct fit_options options = fit_options_default(law);
    struct fit_outcome got;

    fit_case_run(&options, &runs, &got);
    if (got.code != code || !fit_case_has_field(&got, field))
        print_error("%s: %s %s\n", law_name, err_name(got.code), got.err.detail);
    assert_int_equal(got.code, code);
    assert_true(fit_case_has_field(&got, field));
    for (size_t i = 0; i < law->n_coefficients; i++) {
        char pointer[64];

        (void)snprintf(pointer, sizeof pointer, "/fixed/%s", law->coefficients[i].name);
        if (!fit_case_has_field(&got, pointer))
            continue;
        options.hold[i] = FIT_FIXED;
        options.fixed[i] = proposed(&got, pointer);
    }
    fit_case_release(&got);
    fit_case_run(&options, &runs, &got);
    if (got.code != ERR_OK)
        print_error("not cured: %s %s\n", err_name(got.code), got.err.detail);
    assert_int_equal(got.code, ERR_OK);
    assert_true(isfinite(got.result.objective));
    fit_case_release(&got);
}

static void one_value_of_experts_is_refused_by_name(void **state)
{
    (void)state;
    simulate("joint", 60, 1);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].experts = 8.0;
    relabel("joint");
    assert_refused_and_cured("joint", ERR_NOT_IDENTIFIABLE, "/fixed/delta");
}

static void one_granularity_is_refused_by_name(void **state)
{
    (void)state;
    simulate("joint-granular", 80, 2);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].granularity = 4.0;
    relabel("joint-granular");
    assert_refused_and_cured("joint-granular", ERR_NOT_IDENTIFIABLE, "/fixed/phi");
    relabel("fine-grained");
    assert_refused_and_cured("fine-grained", ERR_NOT_IDENTIFIABLE, "/fixed/gamma");
}

static void one_number_of_tokens_is_refused_by_name(void **state)
{
    (void)state;
    simulate("chinchilla", 40, 3);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].tokens = 1e10;
    relabel("chinchilla");
    assert_refused_and_cured("chinchilla", ERR_NOT_IDENTIFIABLE, "/fixed/beta");
}

static void one_size_is_refused_by_name(void **state)
{
    (void)state;
    simulate("joint", 60, 4);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].n_active = 1e9;
    relabel("joint");
    assert_refused_and_cured("joint", ERR_NOT_IDENTIFIABLE, "/fixed/alpha");
}

static void one_ratio_of_tokens_to_parameters_is_refused_by_name(void **state)
{
    struct fit_options options = fit_options_default(law_find("chinchilla"));
    struct fit_outcome got;

    (void)state;
    simulate("chinchilla", 40, 5);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].tokens = 20.0 * runs.obs[i].n_active;
    relabel("chinchilla");
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_NOT_IDENTIFIABLE);
    assert_true(fit_case_has_field(&got, "/fixed/beta"));
    assert_true(fit_case_has_field(&got, "/fixed/alpha"));
    assert_non_null(strstr(got.err.first->detail, "tokens"));
    options.hold[law_coefficient_index(options.law, "beta")] = FIT_FIXED;
    options.fixed[law_coefficient_index(options.law, "beta")] = proposed(&got, "/fixed/beta");
    fit_case_release(&got);
    assert_near(options.fixed[law_coefficient_index(options.law, "beta")], 0.36585412, 1e-5);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(fit_case_warned(&got, "collinear_n_d"));
    fit_case_release(&got);
}

/* An exponent of 0 would make a second floor of a term that its amplitude
 * holds up. */
static void an_exponent_under_a_held_amplitude_is_proposed_as_published(void **state)
{
    const struct law *law = law_find("chinchilla");
    size_t amplitude = law_coefficient_index(law, "A"), e_inf = law_coefficient_index(law, "E_inf");

    (void)state;
    simulate("chinchilla", 40, 4);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].n_active = 1e9;
    relabel("chinchilla");
    for (int by_prior = 0; by_prior < 2; by_prior++) {
        struct fit_options options = fit_options_default(law);
        struct fit_outcome got;

        if (by_prior) {
            options.prior[amplitude] = (struct fit_prior){true, 482.0, 0.1};
        } else {
            options.hold[amplitude] = FIT_FIXED;
            options.fixed[amplitude] = 482.0;
        }
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_NOT_IDENTIFIABLE);
        assert_int_equal(got.err.n_fields, 1);
        assert_near(proposed(&got, "/fixed/alpha"), 0.34781303, 1e-5);
        fit_case_release(&got);
        options.hold[law_coefficient_index(law, "alpha")] = FIT_FIXED;
        options.fixed[law_coefficient_index(law, "alpha")] = 0.34781303;
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        assert_near(got.result.coefficient[e_inf], 1.81686, 0.05);
        fit_case_release(&got);
    }
}

/* kappa·(G^−phi) bends nothing when either is 0, whatever the runs are. */
static void what_another_takes_away_is_to_be_fixed_too(void **state)
{
    static const char *const pairs[][2] = {{"kappa", "phi"}, {"phi", "kappa"}};
    const struct law *law = law_find("joint-granular");

    (void)state;
    simulate("joint-granular", 80, 5);
    for (size_t p = 0; p < 2; p++) {
        size_t zero = law_coefficient_index(law, pairs[p][0]);
        size_t idle = law_coefficient_index(law, pairs[p][1]);
        struct fit_options options = fit_options_default(law);
        struct fit_outcome got;
        char pointer[64];

        (void)snprintf(pointer, sizeof pointer, "/fixed/%s", pairs[p][1]);
        options.hold[zero] = FIT_FIXED;
        options.fixed[zero] = 0.0;
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_NOT_IDENTIFIABLE);
        assert_int_equal(got.err.n_fields, 1);
        assert_non_null(strstr(got.err.first->detail, "no effect"));
        assert_null(strstr(got.err.first->detail, "add runs"));
        options.hold[idle] = FIT_FIXED;
        options.fixed[idle] = proposed(&got, pointer);
        fit_case_release(&got);
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        fit_case_release(&got);
    }
}

/* Where the size never varied its term is a constant, which the search cannot tell from the floor:
 * the priors alone say how much of it there is. */
static void priors_identify_a_term_whose_variable_never_varied(void **state)
{
    const struct law *law = law_find("chinchilla");
    struct fit_options options = fit_options_default(law);
    struct fit_outcome got;

    (void)state;
    simulate("chinchilla", 40, 4);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].n_active = 1e9;
    relabel("chinchilla");
    options.prior[law_coefficient_index(law, "A")] = (struct fit_prior){true, 600.0, 0.01};
    options.prior[law_coefficient_index(law, "alpha")] = (struct fit_prior){true, 0.35, 0.001};
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_near(got.result.coefficient[law_coefficient_index(law, "A")], 600.0, 1e-3);
    assert_near(got.result.coefficient[law_coefficient_index(law, "alpha")], 0.35, 1e-3);
    /* 600/1e9^0.35 against the 482/1e9^0.3478 the runs were made with. */
    assert_near(got.result.coefficient[law_coefficient_index(law, "E_inf")],
                1.81686 + 482.00572 * pow(1e9, -0.34781303) - 600 * pow(1e9, -0.35), 0.05);
    fit_case_release(&got);
}

/* Two values of D: power, amplitude and floor are one number too many. */
static void two_numbers_of_tokens_cannot_bend_a_power(void **state)
{
    (void)state;
    simulate("chinchilla", 40, 6);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].tokens = i % 2 == 0 ? 1e10 : 4e10;
    relabel("chinchilla");
    assert_refused_and_cured("chinchilla", ERR_NOT_IDENTIFIABLE, "/fixed/beta");
}

static void all_runs_equal_are_refused_naming_everything(void **state)
{
    struct fit_options options = fit_options_default(law_find("joint"));
    struct fit_outcome got;

    (void)state;
    simulate("joint", 40, 7);
    for (size_t i = 1; i < runs.count; i++)
        runs.obs[i] = runs.obs[0];
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_NOT_IDENTIFIABLE);
    assert_true(fit_case_has_field(&got, "/fixed/alpha"));
    assert_true(fit_case_has_field(&got, "/fixed/beta"));
    assert_true(fit_case_has_field(&got, "/fixed/delta"));
    fit_case_release(&got);
}

static void too_few_runs_are_counted(void **state)
{
    struct fit_options options = fit_options_default(law_find("joint"));
    struct fit_outcome got;

    (void)state;
    for (size_t count = 0; count <= 11; count++) {
        simulate("joint", count, 8);
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_TOO_FEW_EXPERIMENTS);
        fit_case_release(&got);
    }
    simulate("joint", 16, 8);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(fit_case_warned(&got, "too_few_configurations"));
    fit_case_release(&got);
}

static void duplicated_rows_are_not_more_configurations(void **state)
{
    struct fit_options options = fit_options_default(law_find("chinchilla"));
    struct fit_outcome got;

    (void)state;
    simulate("chinchilla", 5, 9);
    for (size_t i = 5; i < 50; i++)
        runs.obs[i] = runs.obs[i % 5];
    runs.count = 50;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_TOO_FEW_EXPERIMENTS);
    assert_non_null(strstr(got.err.detail, "5 different"));
    fit_case_release(&got);
}

static void runs_without_the_total_are_named_by_row(void **state)
{
    struct fit_options options = fit_options_default(law_find("fine-grained"));
    struct fit_outcome got;

    (void)state;
    simulate("fine-grained", 30, 10);
    runs.obs[4].n_total = NAN;
    runs.obs[20].n_total = NAN;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_INVALID);
    assert_int_equal(got.err.n_fields, 2);
    assert_string_equal(got.err.first->name, "n_total");
    assert_int_equal(got.err.first->row, 5);
    assert_int_equal(got.err.last->row, 21);
    fit_case_release(&got);
    runs.obs[4].weight = runs.obs[20].weight = 0.0;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    fit_case_release(&got);
}

static void a_fixed_value_out_of_bounds_is_refused(void **state)
{
    struct fit_options options = fit_options_default(law_find("joint"));
    size_t e_start = law_coefficient_index(options.law, "E_start");
    struct fit_outcome got;

    (void)state;
    simulate("joint", 60, 11);
    options.hold[e_start] = FIT_FIXED;
    options.fixed[e_start] = 0.5;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_INVALID);
    assert_true(fit_case_has_field(&got, "/fixed/E_start"));
    fit_case_release(&got);
}

/* Every number of a result that is meant to be one. */
static void assert_numbers(const struct fit_outcome *got)
{
    const struct fit_result *r = &got->result;

    assert_true(isfinite(r->objective) && isfinite(r->rmse_log) && isfinite(r->mae_log));
    assert_true(isfinite(r->bic) && !isnan(r->condition_number));
    for (size_t i = 0; i < r->law->n_coefficients; i++)
        assert_true(!isnan(r->coefficient[i]));
}

static void a_gross_outlier_hardly_moves_the_fit(void **state)
{
    static const double factor[] = {1e-3, 1e3, 1e-300};
    struct fit_options options = fit_options_default(law_find("joint"));
    size_t alpha = law_coefficient_index(options.law, "alpha");
    struct fit_outcome clean, dirty;

    (void)state;
    for (size_t f = 0; f < sizeof factor / sizeof factor[0]; f++) {
        simulate("joint", 120, 12);
        fit_case_run(&options, &runs, &clean);
        runs.obs[33].loss *= factor[f];
        fit_case_run(&options, &runs, &dirty);
        assert_int_equal(dirty.code, ERR_OK);
        assert_numbers(&dirty);
        assert_true(fabs(dirty.result.coefficient[alpha] - clean.result.coefficient[alpha]) < 0.05);
        assert_true(fit_case_warned(&dirty, "outliers"));
        fit_case_release(&clean);
        fit_case_release(&dirty);
    }
}

/* One extreme value in each field: an answer or a refusal, never a NAN, a hang or a crash. */
static void extreme_values_are_refused_or_fitted(void **state)
{
    static const double extreme[] = {1e-300, 1e300, 1e-308, 1.7e308};
    static const char *const names[] = {"joint", "chinchilla", "fine-grained"};

    (void)state;
    for (size_t l = 0; l < 3; l++)
        for (size_t e = 0; e < 4; e++)
            for (int field = 0; field < 3; field++)
                for (int all = 0; all < 2; all++) {
                    struct fit_options options = fit_options_default(law_find(names[l]));
                    struct fit_outcome got;

                    options.starts = 8; /* what is refused or survived asks no more */
                    simulate(names[l], 40, 13);
                    for (size_t i = 0; i < (all == 1 ? runs.count : 1); i++) {
                        struct obs *obs = &runs.obs[i];
                        double scale = all == 1 ? 1.0 + 0.1 * (double)i / (double)runs.count : 1.0;

                        if (field == 0)
                            obs->n_active = obs->n_total = extreme[e] / scale;
                        if (field == 1)
                            obs->tokens = extreme[e] / scale;
                        if (field == 2)
                            obs->loss = extreme[e] / scale;
                    }
                    fit_case_run(&options, &runs, &got);
                    if (got.code == ERR_OK)
                        assert_numbers(&got);
                    else
                        assert_true(got.err.detail[0] != '\0');
                    fit_case_release(&got);
                }
}

/* Losses that fall faster than any floor allows. */
static void a_loss_below_any_floor_is_fitted_with_a_warning(void **state)
{
    struct fit_options options = fit_options_default(law_find("chinchilla"));
    struct fit_outcome got;

    (void)state;
    simulate("chinchilla", 60, 14);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].loss =
            4.0 - 0.35 * log10(runs.obs[i].n_active / 1e6) - 0.3 * log10(runs.obs[i].tokens / 1e8);
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_numbers(&got);
    assert_true(fit_case_warned(&got, "at_bound"));
    fit_case_release(&got);
}

/* Three values of E cannot hold two saturations: freed, they run to a bound, which is said. */
static void marin_with_everything_free_ends_with_a_warning(void **state)
{
    struct fit_options options = fit_options_default(law_find("joint"));
    struct fit_outcome got;

    (void)state;
    assert_true(fit_case_read("examples/marin-moe.csv", NULL, NULL, &runs));
    options.hold[law_coefficient_index(options.law, "E_start")] = FIT_FREE;
    options.hold[law_coefficient_index(options.law, "E_max")] = FIT_FREE;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_numbers(&got);
    assert_true(fit_case_warned(&got, "at_bound") || fit_case_warned(&got, "not_determined"));
    assert_true(got.result.objective < 0.000286);
    fit_case_release(&got);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_value_of_experts_is_refused_by_name),
        cmocka_unit_test(one_granularity_is_refused_by_name),
        cmocka_unit_test(one_number_of_tokens_is_refused_by_name),
        cmocka_unit_test(one_size_is_refused_by_name),
        cmocka_unit_test(one_ratio_of_tokens_to_parameters_is_refused_by_name),
        cmocka_unit_test(an_exponent_under_a_held_amplitude_is_proposed_as_published),
        cmocka_unit_test(what_another_takes_away_is_to_be_fixed_too),
        cmocka_unit_test(priors_identify_a_term_whose_variable_never_varied),
        cmocka_unit_test(two_numbers_of_tokens_cannot_bend_a_power),
        cmocka_unit_test(all_runs_equal_are_refused_naming_everything),
        cmocka_unit_test(too_few_runs_are_counted),
        cmocka_unit_test(duplicated_rows_are_not_more_configurations),
        cmocka_unit_test(runs_without_the_total_are_named_by_row),
        cmocka_unit_test(a_fixed_value_out_of_bounds_is_refused),
        cmocka_unit_test(a_gross_outlier_hardly_moves_the_fit),
        cmocka_unit_test(extreme_values_are_refused_or_fitted),
        cmocka_unit_test(a_loss_below_any_floor_is_fitted_with_a_warning),
        cmocka_unit_test(marin_with_everything_free_ends_with_a_warning),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
