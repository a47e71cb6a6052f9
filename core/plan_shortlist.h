/* plan_shortlist: the few draws of a fit that may be an end of an interval, told beforehand for the
 * runs that are best for their compute.
 *
 * Internal to the planner, but for who keeps a fit's at hand. At E = 1, 2, 4, … such runs lie on a
 * line, s = ln(N·D), ln N = ln_g + ratio·s (plan_closed_form). Along a piece of it the draws'
 * losses, less the fit's own, change so little that all but a few are certainly less than a
 * quantile or certainly more, and plans ask those few only. Which they are follows from bounds, so
 * that the interval is the same to the last bit as from all draws.
 *
 * Made once, then only read. Memory from the caller's arena: 48 KiB, and 4 bytes for each draw on a
 * list, of which a piece has two, mostly of two to six draws in a thousand and never of more than
 * PLAN_SHORTLIST_MOST: some 100 KiB, 450 KiB at most.
 */
#ifndef MOEPLAN_CORE_PLAN_SHORTLIST_H
#define MOEPLAN_CORE_PLAN_SHORTLIST_H

#include <stdint.h>

#include "core/plan.h"
#include "core/plan_quantile.h"

/* E to 2^7; pieces of a factor of 2^(1/8) in compute, from 1e19 FLOPs to more than 1e26. */
enum { PLAN_SHORTLIST_EXPERTS = 8, PLAN_SHORTLIST_PIECES = 24 * 8, PLAN_SHORTLIST_MOST = 32 };

/* Of one piece: of each end of the interval, the draws that may be it. */
struct plan_shortlist {
    struct {
        const uint32_t *draw;
        uint32_t n, under; /* listed, 0 where that would be too many; certainly less than those */
    } end[2];
};

struct plan_shortlists {
    const double *draws; /* they are of; NULL: none */
    double level;
    struct {
        double ln_g, ratio;
        const struct plan_shortlist *piece; /* PLAN_SHORTLIST_PIECES; NULL: none */
    } line[PLAN_SHORTLIST_EXPERTS];
};

/* For plan_model.shortlists, of a model with slices, and for intervals of this level. A law without
 * a closed form, few draws or strange ones have none. False when an arena is full; what is in
 * `scratch` is not needed afterwards. */
bool plan_shortlists_make(const struct plan_model *model, double level, struct arena *arena,
                          struct arena *scratch, struct plan_shortlists *ret);

/* As plan_quantile_find, of the draws' losses at x. False where nothing was told of x, or of this
 * level. */
bool plan_shortlist_find(const struct plan_model *model, double level, const struct law_x *x,
                         struct plan_quantile q[2]);

#endif
