/* fit_bowl: how far about an optimum the runs cannot tell points apart.
 *
 * The asymptotic covariance of a robust estimate: the inverse of the normal matrix, times the
 * spread of the residuals in units of their slope. What it calls a standard deviation is the
 * measure of a jump away from the optimum, and of a return to it. Plain values, nothing allocated.
 */
#ifndef MOEPLAN_CORE_FIT_BOWL_H
#define MOEPLAN_CORE_FIT_BOWL_H

#include "core/fit_polish.h"
#include "core/rng.h"

struct fit_bowl {
    const struct fit_problem *problem;
    double z[LAW_MAX_COEFFICIENTS];     /* the optimum */
    struct fit_matrix factor;           /* Cholesky's, of the scaled normal matrix */
    double scale[LAW_MAX_COEFFICIENTS]; /* by coordinate: root of the matrix's diagonal */
    double sd;                          /* of a residual */
};

/* About z, by the scratch of a polish; false where the runs say nothing of its shape. */
bool fit_bowl_find(const struct fit_polish *polish, const double *z, struct fit_bowl *ret_bowl);

/* Moves z by a normal draw of so many standard deviations, inside the bounds. */
void fit_bowl_jump(const struct fit_bowl *bowl, double length, struct rng *rng, double *z);

/* Whether z lies so near that steps from there lead to the same optimum; ctx is a bowl: see
 * fit_polish.known. */
bool fit_bowl_holds(void *ctx, const double *z);

#endif
