#include "core/plan_quantile.h"

#include <endian.h>
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/near.h"

/* A range of FEW is aimed at. */
enum { FEW = 16, MANY = PLAN_QUANTILE_MANY, CUTS = 4, NARROWINGS = 24 };

/* What is further than so many errors from a value is not it for certain. */
static const double errors_apart = 4;

struct plan_quantile plan_quantile_at(double probability, size_t count)
{
    double at = probability * (double)(count - 1);
    size_t k = (size_t)at;
    struct plan_quantile q = {.k = k, .fraction = at - (double)k, .is_low = probability < 0.5};

    for (q.n = 0; q.n < FEW && q.n < count; q.n++)
        q.place[q.n] = q.n * count / FEW;
    return q;
}

LANES_INLINE void count_block(const float *value, float most, uint32_t count[NEAR_LANES])
{
    for (int i = 0; i < NEAR_LANES; i++)
        count[i] += value[i] <= most ? 1 : 0;
}

LANES_INLINE size_t sum_of(const uint32_t count[NEAR_LANES])
{
    uint32_t sum = 0;

    for (int i = 0; i < NEAR_LANES; i++)
        sum += count[i];
    return sum;
}

/* How many values are at most each of the thresholds. */
LANES_CLONES
static void count_at_most(const float *value, size_t stride, const float most[CUTS],
                          size_t ret_count[CUTS])
{
    uint32_t a[NEAR_LANES] = {0}, b[NEAR_LANES] = {0}, c[NEAR_LANES] = {0}, d[NEAR_LANES] = {0};
    const float at_a = most[0], at_b = most[1], at_c = most[2], at_d = most[3];

    for (size_t at = 0; at < stride; at += NEAR_LANES) {
        count_block(value + at, at_a, a);
        count_block(value + at, at_b, b);
        count_block(value + at, at_c, c);
        count_block(value + at, at_d, d);
    }
    ret_count[0] = sum_of(a);
    ret_count[1] = sum_of(b);
    ret_count[2] = sum_of(c);
    ret_count[3] = sum_of(d);
}

/* Which values lie in (range[0], range[1]], bit 0, or (range[2], range[3]], bit 1. */
LANES_CLONES
static void mark(const float *value, size_t stride, const float range[CUTS], uint8_t *ret_mark)
{
    const float low_a = range[0], high_a = range[1], low_b = range[2], high_b = range[3];

    for (size_t i = 0; i < stride; i++)
        ret_mark[i] = (uint8_t)(((value[i] > low_a) & (value[i] <= high_a)) |
                                ((value[i] > low_b) & (value[i] <= high_b)) << 1);
}

/* Forgets the range but not its draws, whose values say where the next will be. */
static void begin(const float *value, size_t count, struct plan_quantile *q)
{
    float least = INFINITY, most = -INFINITY;

    for (size_t i = 0; i < q->n; i++) {
        least = fminf(least, value[q->place[i]]);
        most = fmaxf(most, value[q->place[i]]);
    }
    q->middle = (least + most) / 2;
    q->reach = (most - least) * 0.625F;
    q->low = -INFINITY;
    q->high = INFINITY;
    q->under = 0;
    q->upto = count;
    q->margin = 0;
}

/* As long as an end is open: about the middle, further each time. */
static void cuts_around(struct plan_quantile *q, float ret_cut[2])
{
    ret_cut[0] = fmaxf(q->low, q->middle - q->reach);
    ret_cut[1] = fminf(q->high, q->middle + q->reach);
    q->reach *= 2;
}

/* Where few would be left between if the range's values lay as those of a tail do, their number
 * growing with the square of the distance from its end, but for some deviations of that number; and
 * wider by the margin. */
static void cuts_within(const struct plan_quantile *q, float ret_cut[2])
{
    float n = (float)(q->upto - q->under), share = (float)(q->k + 1 - q->under) / n;
    float at = q->is_low ? sqrtf(share) : 1 - sqrtf(1 - share);
    float width = q->high - q->low, margin = q->margin + 1.5F / sqrtf(n);

    ret_cut[0] = q->low + width * fmaxf(at - margin, at / 4);
    ret_cut[1] = q->high - width * fmaxf(1 - at - margin, (1 - at) / 4);
}

static void take_cuts(struct plan_quantile *q, const float at[2], const size_t count[2])
{
    bool missed = count[0] > q->k || count[1] < q->k + 2;

    for (int j = 0; j < 2 && count[j] <= q->k; j++) {
        q->low = at[j];
        q->under = count[j];
    }
    for (int j = 1; j >= 0 && count[j] >= q->k + 2; j--) {
        q->high = at[j];
        q->upto = count[j];
    }
    q->margin = missed ? 2 * q->margin + 0.1F : 0;
}

/* Narrows the ranges to few values, by counting, which no branch of the data slows; both at once,
 * which takes no longer. */
static void narrow(const float *value, size_t stride, struct plan_quantile q[2])
{
    for (int turn = 0; turn < NARROWINGS; turn++) {
        bool few = true;
        float cut[CUTS];
        size_t count[CUTS];

        for (int i = 0; i < 2; i++)
            if (q[i].low == -INFINITY || q[i].high == INFINITY)
                cuts_around(&q[i], cut + 2 * i);
            else
                cuts_within(&q[i], cut + 2 * i);
        count_at_most(value, stride, cut, count);
        for (int i = 0; i < 2; i++) {
            take_cuts(&q[i], cut + 2 * i, count + 2 * i);
            few = few && q[i].upto - q[i].under <= FEW;
        }
        if (few)
            break;
    }
}

/* The places of the values in either range, both widened by so much, and how many values lie below
 * that; false when they are too many. */
static bool gather(const float *value, size_t stride, float wider, uint8_t *marked,
                   struct plan_quantile q[2])
{
    float range[CUTS];

    for (int i = 0; i < 2; i++) {
        range[2 * i] = q[i].low * (1 - wider);
        range[2 * i + 1] = fminf(q[i].high * (1 + wider), FLT_MAX); /* not what fills up a row */
        q[i].n = 0;
    }
    mark(value, stride, range, marked);
    for (size_t at = 0; at < stride; at += sizeof(uint64_t)) {
        uint64_t marks;

        memcpy(&marks, marked + at, sizeof marks);
        for (marks = le64toh(marks); marks != 0; marks &= marks - 1) {
            size_t bit = (size_t)__builtin_ctzll(marks), place = at + bit / 8;
            struct plan_quantile *of = &q[bit % 8];

            if (of->n == MANY)
                return false;
            of->place[of->n++] = place;
            of->under -= value[place] <= of->low ? 1 : 0;
        }
    }
    return true;
}

bool plan_quantile_find(const float *value, size_t count, size_t stride, double error,
                        uint8_t *mark_room, struct plan_quantile q[2])
{
    begin(value, count, &q[0]);
    begin(value, count, &q[1]);
    narrow(value, stride, q);
    return gather(value, stride, (float)(errors_apart * error), mark_room, q);
}
