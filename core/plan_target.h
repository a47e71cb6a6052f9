/* plan_target: the cheapest point of one cell that reaches a loss.
 *
 * Internal to the planner. Least training and inference compute, or least serving memory, with loss
 * <= target_loss under the cell's limits; compute is then a limit like the others.
 */
#ifndef MOEPLAN_CORE_PLAN_TARGET_H
#define MOEPLAN_CORE_PLAN_TARGET_H

#include "core/plan_least.h"

enum plan_outcome plan_target_compute(const struct plan_cell *cell, double target_loss,
                                      struct plan_point *ret);
enum plan_outcome plan_target_memory(const struct plan_cell *cell, double target_loss,
                                     struct plan_point *ret);

#endif
