/* plan_near: the near-optimal set, and how far the model size may stray before the loss passes a
 * threshold.
 *
 * Internal to the planner.
 */
#ifndef MOEPLAN_CORE_PLAN_NEAR_H
#define MOEPLAN_CORE_PLAN_NEAR_H

#include "core/plan_least.h"

/* Fills near_optimal_loss and near_optimal of an answer that has its optimum. points: the
 * least-loss point of each (E, G), n_experts × n_granularity, for that objective; cost: the
 * optimum's. ERR_NO_MEMORY. */
enum err_code plan_near_fill(const struct plan_question *question, const struct plan_point *points,
                             double cost, struct arena *arena, struct plan_answer *answer,
                             struct err *err);

#endif
