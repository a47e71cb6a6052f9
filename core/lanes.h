/* lanes: exponentials and logarithms written so that the compiler makes vectors of them.
 *
 * Private to core. No branch and no table: a loop of LANES iterations over arrays of its own
 * becomes vector instructions. Within 2 ulp in their ranges; outside they give anything, so callers
 * add up lanes_beyond. Every build gives the same bits: nothing is contracted or reordered.
 */
#ifndef MOEPLAN_CORE_LANES_H
#define MOEPLAN_CORE_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LANES = 16 };

/* Built for each and chosen at load time; sanitizers do not know such functions. */
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define LANES_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define LANES_CLONES
#endif

/* What clones call must be part of them. */
#define LANES_INLINE static inline __attribute__((always_inline))

LANES_INLINE uint64_t lanes_bits(double x)
{
    uint64_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

LANES_INLINE double lanes_double(uint64_t bits)
{
    double x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* 1 where |x| > 700 or x is NAN, else 0. */
LANES_INLINE uint64_t lanes_beyond(double x)
{
    const uint64_t sign = (uint64_t)1 << 63, most = 0x4085e00000000000; /* 700 */

    return (most - (lanes_bits(x) & ~sign)) >> 63;
}

/* |x| <= 700. x = k·ln 2 + r, |r| <= ln 2/2; e^r by its series, whose 14th term is below 1e-17. */
LANES_INLINE double lanes_exp(double x)
{
    const double whole = 0x1.8p52; /* added, it leaves k in the low bits */
    double shifted = x * 0x1.71547652b82fep0 + whole;
    double k = shifted - whole;
    double r = x - k * 6.93147180369123816490e-01 - k * 1.90821492927058770002e-10;
    double p = 1.0 / 6227020800;

    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 1.0 / 2;
    p = p * r + 1;
    p = p * r + 1;
    return p * lanes_double((lanes_bits(shifted) + 1023) << 52);
}

/* x positive and normal. x = m·2^k, m in [√½, √2); ln m = 2·artanh((m − 1)/(m + 1)) by its series.
 */
LANES_INLINE double lanes_log(double x)
{
    const uint64_t root_half = 0x3fe6a09e667f3bcd;
    uint64_t bits = lanes_bits(x), above = bits - root_half + ((uint64_t)1024 << 52);
    uint64_t exponent = above >> 52;
    double k = lanes_double(exponent | 0x4330000000000000) - (0x1p52 + 1024);
    double m = lanes_double(bits - ((exponent - 1024) << 52));
    double s = (m - 1) / (m + 1), z = s * s;
    double p = 1.0 / 21;

    p = p * z + 1.0 / 19;
    p = p * z + 1.0 / 17;
    p = p * z + 1.0 / 15;
    p = p * z + 1.0 / 13;
    p = p * z + 1.0 / 11;
    p = p * z + 1.0 / 9;
    p = p * z + 1.0 / 7;
    p = p * z + 1.0 / 5;
    p = p * z + 1.0 / 3;
    return k * 6.93147180369123816490e-01 +
           (2 * s + (2 * s * z * p + k * 1.90821492927058770002e-10));
}

/* e^x of each in place: lanes_exp's bits, and where that would be beyond its range libm's. */
void lanes_exp_each(double *x, size_t count);

/* ret[i] = e^(first + i·step): an exponential for each LANES of them, and products between. */
void lanes_exp_steps(double first, double step, size_t count, double *ret);

/* ln x of each in place; false, and some of them lost, unless all are positive and normal. */
bool lanes_log_each(double *x, size_t count);

/* Σ a_i·b_i, always added up in the same order. */
double lanes_dot(const double *a, const double *b, size_t count);

/* to_i += factor·x_i */
void lanes_add(double *to, double factor, const double *x, size_t count);

#endif
