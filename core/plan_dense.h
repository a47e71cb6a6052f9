/* plan_dense: the dense model beside an answer, and how much more compute it takes.
 *
 * Internal to the planner. A fit that saw no dense run knows nothing of them: its law carried on to
 * E = 1 is shown only to who allows E = 1. A fit for one E has a companion (question->dense) or
 * none.
 */
#ifndef MOEPLAN_CORE_PLAN_DENSE_H
#define MOEPLAN_CORE_PLAN_DENSE_H

#include "core/plan.h"

/* The model that answers E = 1, or NULL. */
const struct plan_model *plan_dense_model(const struct plan_question *question);

/* Fills, as far as the question asks for them, has_dense, dense (with dense_candidate, where the
 * answer's candidates hold it) and compute_multiplier, for the answer's optimum; a warning where
 * nobody knows of dense models. */
void plan_dense_fill(const struct plan_question *question, struct plan_answer *answer);

#endif
