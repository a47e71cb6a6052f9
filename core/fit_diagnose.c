#include "core/fit_diagnose.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/fit_identify.h"

/* Runs per free coefficient below which errors and intervals are not to be relied on. */
static const double few_configurations = 2.0;

/* Half the digits of a double are gone by here: the coefficients along the valley are noise. */
static const double ill_condition = 1e6;

static const double collinear_correlation = 0.98;

/* Kish's effective number of runs, as a share of the runs. */
static const double concentrated_share = 0.3;

void fit_diagnose_add(struct fit_result *result, const char *code, const char *format, ...)
{
    struct fit_warning *warning = &result->warnings[result->n_warnings];
    va_list args;

    if (result->n_warnings == FIT_WARNINGS_MAX)
        return;
    result->n_warnings++;
    warning->code = code;
    va_start(args, format);
    (void)vsnprintf(warning->detail, sizeof warning->detail, format, args);
    va_end(args);
}

static void pins(struct fit_result *result)
{
    for (size_t i = 0; i < result->law->n_coefficients; i++)
        if (result->is_pinned[i])
            fit_diagnose_add(result, "pinned",
                             "%s is held at the published %g: the runs hold fewer than four "
                             "values of experts. List it in \"free\" to fit it all the same.",
                             result->law->coefficients[i].name, result->coefficient[i]);
}

static void bounds(const struct fit_error *error, const struct fit_problem *problem,
                   struct fit_result *result)
{
    for (size_t j = 0; j < problem->p; j++) {
        const struct law_coefficient *c = &problem->law->coefficients[problem->index[j]];

        if (error->at_bound[j])
            fit_diagnose_add(result, "at_bound",
                             "%s went to its bound (%g): the runs would have it beyond. Its value "
                             "and interval say little; fix it, or add runs that determine it.",
                             c->name, result->coefficient[problem->index[j]]);
        else if (!(error->error[j] < INFINITY))
            fit_diagnose_add(result, "not_determined",
                             "%s has no influence on the fitted losses here, so its value is "
                             "arbitrary. Fix it, or fit a smaller law.",
                             c->name);
    }
}

static void search(struct fit_result *result)
{
    if (result->starts_agreeing < 2 && result->starts > 2)
        fit_diagnose_add(result, "starts_disagree",
                         "Only %zu of %zu searches ended at this objective. Raise \"starts\" and "
                         "see whether the answer stays.",
                         result->starts_agreeing, result->starts);
    if (result->stop == FIT_MAX_ITERATIONS)
        fit_diagnose_add(result, "not_converged",
                         "The fit was still improving when it stopped. Treat it as unfinished.");
    if (!(result->condition_number < ill_condition))
        fit_diagnose_add(result, "ill_conditioned",
                         "The runs determine some combination of coefficients hardly at all "
                         "(condition number %.2g). Predictions among the runs stand; single "
                         "coefficients do not.",
                         result->condition_number);
}

static void runs(const struct obs *obs, size_t count, struct fit_result *result)
{
    const struct law *law = result->law;
    size_t configurations = fit_identify_configurations(law, obs, count);
    double correlation = fit_identify_collinearity(law, obs, count), sum = 0.0, squares = 0.0;

    if (result->n_free > 0 && (double)configurations < few_configurations * (double)result->n_free)
        fit_diagnose_add(result, "too_few_configurations",
                         "%zu different configurations for %zu coefficients: errors are rough. "
                         "Twice as many configurations as coefficients is the least to rely on.",
                         configurations, result->n_free);
    if (fabs(correlation) > collinear_correlation)
        fit_diagnose_add(result, "collinear_n_d",
                         "Parameters and tokens nearly move together (correlation %.3f): their "
                         "effects are hard to tell apart. Add runs at other tokens per parameter.",
                         correlation);
    for (int v = 0; v < LAW_VARIABLE_COUNT; v++)
        if (law_reads(law, (enum law_variable)v) &&
            fit_identify_levels(obs, count, (enum law_variable)v, 2) < 2)
            fit_diagnose_add(result, "never_varied",
                             "%s never varied (%.10g in every run): what the fit says of other "
                             "values comes from its fixed coefficients, not from runs.",
                             law_variable_name((enum law_variable)v),
                             fit_identify_value(&obs[0], (enum law_variable)v));
    for (size_t i = 0; i < count; i++) {
        sum += obs[i].weight;
        squares += obs[i].weight * obs[i].weight;
    }
    if (sum * sum < concentrated_share * (double)count * squares)
        fit_diagnose_add(result, "weights_concentrated",
                         "The weights make %zu runs count like %.1f. The fit rests on few runs.",
                         count, sum * sum / squares);
}

void fit_diagnose(const struct fit_options *options, const struct fit_error *error,
                  const struct fit_problem *problem, const double *residuals, const struct obs *obs,
                  size_t count, struct fit_result *result)
{
    (void)options;
    (void)residuals;
    pins(result);
    bounds(error, problem, result);
    search(result);
    runs(obs, count, result);
}
