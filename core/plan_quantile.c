#include "core/plan_quantile.h"

#include <math.h>
#include <string.h>

#include "core/near.h"
#include "core/plan_levels.h"

/* Ranges of FEW values are aimed at, in TURNS; more than SOME in one are spread over all levels, at
 * most CLOSER times; more than MANY are too many. */
enum {
    FEW = 12,
    TURNS = 8,
    CLOSER = 4,
    SOME = 96,
    MANY = PLAN_LEVELS_MANY,
    LEVELS = PLAN_LEVELS,
    CUTS = PLAN_LEVELS_CUTS,
    RANKED = 3
};

struct plan_quantile plan_quantile_at(double probability, size_t count)
{
    double at = probability * (double)(count - 1);
    size_t k = (size_t)at;

    return (struct plan_quantile){.k = k, .fraction = at - (double)k};
}

size_t plan_quantile_room(size_t count)
{
    return plan_levels_room(count);
}

/* What a loop over VECTOR lanes would be, where compilers make something else of it: vectors that
 * AVX2 compares at once, as AVX-512 does. */
enum { VECTOR = 8 };
typedef float floats __attribute__((vector_size(VECTOR * sizeof(float))));
typedef int32_t ints __attribute__((vector_size(VECTOR * sizeof(int32_t))));

LANES_INLINE void take_greater(ints *most, const ints *other)
{
    ints greater = *other > *most;

    *most = (*other & greater) | (*most & ~greater);
}

LANES_INLINE float greatest(const ints *values)
{
    int32_t value[VECTOR];

    memcpy(value, values, sizeof value);
    for (int half = VECTOR / 2; half > 0; half /= 2)
        for (int i = 0; i < half; i++)
            value[i] = value[i + half] > value[i] ? value[i + half] : value[i];
    return near_float((uint32_t)value[0]);
}

/* The k-th smallest of n values > 0, for three k; n is a multiple of NEAR_LANES. It is the greatest
 * of those than which no more are less. As positive ones, their bits are in their order. */
LANES_CLONES
static void find_ranked(const float *value, size_t n, const int32_t k[RANKED],
                        float ret_value[RANKED])
{
    const int32_t k_a = k[0], k_b = k[1], k_c = k[2];
    ints a = {0}, b = {0}, c = {0};

    for (size_t from = 0; from < n; from += 2 * VECTOR) {
        floats at[2];
        ints rank[2] = {{0}, {0}};

        memcpy(at, value + from, sizeof at);
        for (size_t j = 0; j < n; j++) {
            rank[0] -= at[0] > value[j];
            rank[1] -= at[1] > value[j];
        }
        for (int i = 0; i < 2; i++) {
            const ints in_a = (ints)at[i] & (rank[i] <= k_a), in_b = (ints)at[i] & (rank[i] <= k_b);
            const ints in_c = (ints)at[i] & (rank[i] <= k_c);

            take_greater(&a, &in_a);
            take_greater(&b, &in_b);
            take_greater(&c, &in_c);
        }
    }
    ret_value[0] = greatest(&a);
    ret_value[1] = greatest(&b);
    ret_value[2] = greatest(&c);
}

/* The least and the greatest of every lane of the first values. */
LANES_CLONES
static void find_extremes(const float *value, size_t count, float ret_least[NEAR_LANES],
                          float ret_most[NEAR_LANES])
{
    for (size_t from = 0; from < NEAR_LANES; from += VECTOR) {
        ints less, most; /* less: the least, of which the signs are changed to look for the most */

        memcpy(&most, value + from, sizeof most);
        less = -most;
        for (size_t at = from + NEAR_LANES; at < count; at += NEAR_LANES) {
            ints bits, opposite;

            memcpy(&bits, value + at, sizeof bits);
            opposite = -bits;
            take_greater(&most, &bits);
            take_greater(&less, &opposite);
        }
        less = -less;
        memcpy(ret_least + from, &less, sizeof less);
        memcpy(ret_most + from, &most, sizeof most);
    }
}

/* The levels from low to below high hold the k-th value and the next: `under` values lie below low,
 * `upto` below high. */
struct range {
    size_t k, count;
    int low, high;
    size_t under, upto;
};

/* Takes a cut inside that leaves both on one side of it. */
static void take_cut(struct range *range, int cut, size_t below)
{
    bool inside = cut > range->low && cut < range->high;
    bool is_low = inside && below <= range->k, is_high = inside && below >= range->k + 2;

    range->low = is_low ? cut : range->low;
    range->under = is_low ? below : range->under;
    range->high = is_high ? cut : range->high;
    range->upto = is_high ? below : range->upto;
}

