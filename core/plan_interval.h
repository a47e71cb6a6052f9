/* plan_interval: what a fit's bootstrap draws say of a plan's losses.
 *
 * Internal to the planner.
 */
#ifndef MOEPLAN_CORE_PLAN_INTERVAL_H
#define MOEPLAN_CORE_PLAN_INTERVAL_H

#include "core/plan.h"

/* Fills loss_interval of the optimum, the candidates and the dense configuration: quantiles
 * (1 ± level)/2, linear between order statistics, of the loss each draw gives there. Draws whose
 * loss is not finite are left out; with fewer than two the interval stays NAN. `dense` is the model
 * of the dense configuration, or NULL. ERR_NO_MEMORY. */
enum err_code plan_interval_fill(const struct plan_question *question,
                                 const struct plan_model *dense, struct arena *arena,
                                 struct plan_answer *answer, struct err *err);

#endif
