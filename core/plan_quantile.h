/* plan_quantile: which of many values a quantile is, when they are known nearly: a few that may be
 * it, who then are asked exactly.
 *
 * Internal to the planner. Two at once, the two of an interval. Values are > 0, and INFINITY behind
 * the last up to a multiple of NEAR_LANES.
 */
#ifndef MOEPLAN_CORE_PLAN_QUANTILE_H
#define MOEPLAN_CORE_PLAN_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values taken at most where rounding cannot tell more apart. */
enum { PLAN_QUANTILE_MANY = 128 };

/* Where a quantile is: `fraction` of the way from the k-th smallest value to the next. A range
 * holds both: low < the k-th, the next <= high; so many values are at most its ends. */
struct plan_quantile {
    size_t k;
    double fraction;
    bool is_low; /* of the two of an interval */
    float low, high;
    size_t under, upto;
    float middle, reach; /* about where it is looked for, as long as an end is open */
    float margin;        /* how much wider the next cuts must be, in ranges */
    /* The draws in the range at last. Where the next configuration begins, since their order
     * changes little from one E to the next; at first, some of all. */
    size_t n, place[PLAN_QUANTILE_MANY];
};

/* Of `count` values. */
struct plan_quantile plan_quantile_at(double probability, size_t count);

/* Narrows both ranges to few of `count` values, each within `error` of what is asked for, relative.
 * mark_room: a byte for each of `stride`. False where too many may be the ones looked for. */
bool plan_quantile_find(const float *value, size_t count, size_t stride, double error,
                        uint8_t *mark_room, struct plan_quantile q[2]);

#endif
