#include "core/fit_diagnose.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/fit_bootstrap.h"
#include "core/fit_identify.h"
#include "core/fit_replicates.h"
#include "core/law_parts.h"

/* Configurations per free coefficient below which intervals hold less often than they say: nominal
 * 90 % ones 74 to 91 % of 150 simulated studies with 2.7 of them, repeated or not. */
static const double few_configurations = BOOTSTRAP_GROUPS;

/* Half the digits of a double are gone by here: the coefficients along the valley are noise. */
static const double ill_condition = 1e6;

static const double collinear_correlation = 0.98;

/* Kish's effective number of runs, as a share of the runs. */
static const double concentrated_share = 0.3;

/* A value so many times off its median, or a number beyond this, is no measurement. */
static const double extreme_ratio = 1e9, extreme_value = 1e30;

/* So many standard errors to a bound, and the bound is not excluded at 90 %. */
#define NORMAL_90 1.645

/* An exponent with an error beyond this, in standard deviations of its term's logarithm over the
 * runs (fit_frame.h), and a saturation, in logarithms: unknown by a factor of e to each side. */
static const double unknown_effect = 1.0;

/* Amplitudes beyond this, or below its reciprocal, have none to make up for. */
static const double end_of_numbers = 1e200;

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

/* Why a coordinate that is inside its bounds and has an error is not determined all the same; NULL
 * when it is. */
static const char *weakness(const struct fit_problem *problem, size_t j, double z, double error)
{
    const struct law_coefficient *c = &problem->law->coefficients[problem->index[j]];

    if (!problem->normalised || !(error < INFINITY))
        return NULL;
    if (problem->index[j] == problem->e_max)
        return problem->upper[j] - z < NORMAL_90 * error ? "could as well be infinite" : NULL;
    if (c->role == LAW_AMPLITUDE)
        return c->transform == LAW_LN && z < NORMAL_90 * error
                   ? "could as well be 0, and with it the exponents of its term anything"
                   : NULL;
    return error > unknown_effect ? "could as well be quite another, larger or smaller" : NULL;
}

/* Whether an amplitude followed its exponents until one of them could not go on. */
static bool ran_off(const struct law_coefficient *coefficient, double value)
{
    return coefficient->role == LAW_AMPLITUDE && value != 0.0 &&
           !(fabs(log(fabs(value))) < log(end_of_numbers));
}

static void bounds(const struct fit_error *error, const struct fit_problem *problem,
                   struct fit_result *result)
{
    double z[LAW_MAX_COEFFICIENTS] = {0};

    fit_problem_point(problem, result->coefficient, z);
    for (size_t j = 0; j < problem->p; j++) {
        const struct law_coefficient *c = &problem->law->coefficients[problem->index[j]];
        const char *weak;

        if (error->at_bound[j] && isinf(result->coefficient[problem->index[j]]))
            fit_diagnose_add(result, "at_bound",
                             "%s went to infinity: the runs show no saturation, and would have "
                             "the reverse. Its value and interval say little; fix it, or add runs "
                             "that determine it.",
                             c->name);
        else if (error->at_bound[j])
            fit_diagnose_add(result, "at_bound",
                             "%s went to its bound (%g): the runs would have it beyond. Its value "
                             "and interval say little; fix it, or add runs that determine it.",
                             c->name, result->coefficient[problem->index[j]]);
        else if (ran_off(c, result->coefficient[problem->index[j]]))
            fit_diagnose_add(result, "at_bound",
                             "%s ran off to %g, where numbers end: the runs would have it beyond, "
                             "with exponents that make up for it. Fix one of them, or add runs.",
                             c->name, result->coefficient[problem->index[j]]);
        else if (!(error->error[j] < INFINITY))
            fit_diagnose_add(result, "not_determined",
                             "%s is not told by these runs at all: it has no influence on the "
                             "fitted losses, or others make up for whatever it is. Fix it, or fit "
                             "a smaller law.",
                             c->name);
        else if ((weak = weakness(problem, j, z[j],
                                  sqrt(error->covariance.at[j][j] * error->variance))) != NULL)
            fit_diagnose_add(result, "not_determined",
                             "%s is not told by these runs: by its error it %s. Fix it, give it a "
                             "prior, or add runs that determine it.",
                             c->name, weak);
    }
}

