/* plan_build: the buildable architecture nearest to a continuous configuration.
 *
 * Internal to the planner. Widths are whole multiples of what hardware likes, layers are free
 * between half and twice d_model/d_per_layer; among those that keep every limit by their own counts
 * the one is taken that is best by the law, with some preference for the shape's own depth. Its
 * tokens and loss are then its own. Where that loses more than 0.25 % all widths of multiples of 8
 * are searched, with experts from half to twice as wide as the shape has them: a loss of more than
 * 0.3 % is then the least there is.
 *
 * Limits are kept by the law's count, and by that of the checkpoint too, norms and routers
 * included. One exception: the law gives routers away, and a router of very many experts may be a
 * tenth of a small model's active parameters. Where max_n_active, min_tokens_per_param and
 * inference_tokens would then cost more than 0.25 % in loss, these three are held to the law's
 * n_active alone.
 */
#ifndef MOEPLAN_CORE_PLAN_BUILD_H
#define MOEPLAN_CORE_PLAN_BUILD_H

#include "core/plan_least.h"
#include "core/plan_trial.h"

/* Fills has_architecture, architecture and, where there is none, no_architecture. cell is that of
 * the configuration, local the law near it. */
void plan_build(const struct plan_question *question, const struct plan_model *model,
                const struct plan_cell *cell, const struct plan_local *local,
                struct plan_configuration *configuration);

#endif