static bool is_narrow(const struct range *range)
{
    return range->upto - range->under <= FEW || range->high - range->low <= 2;
}

/* A measure of how many values lie below that goes about evenly with their levels, as the fourth
 * root of a number in a tail does. */
static float evenly(const struct range *range, float below)
{
    float beyond = 2 * range->k < range->count ? below : below - (float)range->count;

    return copysignf(sqrtf(sqrtf(fabsf(beyond))), beyond);
}

/* The level below which so many would lie if they went on as between two, but within the range. */
static int level_at(const struct range *range, float below, const int level[2], const float at[2])
{
    float slope = (float)(level[1] - level[0]) / (at[1] - at[0]);
    float cut = (float)level[0] + slope * (evenly(range, below) - at[0]);
    float least = (float)(range->low + 1), most = (float)(range->high - 1);

    cut = cut < most ? cut : most;
    return (int)(cut > least ? cut : least);
}

/* Puts cuts, of which `below` were below them, where FEW would be left between; wider each turn. */
static void move_cuts(const struct range *range, int turn, const size_t below[2], int cut[2])
{
    bool open = range->low == 0 || range->high == LEVELS;
    const int level[2] = {open ? cut[0] : range->low, open ? cut[1] : range->high};
    const float count[2] = {(float)(open ? below[0] : range->under),
                            (float)(open ? below[1] : range->upto) + 1e-3F};
    const float at[2] = {evenly(range, count[0]), evenly(range, count[1])};
    float want = (float)(range->k + 1), reach = (0.35F + 0.1F * (float)turn) * FEW;

    reach += 0.25F * (count[0] > want ? count[0] - want : 0);
    reach += 0.25F * (count[1] < want ? want - count[1] : 0);
    cut[0] = level_at(range, want > reach ? want - reach : 0, level, at);
    cut[1] = level_at(range, want + reach, level, at);
    cut[1] += cut[1] + 1 < range->high ? 1 : 0;
}

/* Narrows the ranges to few values; both at once, which takes little longer. */
static void narrow(const struct plan_levels *levels, struct range range[2], int cut[CUTS])
{
    for (int turn = 0; turn < TURNS; turn++) {
        size_t below[CUTS];

        plan_levels_below(levels, cut, below);
        for (int j = 0; j < CUTS; j++)
            take_cut(&range[j / 2], cut[j], below[j]);
        if (turn > 0 && is_narrow(&range[0]) && is_narrow(&range[1]))
            break;
        move_cuts(&range[0], turn, below, cut);
        move_cuts(&range[1], turn, below + 2, cut + 2);
    }
}

/* By how many levels a range must be wider to hold all that may be what its values are; LEVELS or
 * more where that is no use. With what rounding adds. */
static int wider_by(const struct plan_levels *levels, double error)
{
    double levels_apart = ceil(2 * error * (double)(levels->end[1] * levels->scale) + 0.01);

    return levels_apart < LEVELS ? (int)levels_apart : LEVELS;
}

/* Of the values at n places, `under` values being less than all of them, those that may be the k-th
 * or the next, which is nearly so: one value is off by `error`, so is the other. False when too
 * many may. */
static bool keep_nearest(const float *value, const size_t *place, size_t n, size_t under,
                         double error, struct plan_quantile *q)
{
    const int32_t k = (int32_t)(q->k - under), rank[RANKED] = {k, k + 1, 0};
    const float apart = (float)(2.1 * error + 0x1p-22); /* with error² and rounding */
    float found[MANY + NEAR_LANES], end[RANKED];

    for (size_t i = 0; i < n; i++)
        found[i] = value[place[i]];
    for (size_t i = 0; i < NEAR_LANES; i++)
        found[n + i] = INFINITY;
    find_ranked(found, (n + NEAR_LANES - 1) / NEAR_LANES * NEAR_LANES, rank, end);
    end[0] *= 1 - apart;
    end[1] *= 1 + apart;
    q->n = 0;
    q->under = under;
    for (size_t i = 0; i < n && q->n < PLAN_QUANTILE_MANY; i++) {
        q->under += found[i] < end[0] ? 1 : 0;
        q->place[q->n] = place[i];
        q->n += ((found[i] >= end[0]) & (found[i] <= end[1])) != 0 ? 1 : 0;
    }
    return q->n < PLAN_QUANTILE_MANY;
}

