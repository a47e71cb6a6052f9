/* What a fit says of itself besides its coefficients. */
#include <float.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <string.h>

#include "core/fit_diagnose.h"
#include "core/fit_identify.h"
#include "core/fit_interval.h"
#include "core/fit_work.h"

enum { ALONE_STEPS = 100, FREEDOM_LEAST = 3 /* runs beyond coefficients */ };

/* How many times its own share of the freedom a prior may cost by chance: of an F distribution with
 * 1 and 3 degrees of freedom one in twenty is beyond. */
static const double by_chance = 10.0;

/* Sums over the runs at the answer. */
static void measure(const struct fit_work *work, struct fit_result *result)
{
    const struct fit_polish *polish = &work->polish;
    double squares = 0.0, sizes = 0.0, total = 0.0, n = (double)work->count;
    double k = (double)result->n_free + 1.0, likelihood;

    for (size_t i = 0; i < work->problem.n; i++) {
        double r = polish->residual[i], w = work->problem.weight[i];

        squares += w * r * r;
        sizes += w * fabs(r);
        total += w;
    }
    result->points = work->count;
    result->rmse_log = sqrt(squares / total);
    result->mae_log = sizes / total;
    likelihood = n * log(fmax(squares / n, DBL_MIN)); /* a perfect fit stays a number */
    result->bic = likelihood + k * log(n);
    result->aicc = n > k + 1.0 ? likelihood + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0) : NAN;
}

/* A share of the runs lies within so many residuals; a normal sample's would be within z. That of
 * the level asked for, as far as runs tell it: with ten runs beyond, or at 90 %, and half within.
 */
static double noise_of(const struct fit_work *work)
{
    const struct fit_polish *polish = &work->polish;
    size_t n = work->problem.n, p = work->problem.p;
    double most = fmax(0.9, 1.0 - 10.0 / (double)n);
    double level = fmin(fmax(work->options->level, 0.5), most);
    size_t rank = (size_t)(level * (double)n);

    for (size_t i = 0; i < n; i++)
        polish->trial[i] = fabs(polish->residual[i]);
    return gsl_stats_select(polish->trial, 1, n, rank < n ? rank : n - 1) /
           fit_interval_normal(level) * (n > p ? sqrt((double)n / (double)(n - p)) : 1.0);
}

static void set_ranges(const struct fit_work *work, struct fit_result *result)
{
    const struct law *law = work->options->law;

    for (int v = 0; v < LAW_RANGE_COUNT; v++) {
        struct fit_range *range = &result->range[v];
        bool known = v < LAW_VARIABLE_COUNT
                         ? law_reads(law, (enum law_variable)v)
                         : v == LAW_TOKENS_PER_ACTIVE_PARAM && law_reads(law, LAW_TOKENS);

        range->min = range->max = NAN;
        if (!known)
            continue;
        for (size_t i = 0; i < work->count; i++) {
            double value = fit_identify_value(&work->obs[i], (enum law_variable)v);

            range->min = fmin(range->min, value);
            range->max = fmax(range->max, value);
        }
    }
}

/* Warns where the runs alone would be fitted much better than the priors let them be. A prior
 * stands beside Σ w·h(r) as it is, without the noise: next to residuals of 0.003 a standard
 * deviation of 0.1 holds as one of 0.0003 would in a likelihood. Leaves polish at the fit. */
static void weigh_priors(struct fit_work *work, struct fit_result *result)
{
    const struct fit_problem *problem = &work->problem;
    struct fit_polish_goal goal = {fit_problem_delta(problem), 1e-6, 0, false};
    struct fit_problem alone = *problem;
    struct fit_polish polish = work->polish;
    double z[LAW_MAX_COEFFICIENTS], with, without, chance;

    if (problem->n_priors == 0 || problem->n < problem->p + FREEDOM_LEAST)
        return;
    alone.n_rows = alone.n;
    alone.n_priors = 0;
    polish.problem = &alone;
    memcpy(z, work->found.z, sizeof z);
    with = fit_polish_run(&polish, &goal, z).objective;
    goal.iterations = ALONE_STEPS;
    without = fit_polish_run(&polish, &goal, z).objective;
    chance = by_chance * (double)problem->n_priors / (double)(problem->n - problem->p);
    if (without > DBL_EPSILON * with && with > (1.0 + chance) * without)
        fit_diagnose_add(
            result, "priors_overrule",
            "The priors hold the fit off the runs: without them its objective would be "
            "%.3g instead of %.3g. Divide their sd by the noise of ln loss, or give "
            "runs the weight 1/noise^2, to weigh both as a likelihood does.",
            without, with);
    (void)fit_problem_evaluate(problem, work->found.z, work->polish.residual,
                               work->polish.jacobian);
}

void fit_work_describe(struct fit_work *work, struct fit_result *result)
{
    const struct law *law = work->options->law;
    const struct fit_polish *polish = &work->polish;

    (void)fit_problem_evaluate(&work->problem, work->found.z, polish->residual, polish->jacobian);
    fit_error_set(&work->problem, work->found.z, polish->residual, polish->jacobian, &work->error);
    result->condition_number = work->error.condition_number;
    for (size_t i = 0; i < law->n_coefficients; i++) {
        size_t j = work->problem.coordinate[i];

        result->standard_error[i] = j == SIZE_MAX ? NAN : work->error.error[j];
        result->interval[i][0] = result->interval[i][1] = NAN;
    }
    measure(work, result);
    result->noise_log = noise_of(work);
    set_ranges(work, result);
    fit_diagnose(&work->error, &work->problem, polish->residual, work->obs, work->count,
                 polish->trial, result);
    weigh_priors(work, result);
}
