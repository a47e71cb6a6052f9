/* hex: words as hexadecimal text. */
#ifndef MOEPLAN_SERVER_HEX_H
#define MOEPLAN_SERVER_HEX_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

enum { HEX_DIGITS = 16 };

/* Eight digits, the last in the lowest byte: nibbles moved apart, half as far each time. */
static inline uint64_t hex_eight(uint32_t value)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t digits = (value | (uint64_t)value << 16) & UINT64_C(0x0000FFFF0000FFFF);
    uint64_t letters;

    digits = (digits | digits << 8) & UINT64_C(0x00FF00FF00FF00FF);
    digits = (digits | digits << 4) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    letters = (digits + 6 * ones) >> 4 & ones; /* 1 from ten on */
    return digits + '0' * ones + ('a' - '0' - 10) * letters;
}

/* In lower case, the highest digit first, not terminated. */
static inline void hex_write(uint64_t value, char ret_text[HEX_DIGITS])
{
    uint64_t high = htobe64(hex_eight((uint32_t)(value >> 32)));
    uint64_t low = htobe64(hex_eight((uint32_t)value));

    memcpy(ret_text, &high, sizeof high);
    memcpy(ret_text + sizeof high, &low, sizeof low);
}

#endif
