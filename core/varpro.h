/* varpro: amplitudes solved exactly inside, exponents searched outside (variable projection).
 *
 * At given exponents a law is linear in its amplitudes, so the search runs in the exponents alone.
 * Its measure is the weighted least squares of the relative residuals (L − Σ A·φ)/L, which agree
 * with the log residuals to first order (of plain residuals for laws that are sums in their own
 * response). Only a search: fit_polish has the last word on the true objective.
 * Pure; scratch from the caller's arena once, in varpro_init.
 */
#ifndef MOEPLAN_CORE_VARPRO_H
#define MOEPLAN_CORE_VARPRO_H

#include "core/fit_problem.h"

struct varpro {
    const struct fit_problem *problem;
    size_t rows;                           /* runs, then priors on searched coefficients */
    size_t q;                              /* searched coordinates */
    size_t searched[LAW_MAX_COEFFICIENTS]; /* coordinate of each */
    double *root;                          /* per run: the weight's root, over L where relative */
    double *target;                        /* per run */
    double *phi, *work, *residual, *dphi, *jacobian; /* scratch, by column */
    double *gradient_terms;                          /* law's derivatives, all runs */
};

/* Prepares; runs whose log loss is a gross outlier get no say in the search. ERR_NO_MEMORY. */
enum err_code varpro_init(struct varpro *varpro, const struct fit_problem *problem,
                          struct arena *arena, struct err *err);

/* Leaves runs out whose residual at z is larger than `most`; those left out stay so. */
void varpro_leave_out(struct varpro *varpro, const double *z, double most);

/* The least relative sum of squares at the searched coordinates of z; amplitudes of z are set.
 * INFINITY where a value is not finite. */
double varpro_value(struct varpro *varpro, double *z);

/* Levenberg-Marquardt on the projected problem (Kaufman's Jacobian) from z, at most `iterations`
 * steps. Returns the value reached; z is moved there. */
double varpro_descend(struct varpro *varpro, double *z, size_t iterations);

#endif
