/* number_table: powers of ten to 128 bits, for number.c and number_read.c.
 *
 * Row e - NUMBER_POWER_MIN holds 10^e scaled by a power of two into [2^127, 2^128) and rounded up:
 *
 *     ceil(10^e * 2^(127 - floor(log2(10^e))))        as {high 64 bits, low 64 bits}
 *
 * Exact for 0 <= e <= 55. tests/unit/server/number_test.c computes every row again with big
 * integers.
 */
#ifndef MOEPLAN_SERVER_NUMBER_TABLE_H
#define MOEPLAN_SERVER_NUMBER_TABLE_H

#include <stdint.h>

enum { NUMBER_POWER_MIN = -292, NUMBER_POWER_MAX = 324 };

struct number_power {
    uint64_t high, low;
};

extern const struct number_power number_powers[NUMBER_POWER_MAX - NUMBER_POWER_MIN + 1];

/* floor(log2(10^e)) for every row. */
static inline int number_log2_pow10(int e)
{
    return (e * 217706) >> 16;
}

__extension__ typedef unsigned __int128 number_uint128;

/* A double as IEEE 754 has it: significand·2^(field − NUMBER_EXPONENT_BIAS). */
enum {
    NUMBER_SIGNIFICAND_BITS = 52,
    NUMBER_EXPONENT_MASK = 0x7ff,
    NUMBER_EXPONENT_BIAS = 1075,
};

#endif
