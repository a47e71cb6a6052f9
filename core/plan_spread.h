/* plan_spread: how far the optimum itself moves over a fit's bootstrap draws.
 *
 * Internal to the planner. Every draw is planned for as if it were the fit: the whole question, all
 * allowed E and G.
 */
#ifndef MOEPLAN_CORE_PLAN_SPREAD_H
#define MOEPLAN_CORE_PLAN_SPREAD_H

#include "core/plan.h"

/* Fills *ret_spread; with no draws its draws is 0. ERR_NO_MEMORY. */
enum err_code plan_spread_fill(const struct plan_question *question, struct arena *arena,
                               struct plan_spread *ret_spread, struct err *err);

#endif