/* Fewer searches than one in so many that end at the best objective may not have found the best. */
enum { RARE_AGREEMENT = 50 };

static void search(struct fit_result *result)
{
    if (result->starts > 2 &&
        (result->starts_agreeing < 2 || RARE_AGREEMENT * result->starts_agreeing < result->starts))
        fit_diagnose_add(result, "starts_disagree",
                         "Only %zu of %zu searches ended at this objective. Raise \"starts\" and "
                         "see whether the answer stays.",
                         result->starts_agreeing, result->starts);
    if (result->stop == FIT_MAX_ITERATIONS)
        fit_diagnose_add(result, "not_converged",
                         "The fit was still improving when it stopped. Treat it as unfinished.");
    if (!(result->condition_number < INFINITY))
        fit_diagnose_add(result, "ill_conditioned",
                         "The runs determine some combination of coefficients not at all. "
                         "Predictions among the runs stand; single coefficients do not.");
    else if (!(result->condition_number < ill_condition))
        fit_diagnose_add(result, "ill_conditioned",
                         "The runs determine some combination of coefficients hardly at all "
                         "(condition number %.2g). Predictions among the runs stand; single "
                         "coefficients do not.",
                         result->condition_number);
}

/* What the law does not read ought to be the same in every run. n_total may differ: the size that
 * is read says how it does. */
static void unread(const struct obs *obs, size_t count, struct fit_result *result)
{
    static const struct {
        enum law_variable variable;
        const char *code;
    } table[] = {
        {LAW_EXPERTS, "experts_vary"},
        {LAW_TOKENS, "tokens_vary"},
        {LAW_GRANULARITY, "granularity_varies"},
    };

    for (size_t t = 0; t < sizeof table / sizeof *table; t++) {
        enum law_variable v = table[t].variable;
        double low = INFINITY, high = 0.0;

        if (law_reads(result->law, v) || fit_identify_levels(obs, count, v, 2) < 2)
            continue;
        for (size_t i = 0; i < count; i++) {
            low = fmin(low, fit_identify_value(&obs[i], v));
            high = fmax(high, fit_identify_value(&obs[i], v));
        }
        fit_diagnose_add(result, table[t].code,
                         "Law %s does not read %s, which is %g to %g over the runs: the fit "
                         "averages over it. Choose runs of one value by \"where\", or a law that "
                         "reads it.",
                         result->law->name, law_variable_name(v), low, high);
    }
}

/* Whether a coefficient is fitted that takes runs of different `variable` to tell. */
static bool tells(const struct fit_result *result, enum law_variable variable)
{
    bool found = false;

    for (size_t i = 0; i < result->law->n_coefficients; i++)
        found |= result->is_free[i] && (result->law->coefficients[i].needs & LAW_BIT(variable));
    return found;
}

static void runs(const struct obs *obs, size_t count, struct fit_result *result)
{
    const struct law *law = result->law;
    size_t configurations = fit_identify_configurations(law, obs, count);
    double correlation = fit_identify_collinearity(law, obs, count), sum = 0.0, squares = 0.0,
           largest = 0.0;

    if (result->n_free > 0 && (double)configurations < few_configurations * (double)result->n_free)
        fit_diagnose_add(result, "too_few_configurations",
                         "%zu different configurations for %zu coefficients: errors and intervals "
                         "are rough, and rather too small. %d times as many configurations as "
                         "coefficients is the least to rely on.",
                         configurations, result->n_free, BOOTSTRAP_GROUPS);
    if (fabs(correlation) > collinear_correlation && tells(result, law->size_variable) &&
        tells(result, LAW_TOKENS))
        fit_diagnose_add(result, "collinear_n_d",
                         "Parameters and tokens nearly move together (correlation %.3f): their "
                         "effects are hard to tell apart. Add runs at other tokens per parameter.",
                         correlation);
    for (int v = 0; v < LAW_VARIABLE_COUNT; v++)
        if (law_reads(law, (enum law_variable)v) &&
            fit_identify_levels(obs, count, (enum law_variable)v, 2) < 2)
            fit_diagnose_add(result, "never_varied",
                             "%s never varied (%.10g in every run): what the fit says of other "
                             "values comes from what is fixed or from priors, not from runs.",
                             law_variable_name((enum law_variable)v),
                             fit_identify_value(&obs[0], (enum law_variable)v));
    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, obs[i].weight);
    for (size_t i = 0; i < count; i++) {
        double share = obs[i].weight / largest; /* squares of weights may be beyond numbers */

        sum += share;
        squares += share * share;
    }
    if (sum * sum < concentrated_share * (double)count * squares)
        fit_diagnose_add(result, "weights_concentrated",
                         "The weights make %zu runs count like %.1f. The fit rests on few runs.",
                         count, sum * sum / squares);
}

