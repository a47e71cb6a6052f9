#include "core/fit_replicates.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdbool.h>

#include "core/fit_diagnose.h"
#include "core/fit_identify.h"

/* Of an F test against the replicates. */
static const double lack_of_fit_chance = 0.01;

/* Losses of repeats this near, in logarithms, are one loss copied: no noise is so small. */
static const double copied = 1e-12;

/* Sums of squares of runs of a configuration about their mean, and of all about the fit, each run
 * by its weight as a share of the largest: what has less noise, and weighs more for it, says more.
 */
struct spread {
    double within, all, freedom_within, weights;
    size_t groups, runs;
};

static bool is_copy(const double *residuals, size_t i)
{
    return i > 0 && fabs(residuals[i] - residuals[i - 1]) <= copied;
}

/* Adds the runs of one configuration, of copies one. */
static void add_group(const struct obs *obs, const double *residuals, size_t count, double unit,
                      struct spread *spread)
{
    double mean = 0.0, weights = 0.0;
    size_t distinct = 0;

    for (size_t i = 0; i < count; i++) {
        if (is_copy(residuals, i))
            continue;
        mean += obs[i].weight / unit * residuals[i];
        weights += obs[i].weight / unit;
        distinct++;
    }
    mean = weights > 0.0 ? mean / weights : 0.0;
    for (size_t i = 0; i < count; i++) {
        double weight = is_copy(residuals, i) ? 0.0 : obs[i].weight / unit;
        double off = distinct > 1 ? residuals[i] - mean : 0.0;

        spread->within += weight * off * off;
        spread->all += weight * residuals[i] * residuals[i];
    }
    spread->freedom_within += (double)(distinct - 1);
    spread->weights += weights;
    spread->runs += distinct;
    spread->groups++;
}

static struct spread spread_of(const struct obs *obs, const double *residuals, size_t count)
{
    struct spread spread = {0};
    double largest = 0.0;

    for (size_t i = 0; i < count; i++)
        largest = fmax(largest, obs[i].weight);
    for (size_t from = 0, to; from < count; from = to) {
        for (to = from + 1; to < count && fit_identify_same(&obs[from], &obs[to]);)
            to++;
        add_group(obs + from, residuals + from, to - from, largest, &spread);
    }
    return spread;
}

/* Runs of one configuration differ by noise alone: what the fit leaves beyond that is its own
 * fault, and what it leaves less than that is chance or error. */
void fit_replicates(const struct obs *obs, const double *residuals, size_t count,
                    struct fit_result *result)
{
    struct spread spread = spread_of(obs, residuals, count);
    double freedom_between = (double)spread.groups - (double)result->n_free;
    double noise = spread.within / spread.freedom_within;
    double misses = fmax(spread.all - spread.within, 0.0) / freedom_between;
    double weight = spread.weights / (double)spread.runs;

    if (spread.freedom_within < 2.0 || freedom_between < 1.0 || !(noise > 0.0))
        return;
    if (gsl_cdf_fdist_Q(misses / noise, freedom_between, spread.freedom_within) <
        lack_of_fit_chance)
        fit_diagnose_add(result, "lack_of_fit",
                         "The law misses by more than repeated runs differ (%.2g %% against "
                         "%.2g %%): it does not describe these runs fully. Try another law, or "
                         "fit fewer kinds of runs at once.",
                         100.0 * sqrt(misses / weight), 100.0 * sqrt(noise / weight));
    if (gsl_cdf_fdist_P(misses / noise, freedom_between, spread.freedom_within) <
        lack_of_fit_chance)
        fit_diagnose_add(result, "replicate_noise",
                         "Repeated runs differ by more (%.2g %%) than the fit misses (%.2g %%): "
                         "the intervals are too narrow. Check that the repeats are the same run.",
                         100.0 * sqrt(noise / weight), 100.0 * sqrt(misses / weight));
}
