/* fit_interval: from bootstrap draws to intervals. Pure; scratch is the caller's.
 *
 * An interval is what lies between the (1 − level)/2 and (1 + level)/2 quantiles of the draws: of
 * losses their quantiles as they are, not of their logarithms, as in plans and curves. For one new
 * run the noise of runs is added in quadrature to each side, in ln loss.
 */
#ifndef MOEPLAN_CORE_FIT_INTERVAL_H
#define MOEPLAN_CORE_FIT_INTERVAL_H

#include "core/fit.h"

/* The quantiles of n values, which are sorted in place; infinite values are legitimate. */
void fit_interval_of(double *values, size_t n, double level, double *ret_interval);

/* The interval of the mean loss at x, and unless NULL of one new run there. draws n × the law's
 * coefficients, scratch n values. Draws without a finite loss are left out; NAN, NAN without two
 * others. */
void fit_interval_loss(const struct law *law, const double *coefficients, const double *draws,
                       size_t n, const struct law_x *x, double noise_log, double level,
                       double *scratch, double *ret_mean, double *ret_run);

/* The fewest draws for intervals of the level: two beyond their ends. 20 for 0.9. */
double fit_interval_least_draws(double level);

/* Two-sided normal quantile: 1.645 for 0.9. */
double fit_interval_normal(double level);

#endif
