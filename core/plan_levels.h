/* plan_levels: many values as levels of a byte each, 256 over a span.
 *
 * Internal to the planner. What is looked through again and again are levels, not values: a vector
 * holds many, and they are counted, not moved, which no branch of the data slows. They are in the
 * order of their values; what lies beyond the span has its end's level.
 */
#ifndef MOEPLAN_CORE_PLAN_LEVELS_H
#define MOEPLAN_CORE_PLAN_LEVELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Places are found one by one up to MANY. */
enum { PLAN_LEVELS = 256, PLAN_LEVELS_CUTS = 4, PLAN_LEVELS_MANY = 512, PLAN_LEVELS_PAST = 72 };

struct plan_levels {
    const float *value;
    size_t count;
    float end[2], scale; /* the span, and levels to a unit */
    int8_t *level;       /* less 128, which is what vectors compare */
    uint8_t *mark;
};

/* Of `count` values, in plan_levels_room(count) bytes of the caller's. */
size_t plan_levels_room(size_t count);
struct plan_levels plan_levels_of(const float *value, size_t count, uint8_t *room);

/* Fills them in; false where end[0] < end[1] is not so, or the span too small to be divided. */
bool plan_levels_fill(struct plan_levels *levels, const float end[2]);

/* How many of them are below each of the cuts, from 0 to PLAN_LEVELS - 1. */
void plan_levels_below(const struct plan_levels *levels, const int cut[PLAN_LEVELS_CUTS],
                       size_t ret_count[PLAN_LEVELS_CUTS]);

/* The places of those from low to below high; more than PLAN_LEVELS_MANY when there are more, or
 * would be with what fills up the room, which has the highest level. */
size_t plan_levels_places(const struct plan_levels *levels, int low, int high,
                          size_t ret_place[PLAN_LEVELS_MANY + PLAN_LEVELS_PAST]);

#endif