/* How many runs, of `count`, the loss makes of those beyond `limit`: all by squared loss. */
static double counted(const struct robust *robust, const struct obs *obs, const double *residuals,
                      size_t count, double limit)
{
    double flagged = 0.0, weights = 0.0, effective = 0.0, largest = 0.0;

    for (size_t i = 0; i < count; i++)
        if (fabs(residuals[i]) > limit)
            largest = fmax(largest, obs[i].weight);
    for (size_t i = 0; i < count; i++) {
        if (!(fabs(residuals[i]) > limit))
            continue;
        flagged += 1.0;
        weights += obs[i].weight / largest;
        effective += obs[i].weight / largest * robust_weight(robust, residuals[i]);
    }
    return flagged * effective / weights;
}

/* Runs far off the fit. A normal sample has one in 2 000 beyond 3.5 robust standard deviations, so
 * a warning takes one beyond five, or two in a hundred. scratch: count values. */
static void outliers(const struct robust *robust, const struct obs *obs, const double *residuals,
                     size_t count, double *scratch, struct fit_result *result)
{
    double sd, worst = 0.0;
    size_t flagged = 0;

    for (size_t i = 0; i < count; i++)
        scratch[i] = fabs(residuals[i]);
    sd = FIT_SD_PER_MEDIAN * gsl_stats_select(scratch, 1, count, count / 2);
    for (size_t i = 0; i < count; i++) {
        flagged += fabs(residuals[i]) > FIT_OUTLIER_SDS * sd ? 1 : 0;
        worst = fmax(worst, fabs(residuals[i]));
    }
    if (!(sd > 0.0) || flagged == 0 || (worst <= 5.0 * sd && 50 * flagged < count))
        return;
    fit_diagnose_add(result, "outliers",
                     "%zu of %zu runs lie more than %.1f robust deviations off the fit, the worst "
                     "by %.2g %%. The loss counts them like %.2g; see residuals, and exclude what "
                     "failed.",
                     flagged, count, FIT_OUTLIER_SDS, 100.0 * worst,
                     counted(robust, obs, residuals, count, FIT_OUTLIER_SDS * sd));
}

static void extremes(const struct obs *obs, size_t count, double *scratch,
                     struct fit_result *result)
{
    for (int v = 0; v <= LAW_VARIABLE_COUNT; v++) {
        double median, low = INFINITY, high = 0.0;

        if (v < LAW_VARIABLE_COUNT && !law_reads(result->law, (enum law_variable)v))
            continue;
        for (size_t i = 0; i < count; i++) {
            scratch[i] = v < LAW_VARIABLE_COUNT ? fit_identify_value(&obs[i], (enum law_variable)v)
                                                : obs[i].loss;
            low = fmin(low, scratch[i]);
            high = fmax(high, scratch[i]);
        }
        median = gsl_stats_select(scratch, 1, count, count / 2);
        if (!(high / median > extreme_ratio || median / low > extreme_ratio ||
              high > extreme_value || low < 1.0 / extreme_value))
            continue;
        fit_diagnose_add(result, "extreme_values",
                         "%s runs from %g to %g (median %g): a slip of units? Correct or exclude "
                         "the runs at the ends.",
                         v < LAW_VARIABLE_COUNT ? law_variable_name((enum law_variable)v) : "loss",
                         low, high, median);
    }
}

void fit_diagnose(const struct fit_error *error, const struct fit_problem *problem,
                  const double *residuals, const struct obs *obs, size_t count, double *scratch,
                  struct fit_result *result)
{
    pins(result);
    bounds(error, problem, result);
    search(result);
    runs(obs, count, result);
    unread(obs, count, result);
    extremes(obs, count, scratch, result);
    outliers(&problem->robust, obs, residuals, count, scratch, result);
    fit_replicates(obs, residuals, count, result);
}
