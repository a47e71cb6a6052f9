/* plan_build: the buildable architecture nearest to a continuous configuration.
 *
 * Internal to the planner. Widths are whole multiples of what hardware likes, layers are free
 * between half and twice d_model/d_per_layer; among those that keep every limit by their own counts
 * the one is taken that is best by the law, with some preference for the shape's own depth. Its
 * tokens and loss are then its own.
 */
#ifndef MOEPLAN_CORE_PLAN_BUILD_H
#define MOEPLAN_CORE_PLAN_BUILD_H

#include "core/plan_least.h"

/* Fills has_architecture, architecture and, where there is none, no_architecture. cell is that of
 * the configuration. */
void plan_build(const struct plan_question *question, const struct plan_model *model,
                const struct plan_cell *cell, struct plan_configuration *configuration);

#endif
