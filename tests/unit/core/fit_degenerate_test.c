/* Every law on every degenerate study, with options of every kind by turns: a refusal that says
 * why, or a fit made of numbers that says what is wrong with it; soon. */
#include <gsl/gsl_errno.h>
#include <time.h>

#include "tests/unit/core/fit_cases.h"

enum { RUNS = 40, TURNS = 11 /* every law meets an option on one study in so many */ };

/* Sanitizers and a busy machine take their share. */
static const double patience_cpu_s = 30.0;

static struct fit_case runs;

/* Degenerate studies: each spoils a healthy one of the law's. */

static void two_runs(const struct law *law)
{
    (void)law;
    runs.count = 2;
}

static void all_equal(const struct law *law)
{
    (void)law;
    for (size_t i = 1; i < runs.count; i++)
        runs.obs[i] = runs.obs[0];
}

static void one_size(const struct law *law)
{
    (void)law;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].n_active = runs.obs[i].n_total = 1e9;
}

static void one_expansion(const struct law *law)
{
    (void)law;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].experts = 8.0;
}

static void one_number_of_tokens(const struct law *law)
{
    (void)law;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].tokens = 2e10;
}

static void one_granularity(const struct law *law)
{
    (void)law;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].granularity = 4.0;
}

static void twenty_tokens_a_parameter(const struct law *law)
{
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].tokens =
            20.0 * (law->size_variable == LAW_N_TOTAL ? runs.obs[i].n_total : runs.obs[i].n_active);
}

static void below_any_floor(const struct law *law)
{
    (void)law;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].loss =
            4.0 - 0.45 * log10(runs.obs[i].n_active / 1e6) - 0.35 * log10(runs.obs[i].tokens / 1e8);
}

static void a_gross_outlier(const struct law *law)
{
    (void)law;
    runs.obs[7].loss *= 1e3;
}

static void duplicated_rows(const struct law *law)
{
    (void)law;
    for (size_t i = 5; i < runs.count; i++)
        runs.obs[i] = runs.obs[i % 5];
}

static void no_floor(const struct law *law)
{
    double planted[LAW_MAX_COEFFICIENTS];

    memcpy(planted, preset_for_law(law->name)->coefficient, sizeof planted);
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (law->coefficients[i].role == LAW_AMPLITUDE && law->coefficients[i].needs == 0)
            planted[i] = 0.0;
    fit_case_losses(&runs, law, planted, 0.001, 5);
}

static void losses_all_alike(const struct law *law)
{
    (void)law;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].loss = 3.0;
}

static void losses_that_rise(const struct law *law)
{
    (void)law;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].loss = 0.1 * log(runs.obs[i].n_active) + 0.1 * log(runs.obs[i].tokens);
}

/* Few of them: nothing agrees, so that every search there is goes to its end. */
static void losses_by_chance(const struct law *law)
{
    struct rng rng = rng_stream(9, 9);

    (void)law;
    runs.count = 24;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].loss = exp(4.0 * rng_uniform(&rng));
}

static const struct spoiler {
    const char *name;
    void (*spoil)(const struct law *law);
    /* What a law that reads all of `reads` makes of it at the defaults. */
    unsigned reads;
    bool refused;
    const char *warned; /* or NULL */
} spoilers[] = {
    {"two runs", two_runs, 0, true, NULL},
    {"all equal", all_equal, 0, true, NULL},
    {"one size", one_size, 0, true, NULL},
    {"one expansion", one_expansion, 1u << LAW_EXPERTS, true, NULL},
    {"one number of tokens", one_number_of_tokens, 1u << LAW_TOKENS, true, NULL},
    {"one granularity", one_granularity, 1u << LAW_GRANULARITY, true, NULL},
    {"twenty tokens a parameter", twenty_tokens_a_parameter, 1u << LAW_TOKENS, true, NULL},
    {"below any floor", below_any_floor, 1u << LAW_TOKENS, false, "at_bound"},
    {"a gross outlier", a_gross_outlier, 0, false, "outliers"},
    {"duplicated rows", duplicated_rows, 0, true, NULL},
    {"no floor", no_floor, 0, false, NULL},
    {"losses all alike", losses_all_alike, 0, false, "not_determined"},
    {"losses that rise", losses_that_rise, 0, false, NULL},
    {"losses by chance", losses_by_chance, 0, false, NULL},
};
enum { SPOILERS = sizeof spoilers / sizeof spoilers[0] };

