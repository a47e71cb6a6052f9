/* suggest_space: what a study's runs say of any run, in a few numbers.
 *
 * Least squares at a fit's own coefficients: with g the gradient of a run's ln loss by the free
 * coefficients in their transforms, and spread the sd its noise counts as in the fit
 * (robust_spread), the runs' information is
 *     M = Σ weight·g g'/spread² = L L'
 * and L⁻¹g is a run's feature φ, one number a coefficient, with
 *     var(predicted ln loss of a run) = φ·φ,   cov(run, other) = φ·φ'.
 * Priors count as the fit counts them. Coefficients at a bound are known.
 *
 * Why not over the bootstrap's draws: theirs is the covariance of one study's residuals, and a
 * design made to it answers their accidents. Tried by refits (suggest_refit.h), designs on draws of
 * small studies are at times worse than chance where these are as good as any.
 *
 * Copyable values. Pure.
 */
#ifndef MOEPLAN_CORE_SUGGEST_SPACE_H
#define MOEPLAN_CORE_SUGGEST_SPACE_H

#include "core/fit.h"

enum { SUGGEST_RANK_MAX = LAW_MAX_COEFFICIENTS };

struct suggest_space {
    const struct law *law;
    const double *coefficient;
    size_t rank, index[SUGGEST_RANK_MAX];              /* of the free coefficients */
    double scale[SUGGEST_RANK_MAX];                    /* of their coordinates */
    double factor[SUGGEST_RANK_MAX][SUGGEST_RANK_MAX]; /* L of the scaled coordinates, lower */
};

/* From the fit's coefficients, how it was made, its runs, and the spread. `coefficient` must
 * outlive the space. */
void suggest_space_init(struct suggest_space *space, const struct fit_options *options,
                        const double *coefficient, const struct obs *runs, size_t count,
                        double spread);

/* The feature of a run: rank numbers. */
void suggest_space_feature(const struct suggest_space *space, const struct obs *run, double *ret);

#endif
