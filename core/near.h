/* near: exponentials and logarithms in single precision, for what need not be exact.
 *
 * Private to core. Written as lanes.h is, with twice as many to a vector.
 */
#ifndef MOEPLAN_CORE_NEAR_H
#define MOEPLAN_CORE_NEAR_H

#include "core/lanes.h"

enum { NEAR_LANES = 16 };

LANES_INLINE uint32_t near_bits(float x)
{
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

LANES_INLINE float near_float(uint32_t bits)
{
    float x;

    memcpy(&x, &bits, sizeof x);
    return x;
}

/* |x| <= 80: within 3·2^-24·(1 + |x|) relative of e^x. As lanes_exp, but of a polynomial of degree
 * 5 whose error is evened out (Remez), 2^k by adding k to its exponent, and k·ln 2 taken in one. */
LANES_INLINE float near_exp(float x)
{
    const float whole = 0x1.8p23F;
    float shifted = x * 0x1.715476p0F + whole;
    float r = x - (shifted - whole) * 0.693147181F;
    float p = 0x1.0fe5b8p-7F;

    p = p * r + 0x1.575f08p-5F;
    p = p * r + 0x1.555a18p-3F;
    p = p * r + 0x1.fffd1ap-2F;
    p = p * r + 0x1.fffff6p-1F;
    p = p * r + 0x1.000002p0F;
    return near_float(near_bits(p) + (near_bits(shifted) << 23));
}

/* x positive and normal: within 2^-22·(1 + |ln x|) of ln x, as lanes_log makes it. */
LANES_INLINE float near_log(float x)
{
    const uint32_t root_half = 0x3f3504f3;
    uint32_t bits = near_bits(x), above = bits - root_half + ((uint32_t)128 << 23);
    uint32_t exponent = above >> 23;
    float k = near_float(exponent | 0x4b000000) - (0x1p23F + 128);
    float m = near_float(bits - ((exponent - 128) << 23));
    float s = (m - 1) / (m + 1), z = s * s;
    float p = 1.0F / 9;

    p = p * z + 1.0F / 7;
    p = p * z + 1.0F / 5;
    p = p * z + 1.0F / 3;
    return k * 0.693147181F + (2 * s + 2 * s * z * p);
}

#endif
