/* suggest_refine: a list of runs moved off the grid, to where it says most of the targets.
 *
 * Sizes and tokens are continuous within the box, E and G among those allowed, and FLOPs go from
 * one run to another. A pattern search: deterministic, never worse than it began, never beyond box
 * or budget.
 */
#ifndef MOEPLAN_CORE_SUGGEST_REFINE_H
#define MOEPLAN_CORE_SUGGEST_REFINE_H

#include "core/suggest_design.h"

/* The run and its feature, as large as box and limits allow; no more tokens than most_flops pay
 * for. False where that leaves the box. */
bool suggest_trial_make(const struct suggest_design *design, double experts, double granularity,
                        double n_active, double tokens, double most_flops,
                        struct suggest_trial *ret);

void suggest_refine(const struct suggest_design *design, struct suggest_list *list);

#endif
