/* fit_lm: from the end of a descent to the neighbourhood of a local optimum of the true objective,
 * by GSL's trust region Levenberg-Marquardt on the normal equations, which it is handed: no n × p
 * matrix is copied.
 *
 * The Huber objective is a sum of squares of
 *     f_i = sign(r_i)·√(2·w_i·h(r_i)),   ∂f_i/∂r_i = w_i·h'(r_i)/f_i,   1 in the limit of small r
 * (plain residuals for squared loss and for priors), which is how a solver of least squares takes
 * it. It carries far: its trust region brings points home from where the law's tangent says little.
 * It does not carry to the end: f has no second derivatives to speak of where |r| > delta, so
 * convergence is linear at best; bounds are unknown to it (coordinates are clipped, and held while
 * the slope points outwards); its ftol has no effect. The exact steps of fit_polish finish.
 *
 * Owns a GSL workspace (malloc): fit_lm_release. Returns of GSL other than success end the solve
 * where it stands, which is never worse than where it began.
 */
#ifndef MOEPLAN_CORE_FIT_LM_H
#define MOEPLAN_CORE_FIT_LM_H

#include <gsl/gsl_multilarge_nlinear.h>

#include "core/fit_polish.h"

struct fit_lm {
    struct fit_polish *polish;                 /* whose problem, weights and scratch are used */
    gsl_multilarge_nlinear_workspace *machine; /* NULL when nothing is free */
    bool held[LAW_MAX_COEFFICIENTS];           /* at a bound, at the last point with slopes */
    double enough; /* steps that lower the objective by less than this share are not taken */
    int steps;     /* at most */
};

/* polish outlives it. A patient solver follows curved valleys to their end, with geodesic
 * acceleration: for a start that no other will come to help. ERR_NO_MEMORY; fit_lm_release is due
 * all the same. */
enum err_code fit_lm_init(struct fit_lm *lm, struct fit_polish *polish, bool patient,
                          struct err *err);
void fit_lm_release(struct fit_lm *lm);

/* Moves z. With fewer rows than free coefficients z stays, as GSL takes no such problem. */
void fit_lm_run(struct fit_lm *lm, double *z);

#endif
