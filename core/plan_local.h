/* plan_local: a law's loss near a point, in products and sums.
 *
 * Internal to plan_build, which compares many sizes that are all near the continuous optimum: with
 * ln N and ln D within a sixteenth of the point's the powers are polynomials, to 1e-15 of the loss.
 * Further away it is the law's own loss. Values, no allocation; the slice must outlive it.
 */
#ifndef MOEPLAN_CORE_PLAN_LOCAL_H
#define MOEPLAN_CORE_PLAN_LOCAL_H

#include "core/law.h"

struct plan_local {
    const struct law_slice *slice;
    double loss;                     /* at the point, law_slice_loss to the bit */
    double per_n, per_tokens;        /* 1/N and 1/D there */
    double size[LAW_MAX_SIZE_TERMS]; /* the slice's terms there */
    double data;
};

void plan_local_init(struct plan_local *local, const struct law_slice *slice, double n_params,
                     double tokens);

double plan_local_loss(const struct plan_local *local, double n_params, double tokens);

#endif