/* Options: each changes the defaults, and the runs' weights where it is about those. */

static void defaults(struct fit_options *options)
{
    (void)options;
}

static void everything_free(struct fit_options *options)
{
    for (size_t i = 0; i < options->law->n_coefficients; i++)
        options->hold[i] = FIT_FREE;
}

static void least_squares(struct fit_options *options)
{
    options->robust.kind = ROBUST_SQUARED;
}

static void near_l1(struct fit_options *options)
{
    options->robust.delta = 1e-9;
}

static void one_start(struct fit_options *options)
{
    options->starts = 1;
}

static void first_fixed(struct fit_options *options)
{
    options->hold[0] = FIT_FIXED;
    options->fixed[0] = preset_for_law(options->law->name)->coefficient[0];
}

static void all_fixed(struct fit_options *options)
{
    for (size_t i = 0; i < options->law->n_coefficients; i++) {
        options->hold[i] = FIT_FIXED;
        options->fixed[i] = preset_for_law(options->law->name)->coefficient[i];
    }
}

static void amplitudes_fixed_at_zero(struct fit_options *options)
{
    for (size_t i = 0; i < options->law->n_coefficients; i++)
        if (options->law->coefficients[i].role == LAW_AMPLITUDE)
            options->hold[i] = FIT_FIXED;
}

static void tight_priors(struct fit_options *options)
{
    for (size_t i = 0; i < options->law->n_coefficients; i++)
        options->prior[i] =
            (struct fit_prior){true, preset_for_law(options->law->name)->coefficient[i], 1e-6};
}

static void priors_far_off(struct fit_options *options)
{
    for (size_t i = 0; i < options->law->n_coefficients; i++)
        if (options->law->coefficients[i].role == LAW_EXPONENT)
            options->prior[i] = (struct fit_prior){true, 50.0, 0.01};
}

static void weights_of_all_sizes(struct fit_options *options)
{
    (void)options;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].weight = i % 3 == 0 ? 1e-300 : i % 3 == 1 ? 1.0 : 1e6;
}

static void weights_of_nothing(struct fit_options *options)
{
    (void)options;
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].weight = 0.0;
}

static void half_held_out(struct fit_options *options)
{
    options->holdout_kind = FIT_HOLDOUT_FRACTION;
    options->holdout = 0.5;
}

static void nothing_held_out(struct fit_options *options)
{
    options->holdout_kind = FIT_HOLDOUT_MIN_FLOPS;
    options->holdout = 1e300;
}

static void draws_and_held_out(struct fit_options *options)
{
    options->bootstrap = 8;
    options->holdout_kind = FIT_HOLDOUT_FRACTION;
    options->holdout = 0.2;
}

static const struct twist {
    const char *name;
    void (*set)(struct fit_options *options);
} twists[] = {
    {"defaults", defaults},
    {"everything free", everything_free},
    {"least squares", least_squares},
    {"near L1", near_l1},
    {"one start", one_start},
    {"first fixed", first_fixed},
    {"all fixed", all_fixed},
    {"amplitudes fixed at zero", amplitudes_fixed_at_zero},
    {"tight priors", tight_priors},
    {"priors far off", priors_far_off},
    {"weights of all sizes", weights_of_all_sizes},
    {"weights of nothing", weights_of_nothing},
    {"half held out", half_held_out},
    {"nothing held out", nothing_held_out},
    {"draws and held out", draws_and_held_out},
};
enum { TWISTS = sizeof twists / sizeof twists[0] };

static bool is_text(const char *text)
{
    return strlen(text) > 20 && strstr(text, "nan") == NULL && strstr(text, "-inf") == NULL;
}

/* Whether coefficient i may be infinite. */
static bool is_value(const struct law *law, size_t i, double value)
{
    return isfinite(value) ||
           (law->coefficients[i].transform == LAW_RECIPROCAL && value == INFINITY);
}

