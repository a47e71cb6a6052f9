/* fit_refit: a fit again with one coefficient held away from where it put it.
 *
 * fit_profile's own; nobody else includes it. Values are stepped through in a coordinate t: the
 * coefficient as it is, but for E_max, whose infinity must be in reach: 1/E_max.
 * Scratch in the arena of the struct, reset by every refit.
 */
#ifndef MOEPLAN_CORE_FIT_REFIT_H
#define MOEPLAN_CORE_FIT_REFIT_H

#include "core/fit.h"

enum { FIT_REFIT_SEARCHES = 40 /* of one profile */ };

/* Where the other coefficients stand at one value of the one held. */
struct fit_refit {
    double t;         /* the coordinate of the value */
    double objective; /* INFINITY where the law has no finite loss */
    double coefficient[LAW_MAX_COEFFICIENTS];
};

struct fit_refits {
    const struct fit_options *options;
    const struct law *law;
    size_t index;    /* of the coefficient that is held */
    size_t count;    /* runs */
    struct obs *obs; /* sorted, weights > 0 */
    bool is_free[LAW_MAX_COEFFICIENTS];
    struct arena scratch;
    struct fit_refit fitted; /* the fit itself */
    struct fit_refit *known; /* it and all refits kept, ascending by t; the caller's */
    size_t n_known, room;
    double least;    /* the least objective met */
    size_t searches; /* made */
};

/* t of a natural value, and back. */
double fit_refit_coordinate(const struct fit_refits *refits, double value);
double fit_refit_value(const struct fit_refits *refits, double t);

/* Keeps a refit for others to begin from, in place of one kept at the same t. */
void fit_refit_keep(struct fit_refits *refits, const struct fit_refit *refit);

/* The refit at t, kept: from the nearest ones known to either side, lest one valley be followed
 * past where another is lower, and from the fit itself; where none leads anywhere, by a search.
 * ERR_NO_MEMORY, ERR_CANCELLED. */
enum err_code fit_refit_at(struct fit_refits *refits, double t, struct fit_refit *ret,
                           struct err *err);

/* Fits anew at refit->t from so many starts, as if the coefficient had been fixed there, and keeps
 * what is better. Does nothing after FIT_REFIT_SEARCHES of them. ERR_NO_MEMORY, ERR_CANCELLED. */
enum err_code fit_refit_search(struct fit_refits *refits, size_t starts, struct fit_refit *refit,
                               struct err *err);

#endif
