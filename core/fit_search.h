/* fit_search: the global optimum of a fit's objective, from many starts.
 *
 * Seeded starts of the law's box are screened by their variable projection value on a thinned
 * problem; the best descend there; the distinct ends are polished on all runs. Where runs lie far
 * off the best of them, all descend once more without those. The best point is then left for every
 * shape of the law (fit_shape.h), and by jumps of many standard deviations in every direction at
 * once, or to other values of some coordinates, polished again, until several in a row bring
 * nothing better; where few searches end at the best, other chains of jumps begin elsewhere, until
 * enough of them agree (fit_chain.c). Of many runs the search sees some; its best point is polished
 * on all.
 */
#ifndef MOEPLAN_CORE_FIT_SEARCH_H
#define MOEPLAN_CORE_FIT_SEARCH_H

#include "core/fit_polish.h"
#include "core/fit_start.h"

struct fit_found {
    double z[LAW_MAX_COEFFICIENTS];
    double objective; /* and what rounding may have taken from it: it must not win */
    enum fit_stop stop;
    size_t ended;    /* searches carried to their end: descents and jumps */
    size_t agreeing; /* of them, how many reached this objective */
};

/* polish belongs to problem (exact). Progress is reported by options' callback. objective is
 * INFINITY when no start had a finite value. ERR_CANCELLED, ERR_NO_MEMORY. */
enum err_code fit_search_run(const struct fit_options *options, const struct fit_problem *problem,
                             struct fit_polish *polish, struct arena *arena,
                             struct fit_found *ret_found, struct err *err);

#endif
