/* plan_interval: the intervals of configurations over a model's draws.
 *
 * Internal to the planner. A quantile of a thousand losses is told by the two of them next to it:
 * where the law can compute all of them nearly (law_near.h), with a bound on how nearly, only those
 * that may be the two (plan_quantile.h) are computed exactly. The answer is the same to the last
 * bit as from all of them. Memory from the arena.
 */
#ifndef MOEPLAN_CORE_PLAN_INTERVAL_H
#define MOEPLAN_CORE_PLAN_INTERVAL_H

#include "core/plan.h"

/* Fills the loss_interval of each configuration: quantiles (1 ± level)/2, linear between order
 * statistics, of the losses of the model's draws; NAN with fewer than two finite ones.
 * ERR_NO_MEMORY. */
enum err_code plan_interval_fill(const struct plan_model *model, double level,
                                 struct plan_configuration *const *configurations, size_t count,
                                 struct arena *arena, struct err *err);

#endif
