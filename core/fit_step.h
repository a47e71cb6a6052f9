/* fit_step: one step of a fit: the robust problem with the law replaced by its tangent, exactly.
 *
 *     min over d in [lower, upper] of
 *         Σ_i w_i·h(r_i − J_i·d) + ½·dᵀ·C·d + ½·damping·Σ_j scale_j·d_j²
 *
 * h is Huber's, so this is convex and piecewise quadratic where C is not too negative: Newton steps
 * over the active pieces with an exact line search end after finitely many. That is what makes a
 * loss so close to absolute values converge like least squares, where reweighting crawls.
 * Pure; scratch is the caller's.
 */
#ifndef MOEPLAN_CORE_FIT_STEP_H
#define MOEPLAN_CORE_FIT_STEP_H

#include "core/fit_matrix.h"
#include "core/fit_problem.h"

struct fit_step {
    size_t n, n_rows, p, stride; /* rows n..n_rows are squared whatever delta says */
    const double *residual;      /* n_rows */
    const double *jacobian;      /* n_rows × stride, row by row, zeros beyond p */
    const double *weight;        /* n_rows */
    double delta;                /* INFINITY: squared */
    struct fit_matrix curvature; /* C: the law's own second derivatives; zero for Gauss-Newton */
    double gain_share; /* pieces that gain less than this share of the gain so far are left out */
    double damping, scale[LAW_MAX_COEFFICIENTS];
    double lower[LAW_MAX_COEFFICIENTS], upper[LAW_MAX_COEFFICIENTS]; /* of d; lower <= 0 <= upper */
    double *linear, *along;                                          /* scratch, n_rows each */
};

/* Sets scale: the diagonal of Jᵀ·W·J. */
void fit_step_scale(struct fit_step *step);

/* Sets ret_d (p values). Returns the decrease of the problem without its damping, >= 0. */
double fit_step_solve(struct fit_step *step, double *ret_d);

#endif