/* What is wrong with a result, NULL when every number that is meant to be one is one. */
static const char *flaw_of(const struct fit_result *r)
{
    if (!isfinite(r->objective) || r->objective < 0.0)
        return "objective";
    if (!isfinite(r->rmse_log) || !isfinite(r->mae_log) || !isfinite(r->bic) || isinf(r->aicc))
        return "statistics";
    if (isnan(r->condition_number) || isnan(r->noise_log))
        return "condition or noise";
    for (size_t i = 0; i < r->law->n_coefficients; i++) {
        const double *interval = r->interval[i];

        if (!is_value(r->law, i, r->coefficient[i]))
            return r->law->coefficients[i].name;
        if (isnan(interval[0]) != isnan(interval[1]) || interval[0] > interval[1])
            return "interval";
        for (size_t k = 0; k < r->n_draws; k++)
            if (!is_value(r->law, i, r->draws[k * r->law->n_coefficients + i]))
                return "draws";
    }
    if (r->holdout.points > 0 &&
        !(isfinite(r->holdout.rmse_log) && isfinite(r->holdout.max_abs_log)))
        return "holdout";
    for (size_t w = 0; w < r->n_warnings; w++)
        if (!is_text(r->warnings[w].detail))
            return r->warnings[w].detail;
    return NULL;
}

static const char *flaw_of_refusal(const struct fit_outcome *got)
{
    if (got->code != ERR_TOO_FEW_EXPERIMENTS && got->code != ERR_NOT_IDENTIFIABLE &&
        got->code != ERR_INVALID)
        return "code";
    if (!is_text(got->err.detail))
        return "detail";
    for (const struct err_field *field = got->err.first; field != NULL; field = field->next)
        if (!is_text(field->detail))
            return field->detail;
    return NULL;
}

