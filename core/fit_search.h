/* fit_search: the global optimum of a fit's objective, from many starts.
 *
 * Seeded starts of the law's box are screened by their variable projection value on a thinned
 * problem; the best descend there; the distinct ends are polished on all runs. The robust objective
 * is nearly a sum of absolute values and so has shallow local optima along the valleys of the law
 * (c against the exponents), which every start from the box shares: so the best point is then left
 * by jumps of a few standard deviations in every direction at once, polished again, until several
 * in a row bring nothing better.
 */
#ifndef MOEPLAN_CORE_FIT_SEARCH_H
#define MOEPLAN_CORE_FIT_SEARCH_H

#include "core/fit_polish.h"
#include "core/fit_start.h"

struct fit_found {
    double z[LAW_MAX_COEFFICIENTS];
    double objective;
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
