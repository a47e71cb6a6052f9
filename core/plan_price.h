/* plan_price: what a little more of each limit would buy, exactly.
 *
 * Internal to the planner. At an optimum the gradient of the objective f is a non-negative
 * combination of those of the binding limits (Karush, Kuhn, Tucker), and its multipliers are the
 * derivatives of the optimal f by the limits (envelope theorem), E and G held.
 */
#ifndef MOEPLAN_CORE_PLAN_PRICE_H
#define MOEPLAN_CORE_PLAN_PRICE_H

#include "core/plan_cell.h"

/* ret_price[limit] = d f/d limit in natural units: loss per FLOP, per byte, per token … for the
 * least loss; FLOPs (with inference) or bytes per unit of limit for the other two objectives. 0 for
 * a limit that does not bind, NAN for one that is not set. */
void plan_price(const struct plan_question *question, const struct plan_cell *cell, double d_model,
                double tokens, unsigned binding, double ret_price[PLAN_LIMIT_COUNT]);

#endif
