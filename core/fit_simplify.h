/* fit_simplify: what is searched in place of a problem that is slow to search.
 *
 * Many runs cost much and average shallow optima away: some of them tell where the optimum lies. A
 * sure prior leaves a valley that bends with E_start and E_max, too narrow for steps: a wider one
 * ends at nearly the same point. The problem itself is then polished from there (fit_search).
 */
#ifndef MOEPLAN_CORE_FIT_SIMPLIFY_H
#define MOEPLAN_CORE_FIT_SIMPLIFY_H

#include "core/fit_problem.h"

/* Whether a problem is to be searched as it is. */
bool fit_simplify_is_simple(const struct fit_problem *problem);

/* Widens its priors that are too sure for steps to follow; whether there are any. */
bool fit_simplify_priors(struct fit_problem *problem);

/* Some of its runs, with wider priors. ERR_NO_MEMORY. */
enum err_code fit_simplify(const struct fit_problem *problem, struct arena *arena,
                           struct fit_problem *ret_simple, struct err *err);

#endif