static double cpu_s(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Fits the runs as they are; a flaw fails the test, named. */
static void fit_soundly(const struct fit_options *options, const char *study, const char *twist,
                        struct fit_outcome *ret)
{
    double began = cpu_s(), took;
    const char *flaw;

    fit_case_run(options, &runs, ret);
    took = cpu_s() - began;
    flaw = ret->code == ERR_OK ? flaw_of(&ret->result) : flaw_of_refusal(ret);
    if (flaw == NULL && took > patience_cpu_s)
        flaw = "too slow";
    if (flaw != NULL)
        fail_msg("law %s, study \"%s\", options \"%s\": %s (%s %s, %.1f s)", options->law->name,
                 study, twist, flaw, err_name(ret->code), ret->err.detail, took);
}

static void healthy(const struct law *law)
{
    fit_case_design(&runs, RUNS, 3);
    fit_case_losses(&runs, law, preset_for_law(law->name)->coefficient, 0.003, 4);
}

static void every_law_on_every_degenerate_study_with_options_by_turns(void **state)
{
    (void)state;
    for (size_t l = 0; l < law_count(); l++)
        for (size_t s = 0; s < SPOILERS; s++)
            for (size_t t = 0; t < TWISTS; t++) {
                struct fit_options options = fit_options_default(law_at(l));
                struct fit_outcome got;

                if ((l + s + t) % TURNS != 0)
                    continue;
                options.starts = 4;
                healthy(law_at(l));
                spoilers[s].spoil(law_at(l));
                twists[t].set(&options);
                fit_soundly(&options, spoilers[s].name, twists[t].name, &got);
                fit_case_release(&got);
            }
}

static void degenerate_studies_are_refused_or_warned_of_by_name(void **state)
{
    (void)state;
    for (size_t l = 0; l < law_count(); l++)
        for (size_t s = 0; s < SPOILERS; s++) {
            const struct spoiler *spoiler = &spoilers[s];
            struct fit_options options = fit_options_default(law_at(l));
            struct fit_outcome got;

            if ((law_at(l)->variables & spoiler->reads) != spoiler->reads ||
                (!spoiler->refused && spoiler->warned == NULL))
                continue;
            healthy(law_at(l));
            spoiler->spoil(law_at(l));
            fit_soundly(&options, spoiler->name, "defaults", &got);
            /* A law of many coefficients may serve an outlier with a term of its own. */
            if (spoiler->refused != (got.code != ERR_OK) ||
                (spoiler->warned != NULL && !fit_case_warned(&got, spoiler->warned) &&
                 !(fit_case_warned(&got, "at_bound") && fit_case_warned(&got, "not_determined")))) {
                print_error("law %s, study \"%s\": %s %s\n", law_at(l)->name, spoiler->name,
                            err_name(got.code), got.err.detail);
                for (size_t w = 0; w < got.result.n_warnings; w++)
                    print_error("  %s\n", got.result.warnings[w].code);
                fail();
            }
            fit_case_release(&got);
        }
}

/* One run's field, or every run's, at the ends of the doubles. */
static void spoil_field(int field, bool every, double value)
{
    for (size_t i = 0; i < (every ? runs.count : 1); i++) {
        struct obs *obs = &runs.obs[i];
        double at = every ? value / (1.0 + 0.1 * (double)i / (double)runs.count) : value;

        if (field == 0)
            obs->n_active = obs->n_total = at;
        if (field == 1)
            obs->tokens = at;
        if (field == 2)
            obs->loss = at;
        if (field == 3)
            obs->weight = at;
        if (field == 4)
            obs->granularity = at;
        if (field == 5)
            obs->experts = fmax(at, 1.0);
    }
}

static void every_law_survives_the_ends_of_the_doubles(void **state)
{
    static const char *const fields[] = {"size",   "tokens",      "loss",
                                         "weight", "granularity", "experts"};
    static const double ends[] = {1e-300, 1e300, 1e-308, 1.7e308};
    static void (*const ways[])(struct fit_options *) = {defaults, least_squares, everything_free,
                                                         draws_and_held_out};

    (void)state;
    for (size_t l = 0; l < law_count(); l++)
        for (int field = 0; field < 6; field++)
            for (size_t e = 0; e < 4; e++)
                for (int every = 0; every < 2; every++) {
                    struct fit_options options = fit_options_default(law_at(l));
                    struct fit_outcome got;
                    char name[64];

                    /* Every other end for one run, and those between for all. */
                    if ((l + (size_t)field + e + (size_t)every) % 2 != 0)
                        continue;
                    options.starts = e < 2 ? 2 : 1; /* with jumps, and a single search */
                    healthy(law_at(l));
                    spoil_field(field, every == 1, ends[e]);
                    ways[((size_t)field + e + l) % 4](&options);
                    (void)snprintf(name, sizeof name, "%s %g of %s", fields[field], ends[e],
                                   every == 1 ? "every run" : "one run");
                    fit_soundly(&options, name, "by turns", &got);
                    fit_case_release(&got);
                }
}

/* Values of options at their own ends. */
static void every_law_survives_extreme_options(void **state)
{
    static const double sds[] = {1e-300, 1e300}, means[] = {1e-300, 1.0, 1e300};

    (void)state;
    for (size_t l = 0; l < law_count(); l++)
        for (size_t i = 0; i < law_at(l)->n_coefficients; i++)
            for (size_t k = i % 3; k < 9; k += 3) {
                struct fit_options options = fit_options_default(law_at(l));
                struct fit_outcome got;
                char name[80];

                options.starts = 4;
                healthy(law_at(l));
                if (k < 6) {
                    options.prior[i] = (struct fit_prior){true, means[(k + i) % 3], sds[k / 3]};
                } else {
                    options.hold[i] = FIT_FIXED;
                    options.fixed[i] = means[(k + i) % 3];
                }
                (void)snprintf(name, sizeof name, "%s %s %g", k < 6 ? "prior of" : "fixed",
                               law_at(l)->coefficients[i].name, means[(k + i) % 3]);
                fit_soundly(&options, "healthy", name, &got);
                fit_case_release(&got);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(degenerate_studies_are_refused_or_warned_of_by_name),
        cmocka_unit_test(every_law_on_every_degenerate_study_with_options_by_turns),
        cmocka_unit_test(every_law_survives_the_ends_of_the_doubles),
        cmocka_unit_test(every_law_survives_extreme_options),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
