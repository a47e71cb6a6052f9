/* fit_bootstrap: how far a fit would move with other runs like these.
 *
 * A draw gives every configuration (N, D, E, G; its repeated runs stay together) a random weight,
 * exponential with mean 1, and polishes the fit from where it stands: Rubin's Bayesian bootstrap,
 * which never loses the only runs of an E as resampling would. With fewer than BOOTSTRAP_GROUPS
 * configurations a coefficient, weights say too little: there the residuals change sign
 * configuration by configuration (wild bootstrap), scaled up for the coefficients they were fitted
 * with. Means of priors are drawn too, normal by their sd in units of the residuals' deviation,
 * which is what they count for in the objective: what no run tells is as uncertain as its prior
 * says. Draw number k depends on the seed and k alone, so that any thread can make any range.
 */
#ifndef MOEPLAN_CORE_FIT_BOOTSTRAP_H
#define MOEPLAN_CORE_FIT_BOOTSTRAP_H

#include "core/fit_polish.h"

enum { BOOTSTRAP_GROUPS = 3 };

/* Draws first … first + n − 1 of the fit that ended at z, into ret (n × n_coefficients, natural).
 * obs are the problem's runs, sorted. progress may be NULL; false from it cancels.
 * ERR_CANCELLED, ERR_NO_MEMORY. */
enum err_code fit_bootstrap_run(const struct fit_options *options,
                                const struct fit_problem *problem, const double *z,
                                const struct obs *obs, size_t first, size_t n, struct arena *arena,
                                double *ret, struct err *err);

#endif
