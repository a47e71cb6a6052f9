/* plan_least: the point of one cell where its loss is least.
 *
 * Internal to the planner. Where the cell is proven unimodal, the optimum is where size and tokens
 * balance (plan_balance.h), moved to the limit that bites, if any. Otherwise a global search.
 */
#ifndef MOEPLAN_CORE_PLAN_LEAST_H
#define MOEPLAN_CORE_PLAN_LEAST_H

#include "core/plan_cell.h"

enum plan_outcome {
    PLAN_FOUND,
    PLAN_NOTHING, /* no point keeps the limits (and the target) */
    PLAN_ENDLESS, /* the objective improves without end: a limit is missing */
};

struct plan_point {
    double d_model, tokens, loss;
    double cost; /* what the objective minimises: loss, FLOPs with inference, or serving bytes */
};

enum plan_outcome plan_least_loss(const struct plan_cell *cell, struct plan_point *ret);

/* Any of the three objectives; target_loss is read by the other two (plan_target.h). */
enum plan_outcome plan_least(const struct plan_cell *cell, enum plan_objective objective,
                             double target_loss, struct plan_point *ret);

/* The tokens planned at a d_model in [d_min, d_max] when loss is to be least: the most the limits
 * allow, or the fewest where tokens do not help. NAN when the limits allow none; may be INFINITY.*/
double plan_least_tokens(const struct plan_cell *cell, double d_model);

/* The largest d_model at which the limits, compute included, leave room for the fewest tokens. */
double plan_least_d_max(const struct plan_cell *cell);

/* The point (d_model, tokens) with its loss, which is its cost; PLAN_NOTHING where the law gives no
 * finite loss. */
enum plan_outcome plan_least_found(const struct plan_cell *cell, double d_model, double tokens,
                                   struct plan_point *ret);

/* The infimum of the loss under the cell's limits, reached or not. INFINITY if infeasible. */
double plan_least_reachable(const struct plan_cell *cell);

#endif
