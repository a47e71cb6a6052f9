/* plan_slice: the law's slice of a model at one (E, G), made ready or made now.
 *
 * Internal to the planner. Pure.
 */
#ifndef MOEPLAN_CORE_PLAN_SLICE_H
#define MOEPLAN_CORE_PLAN_SLICE_H

#include "core/plan.h"

void plan_slice(const struct plan_model *model, double experts, double granularity,
                struct law_slice *ret_slice);

/* What was made ready for E, whatever G; NULL where nothing was, or there is no closed form. */
const struct plan_closed_form *plan_slice_closed_form(const struct plan_model *model,
                                                      double experts);

#endif
