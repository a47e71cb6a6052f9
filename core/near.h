/* near: powers of 2 and logarithms in single precision, for what need not be exact.
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

/* |x| <= 120: within 2^-18 relative of 2^x. x = k + r, |r| <= 1/2; 2^r by a polynomial of degree 4
 * whose error is evened out (Remez), 2^k by adding k to its exponent. */
LANES_INLINE float near_exp2(float x)
{
    const float whole = 0x1.8p23F; /* added, it leaves k in the low bits */
    float shifted = x + whole, r = x - (shifted - whole);
    float p = 0x1.399b70p-7F;

    p = p * r + 0x1.ca15f0p-5F;
    p = p * r + 0x1.ec06cep-3F;
    p = p * r + 0x1.62e0d8p-1F;
    p = p * r + 0x1.ffffe8p-1F;
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
