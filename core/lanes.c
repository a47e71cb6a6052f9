#include "core/lanes.h"

#include <float.h>
#include <math.h>

/* Whole blocks; adds up what lay beyond. */
LANES_INLINE uint64_t exp_block(double *x)
{
    uint64_t beyond = 0;
    double result[LANES];

    for (int i = 0; i < LANES; i++) {
        beyond += lanes_beyond(x[i]);
        result[i] = lanes_exp(x[i]);
    }
    if (beyond == 0)
        memcpy(x, result, sizeof result);
    return beyond;
}

static void exp_one_by_one(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = lanes_beyond(x[i]) ? exp(x[i]) : lanes_exp(x[i]);
}

LANES_CLONES
void lanes_exp_each(double *x, size_t count)
{
    double rest[LANES] = {0};
    size_t i = 0;

    for (; i + LANES <= count; i += LANES)
        if (exp_block(x + i) > 0)
            exp_one_by_one(x + i, LANES);
    if (count - i <= 2) { /* a point alone: a block is dearer */
        exp_one_by_one(x + i, count - i);
        return;
    }
    memcpy(rest, x + i, (count - i) * sizeof *rest);
    if (exp_block(rest) > 0)
        exp_one_by_one(rest, LANES);
    memcpy(x + i, rest, (count - i) * sizeof *rest);
}

/* Wider blocks could reach past the range of doubles at one end while the other is within it. */
static const double block_width_most = 8;

LANES_CLONES
void lanes_exp_steps(double first, double step, size_t count, double *ret)
{
    double within[LANES];

    if (!(fabs(step) * LANES <= block_width_most)) {
        for (size_t i = 0; i < count; i++)
            ret[i] = first + (double)i * step;
        lanes_exp_each(ret, count);
        return;
    }
    for (int l = 0; l < LANES; l++)
        within[l] = l * step;
    lanes_exp_each(within, LANES);
    for (size_t at = 0; at < count; at += LANES) {
        double start = exp(first + (double)at * step);
        size_t n = count - at < LANES ? count - at : LANES;

        for (size_t l = 0; l < n; l++)
            ret[at + l] = start * within[l];
    }
}

/* How many of a block are not positive normal numbers. */
LANES_INLINE uint64_t log_block(double *x)
{
    const uint64_t least = (uint64_t)1 << 52, past = (uint64_t)0x7ff << 52;
    uint64_t beyond = 0;

    for (int i = 0; i < LANES; i++) {
        uint64_t bits = lanes_bits(x[i]);

        beyond |= (bits - least) | (past - 1 - bits); /* the sign: below, or beyond */
        x[i] = lanes_log(x[i]);
    }
    return beyond >> 63;
}

LANES_CLONES
bool lanes_log_each(double *x, size_t count)
{
    double rest[LANES];
    uint64_t beyond = 0;
    size_t i = 0;

    for (; i + LANES <= count; i += LANES)
        beyond |= log_block(x + i);
    for (size_t j = 0; j < LANES; j++)
        rest[j] = i + j < count ? x[i + j] : 1.0;
    if (i < count)
        beyond |= log_block(rest);
    memcpy(x + i, rest, (count - i) * sizeof *rest);
    return beyond == 0;
}

LANES_CLONES
double lanes_dot(const double *a, const double *b, size_t count)
{
    double sum[LANES] = {0}, rest = 0.0;
    size_t i = 0;

    for (; i + LANES <= count; i += LANES)
        for (size_t l = 0; l < LANES; l++)
            sum[l] += a[i + l] * b[i + l];
    for (; i < count; i++)
        rest += a[i] * b[i];
    for (size_t half = LANES / 2; half > 0; half /= 2)
        for (size_t l = 0; l < half; l++)
            sum[l] += sum[l + half];
    return sum[0] + rest;
}

LANES_CLONES
void lanes_add(double *restrict to, double factor, const double *restrict x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] += factor * x[i];
}
