/* plan_configuration: everything that follows from a point of a cell.
 *
 * Internal to the planner; plan_evaluate and plan_extrapolates of plan.h are here too.
 */
#ifndef MOEPLAN_CORE_PLAN_CONFIGURATION_H
#define MOEPLAN_CORE_PLAN_CONFIGURATION_H

#include "core/plan_cell.h"

/* The configuration of an optimum found: as plan_evaluate, but limits are kept to the last bit, if
 * need be by giving up a few of d_model and tokens, and with PLAN_ARCHITECTURE it is built. */
void plan_configure(const struct plan_question *question, const struct plan_model *model,
                    const struct plan_cell *cell, double d_model, double tokens,
                    struct plan_configuration *ret);

#endif
