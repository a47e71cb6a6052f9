/* fit_identify: whether the runs can determine what is to be fitted, before anything is fitted.
 *
 * Refuses by name: each coefficient whose variable never varied, N and D moving together exactly,
 * too few different configurations, and whatever else leaves columns of the Jacobian dependent at
 * points of general position. A prior on a coefficient counts as an observation of it.
 */
#ifndef MOEPLAN_CORE_FIT_IDENTIFY_H
#define MOEPLAN_CORE_FIT_IDENTIFY_H

#include "core/fit_problem.h"

/* Which coefficients are free: the options' holds, E_start and E_max pinned unless the runs hold
 * four values of E. natural gets the values of the others. ERR_INVALID for a `fixed` out of
 * bounds. obs sorted. */
enum err_code fit_identify_free(const struct fit_options *options, const struct obs *obs,
                                size_t count, bool *ret_free, bool *ret_pinned, double *ret_natural,
                                struct err *err);

/* Errors from the runs alone. ERR_TOO_FEW_EXPERIMENTS, ERR_NOT_IDENTIFIABLE with one field per
 * coefficient at "/fixed/<coefficient>". obs sorted. */
enum err_code fit_identify_runs(const struct fit_options *options, const bool *is_free,
                                const struct obs *obs, size_t count, struct err *err);

/* Errors from the rank of the Jacobian. ERR_NOT_IDENTIFIABLE as above, ERR_NO_MEMORY. */
enum err_code fit_identify_rank(const struct fit_options *options,
                                const struct fit_problem *problem, struct arena *arena,
                                struct err *err);

/* Adds the refusal of a coefficient, at "/fixed/<coefficient>", with a value to fix it at, and
 * whether other runs would do as well. */
void fit_identify_refuse(struct err *err, const struct law_coefficient *coefficient, double value,
                         const char *because, bool runs_would_do);

/* The value of a variable in a run; and how many different values the runs hold, counting no
 * further than `most`. */
double fit_identify_value(const struct obs *obs, enum law_variable variable);
size_t fit_identify_levels(const struct obs *obs, size_t count, enum law_variable variable,
                           size_t most);

/* Whether two runs are repeats: the same N, D, E and G. obs_compare puts repeats side by side. */
bool fit_identify_same(const struct obs *a, const struct obs *b);

/* How many different configurations the law sees. obs sorted by obs_compare. */
size_t fit_identify_configurations(const struct law *law, const struct obs *obs, size_t count);

/* Correlation of ln N (the law's) and ln tokens over the runs; 0 when either is constant. */
double fit_identify_collinearity(const struct law *law, const struct obs *obs, size_t count);

#endif