/* Finds what may be the quantile that lies in the range; false when more than `most` values lie
 * there, or too many may be it. */
static bool gather(const struct plan_levels *levels, const struct range *range, double error,
                   size_t most, struct plan_quantile *q)
{
    int wider = wider_by(levels, error);
    int low = range->low > wider ? range->low - wider : 0;
    int high = range->high + wider < LEVELS ? range->high + wider : LEVELS;
    size_t place[MANY + PLAN_LEVELS_PAST], n = plan_levels_places(levels, low, high, place);
    size_t under = range->under;

    if (n > most)
        return false;
    for (size_t i = 0; i < n; i++)
        under -= levels->level[place[i]] < range->low - LEVELS / 2 ? 1 : 0;
    return keep_nearest(levels->value, place, n, under, error, q);
}

/* The same of MANY, with all levels over the range as long as that makes them finer and nearness
 * can tell its values apart. */
static bool gather_closer(const struct plan_levels *levels, const struct range *range, double error,
                          struct plan_quantile *q)
{
    struct plan_levels closer = *levels;
    struct range last[2] = {*range, *range};

    for (int i = 0; i < CLOSER; i++) {
        int wider = wider_by(&closer, error), cut[CUTS] = {64, 192, 64, 192};
        const float end[2] = {closer.end[0] + (float)(last[0].low - wider - 1) / closer.scale,
                              closer.end[0] + (float)(last[0].high + wider + 1) / closer.scale};

        if (last[0].high - last[0].low + 2 * wider > LEVELS / 2 || !plan_levels_fill(&closer, end))
            break;
        last[0] = last[1] =
            (struct range){.k = q->k, .count = closer.count, .high = LEVELS, .upto = closer.count};
        narrow(&closer, last, cut);
        if (gather(&closer, &last[0], error, SOME, q))
            return true;
    }
    return gather(&closer, &last[0], error, MANY, q);
}

static int cut_at(float value, const struct plan_levels *levels)
{
    float level = (value - levels->end[0]) * levels->scale;

    level = level < LEVELS - 2 ? level : LEVELS - 2;
    return (int)(level > 1 ? level : 1);
}

/* Fills in the levels over most values, and the first cuts: from the extremes of each lane of so
 * many values that half of the lanes have one beyond the quantile. False where they are equal. */
static bool begin(struct plan_levels *levels, const struct plan_quantile q[2], int ret_cut[CUTS])
{
    static const int32_t low_rank[RANKED] = {1, 4, 13}, high_rank[RANKED] = {2, 11, 14};
    const size_t all = levels->count / NEAR_LANES * NEAR_LANES;
    const size_t some = levels->count * 11 / (q[0].k + 1) / NEAR_LANES * NEAR_LANES;
    float least[NEAR_LANES], most[NEAR_LANES], low[RANKED], high[RANKED];

    find_extremes(levels->value, some < all ? some : all, least, most);
    find_ranked(least, NEAR_LANES, low_rank, low);
    find_ranked(most, NEAR_LANES, high_rank, high);
    if (!plan_levels_fill(levels, (const float[2]){low[0], high[2]}))
        return false;
    ret_cut[0] = cut_at(low[1], levels);
    ret_cut[1] = cut_at(low[2], levels) + 1;
    ret_cut[2] = cut_at(high[0], levels);
    ret_cut[3] = cut_at(high[1], levels) + 1;
    return true;
}

bool plan_quantile_find(const float *value, size_t count, double error, uint8_t *room,
                        struct plan_quantile q[2])
{
    struct plan_levels levels = plan_levels_of(value, count, room);
    struct range range[2];
    int cut[CUTS];
    bool found[2];

    for (int i = 0; i < 2; i++)
        range[i] = (struct range){.k = q[i].k, .count = count, .high = LEVELS, .upto = count};
    if (!begin(&levels, q, cut) || wider_by(&levels, error) >= LEVELS)
        return false;
    narrow(&levels, range, cut);
    for (int i = 0; i < 2; i++)
        found[i] = gather(&levels, &range[i], error, SOME, &q[i]);
    for (int i = 0; i < 2; i++) {
        if (i == 1 && !found[0] && !plan_levels_fill(&levels, levels.end)) /* as they were */
            return false;
        if (!found[i] && !gather_closer(&levels, &range[i], error, &q[i]))
            return false;
    }
    return true;
}
