/* plan_quantile: which of many values a quantile is, when they are known nearly: a few that may be
 * it, who then are asked exactly.
 *
 * Internal to the planner. Two at once, the two of an interval.
 */
#ifndef MOEPLAN_CORE_PLAN_QUANTILE_H
#define MOEPLAN_CORE_PLAN_QUANTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Values taken at most where nearness cannot tell more apart. */
enum { PLAN_QUANTILE_MANY = 128 };

/* Where a quantile is: `fraction` of the way from the k-th smallest value to the next. */
struct plan_quantile {
    size_t k;
    double fraction;
    /* What plan_quantile_find finds: the places of all values that may be the k-th or the next, and
     * how many values are certainly less. */
    size_t n, place[PLAN_QUANTILE_MANY], under;
};

/* Of `count` values. */
struct plan_quantile plan_quantile_at(double probability, size_t count);

/* How many bytes plan_quantile_find works in. */
size_t plan_quantile_room(size_t count);

/* Looks for both among `count` >= NEAR_LANES values > 0, each within `error` of what is asked for,
 * relative. False where too many may be the ones looked for. */
bool plan_quantile_find(const float *value, size_t count, double error, uint8_t *room,
                        struct plan_quantile q[2]);

#endif
