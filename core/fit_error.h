/* fit_error: standard errors and condition of a fitted point.
 *
 * The Jacobian of the weighted responses in the coefficients' transforms, columns scaled, is
 * reduced to its triangle by QR (never by its square) and that decomposed; coordinates at a bound
 * take no part. Covariance of the robust estimate (Huber 1981, 7.6):
 *     cov = K²·[Σ w·ψ²/(n − p)]/[Σ w·ψ'/Σ w]²·(JᵀWJ)⁻¹,   K = 1 + p/n·(1 − m)/m,
 * m the share of runs inside the threshold; for squares this is s²·(JᵀWJ)⁻¹.
 */
#ifndef MOEPLAN_CORE_FIT_ERROR_H
#define MOEPLAN_CORE_FIT_ERROR_H

#include "core/fit_problem.h"

struct fit_error {
    size_t p;
    struct fit_matrix covariance;        /* of z, without the residual variance: (JᵀWJ)⁻¹ */
    double variance;                     /* the factor before it; NAN without degrees of freedom */
    double freedom;                      /* n − p, priors counted as observations */
    double inside;                       /* m, at least one run's part */
    double error[LAW_MAX_COEFFICIENTS];  /* standard errors in the transforms, by coordinate; NAN
                                            where at a bound or flat */
    double condition_number;             /* of the scaled Jacobian in z: the same in any units */
    bool at_bound[LAW_MAX_COEFFICIENTS]; /* by coordinate: the runs would have it beyond */
};

/* residuals and jacobian are those of z. */
void fit_error_set(const struct fit_problem *problem, const double *z, const double *residuals,
                   const double *jacobian, struct fit_error *ret_error);

#endif
