/* plan_shortlist: the few draws of a fit that may be an end of an interval, told beforehand for the
 * runs that are best for their compute.
 *
 * Internal to the planner, but for who keeps a fit's at hand. At E = 1, 2, 4, … such runs lie on a
 * line, s = ln(N·D), ln N = ln_g + ratio·s (plan_closed_form). Along a piece of it the draws'
 * losses, less the fit's own, change so little that most are certainly less than a quantile or
 * certainly more, and plans ask the others only. Which they are follows from bounds, so that the
 * interval is the same to the last bit as from all draws.
 *
 * Made once, then only read. Memory from the caller's arena: 12 KiB, and 24 bytes for each draw on
 * a list, of which a piece has two, mostly of some twenty draws in a thousand and never of more
 * than PLAN_SHORTLIST_MOST: some 200 KiB, 1 MiB at most.
 */
#ifndef MOEPLAN_CORE_PLAN_SHORTLIST_H
#define MOEPLAN_CORE_PLAN_SHORTLIST_H

#include "core/near.h"
#include "core/plan.h"
#include "core/plan_quantile.h"

/* E to 2^7; pieces of a factor of 2 in compute, from 1e19 FLOPs to more than 1e26. */
enum { PLAN_SHORTLIST_EXPERTS = 8, PLAN_SHORTLIST_PIECES = 24, PLAN_SHORTLIST_MOST = 96 };

/* Draws as they are asked nearly: two powers of 2 and the floor, about the middle of the piece. */
struct plan_shortlist_block {
    float size[NEAR_LANES], by_ln_n[NEAR_LANES];
    float data[NEAR_LANES], by_ln_tokens[NEAR_LANES];
    float c[NEAR_LANES];
    uint32_t draw[NEAR_LANES];
};

/* Of one piece: draws that may be the low end of the interval, then those that may be the high. */
struct plan_shortlist {
    uint32_t n[2], under[2];                  /* listed; certainly less than those listed */
    const struct plan_shortlist_block *block; /* NULL where too many would be listed */
    double ln_n, ln_tokens;                   /* the middle */
};

struct plan_shortlists {
    const double *draws; /* they are of; NULL: none */
    double level;
    struct {
        double ln_g, ratio;
        struct plan_shortlist piece[PLAN_SHORTLIST_PIECES];
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
