/* plan_trial: one buildable size of a cell: whether it keeps the limits, its tokens, what it costs.
 *
 * Internal to plan_build. Limits are kept by two counts: the law's, and the checkpoint's, which has
 * norms and routers too (architecture_parts.uncounted), in memory, in training and active. Values,
 * no allocation.
 */
#ifndef MOEPLAN_CORE_PLAN_TRIAL_H
#define MOEPLAN_CORE_PLAN_TRIAL_H

#include "core/plan_frame.h"

struct plan_trial {
    double groups;
    double size;   /* the N the law reads */
    double tokens; /* those of the objective, within the limits by both counts */
    double cost;   /* what is to be least, by the law's count alone */
};

/* False where a limit or the target loss is missed. Where min_tokens_per_param and
 * max_tokens_per_param are nearer to each other than the counts, the law's decides. */
bool plan_trial_make(const struct plan_site *site, const struct plan_frame *frame, double groups,
                     struct plan_trial *ret);

/* The law's loss, of its own tokens: where a target is to be reached, to the last bit. */
double plan_trial_loss(const struct plan_site *site, const struct plan_trial *trial);

#endif
