/* fit_step_rows: the loops of a fit_step over its rows, in lanes; private to fit_step.c, fit_lm.c
 * and fit_polish.c.
 *
 * Each is built for every number of lanes a row may have, and for the vectors of the machine; the
 * bits are the same. t: residuals, n_rows; v: step->along.
 */
#ifndef MOEPLAN_CORE_FIT_STEP_ROWS_H
#define MOEPLAN_CORE_FIT_STEP_ROWS_H

#include "core/fit_step.h"

/* The gradient −Σ w·h'(t)·J (LAW_MAX_COEFFICIENTS values) and Σ over |t| <= delta of w·J·Jᵀ (full),
 * at residuals t. */
void fit_step_sums(const struct fit_step *step, const double *t, double *ret_gradient,
                   struct fit_matrix *ret_hessian);

/* J·move, row by row. */
void fit_step_along(const struct fit_step *step, const double *move, double *ret);

/* Σ w·h(t). */
double fit_step_loss(const struct fit_step *step, const double *t);

/* The slope of Σ w·h(linear − s·v) by s, and its derivative. */
double fit_step_slope(const struct fit_step *step, double s, double *ret_curvature);

#endif
