/* fit_search_parts: one search under way; private to fit_search.c, fit_chain.c and
 * fit_jump.c. */
#ifndef MOEPLAN_CORE_FIT_SEARCH_PARTS_H
#define MOEPLAN_CORE_FIT_SEARCH_PARTS_H

#include "core/fit_search.h"
#include "core/varpro.h"

enum { SEARCH_ENDS_MAX = 8 /* distinct ends polished */, SEARCH_STEPS = 200 /* of a polish */ };

struct search_end {
    double z[LAW_MAX_COEFFICIENTS], value;
    size_t hits;
};

struct search {
    const struct fit_options *options;
    const struct fit_problem *problem;
    struct fit_polish *polish;
    struct varpro screen; /* over the thinned problem */
    struct fit_progress progress;
    double weight; /* of all runs */
    double gross;  /* residuals beyond this are left out of descents; INFINITY for none */
    bool lies;     /* the best point of the descents has such */
    size_t n_ends;
    struct search_end ends[SEARCH_ENDS_MAX]; /* ascending value */
    struct fit_found *found;
};

/* Says how far the search is; true when the caller wants no more of it. */
bool search_cancelled(struct search *search);

/* To the last digit. */
struct fit_polish_goal search_goal(const struct search *search);

/* Whether an objective is less than that of search->found (-1), the same (0) or more (1). */
int search_compare(const struct search *search, double objective);

/* Takes a polished point if it is better; counts agreement. */
bool search_take(struct search *search, const struct fit_polished *got, const double *z,
                 size_t hits);

/* Leaves the best point by jumps and comes back, until many in a row bring nothing better; where
 * that is not plain, again from elsewhere, until several chains end alike. Scratch from the arena.
 * ERR_CANCELLED, ERR_NO_MEMORY. */
enum err_code fit_chain_all(struct search *search, struct arena *arena, struct err *err);

#endif
