#include "server/etag.h"

#include <stdio.h>
#include <string.h>

static uint64_t rotate(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

static uint64_t finish(uint64_t k)
{
    k ^= k >> 33;
    k *= 0xFF51AFD7ED558CCD;
    k ^= k >> 33;
    k *= 0xC4CEB9FE1A85EC53;
    return k ^ k >> 33;
}

static const uint64_t C1 = 0x87C37B91114253D5, C2 = 0x4CF5AD432745937F;

static uint64_t mix_low(uint64_t k)
{
    return rotate(k * C1, 31) * C2;
}

static uint64_t mix_high(uint64_t k)
{
    return rotate(k * C2, 33) * C1;
}

/* Up to eight bytes, little-endian. */
static uint64_t load(const unsigned char *bytes, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < count; i++)
        word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

/* The same for eight, which compilers make one instruction of. */
static uint64_t load_word(const unsigned char *b)
{
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 |
           (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 |
           (uint64_t)b[7] << 56;
}

void etag_hash(const void *bytes, size_t length, uint64_t ret_hash[2])
{
    const unsigned char *at = bytes;
    uint64_t low = 0, high = 0;
    size_t rest = length % 16;

    for (const unsigned char *end = at + (length - rest); at < end; at += 16) {
        low ^= mix_low(load_word(at));
        low = (rotate(low, 27) + high) * 5 + 0x52DCE729;
        high ^= mix_high(load_word(at + 8));
        high = (rotate(high, 31) + low) * 5 + 0x38495AB5;
    }
    if (rest > 8)
        high ^= mix_high(load(at + 8, rest - 8));
    if (rest > 0)
        low ^= mix_low(load(at, rest < 8 ? rest : 8));
    low ^= length;
    high ^= length;
    low += high;
    high += low;
    low = finish(low);
    high = finish(high);
    low += high;
    high += low;
    ret_hash[0] = low;
    ret_hash[1] = high;
}

void etag_write(const void *bytes, size_t length, char ret_tag[ETAG_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    uint64_t hash[2];
    char *at = ret_tag;

    etag_hash(bytes, length, hash);
    *at++ = '"';
    for (int i = 0; i < 2; i++)
        for (int shift = 60; shift >= 0; shift -= 4)
            *at++ = digits[hash[i] >> shift & 15];
    *at++ = '"';
    *at = '\0';
}

void etag_of_gzip(const char *tag, char ret_tag[ETAG_BYTES])
{
    size_t length = strlen(tag) - 1; /* without the closing quote */

    memmove(ret_tag, tag, length);
    memcpy(ret_tag + length, "-gzip\"", 7);
}
