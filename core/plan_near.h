/* plan_near: how far the model size may stray before the loss passes a threshold.
 *
 * Internal to the planner.
 */
#ifndef MOEPLAN_CORE_PLAN_NEAR_H
#define MOEPLAN_CORE_PLAN_NEAR_H

#include "core/plan_least.h"

/* The least and the greatest d_model, tokens as plan_least_tokens says, whose loss is at most
 * `threshold`; best is the cell's least-loss point and lies below it. Where the cell is not
 * unimodal the set may have gaps between the two. */
void plan_near_range(const struct plan_cell *cell, const struct plan_point *best, double threshold,
                     double ret_d[2]);

#endif
