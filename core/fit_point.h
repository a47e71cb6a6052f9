/* fit_point: everything about a point of a fit_problem that does not depend on the run.
 *
 * Private to fit_point.c, which makes it, and fit_rows.c, which takes it to the runs.
 */
#ifndef MOEPLAN_CORE_FIT_POINT_H
#define MOEPLAN_CORE_FIT_POINT_H

#include "core/fit_problem.h"

struct fit_point {
    double natural[LAW_MAX_COEFFICIENTS]; /* amplitudes: only the fixed ones are read */
    double factor[LAW_MAX_TERMS];         /* term k contributes factor_k·φ_k to exp(f) */
    double slope[LAW_MAX_TERMS];          /* d factor_k/dz of its own amplitude, 0 when fixed */
    double drift[LAW_MAX_TERMS][LAW_MAX_COEFFICIENTS];        /* ∂ ln φ_k(centre)/∂z */
    double chain[LAW_MAX_COEFFICIENTS][LAW_MAX_COEFFICIENTS]; /* ∂coefficient_i/∂z_j */
};

/* At z; chain and drift only with slopes. False when the point cannot be computed with. */
bool fit_point_set(const struct fit_problem *problem, const double *z, bool slopes,
                   struct fit_point *point);

/* Coefficient i in its transform, and ∂/∂z of it (p values); slopes must be set. */
double fit_point_transformed(const struct fit_problem *problem, const struct fit_point *point,
                             const double *z, size_t i, double *ret_slopes);

#endif
