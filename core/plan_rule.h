/* plan_rule: J's rule of thumb, checked for one answer.
 *
 * arXiv 2502.05172: at the same total parameters, E <= 8 experts beat a compute-optimal dense model
 * when trained on E times its tokens. Here the total is that of the answer, whatever its limits;
 * the dense model has all of it active and the tokens that are best for its compute.
 *
 * Internal to the planner. Pure.
 */
#ifndef MOEPLAN_CORE_PLAN_RULE_H
#define MOEPLAN_CORE_PLAN_RULE_H

#include "core/plan.h"

/* Fills ret->n_total and what follows for the optimum of the question. All NAN where there is
 * nothing to check: E = 1, no dense model (NULL), coefficients for which no tokens are best. */
void plan_rule_check(const struct plan_question *question, const struct plan_model *dense,
                     const struct plan_configuration *optimum, struct plan_rule *ret);

#endif
