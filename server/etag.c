#include "server/etag.h"

#include <endian.h>
#include <string.h>

#include "server/hex.h"

enum { LANES = 4, WORD_BYTES = 8, BLOCK_BYTES = LANES * 2 * WORD_BYTES };

/* Odd, with as many ones as zeros in each byte, so that no body is likely to cancel them: those of
 * wyhash. */
static const uint64_t keys[LANES] = {0xA0761D6478BD642F, 0xE7037ED1A0B428DB, 0x8EBC6AF09C88C6E3,
                                     0x589965CC75374CC3};

__extension__ typedef unsigned __int128 uint128;

/* Both halves of the product. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    uint128 product = (uint128)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t finish(uint64_t k)
{
    k ^= k >> 33;
    k *= 0xFF51AFD7ED558CCD;
    k ^= k >> 33;
    k *= 0xC4CEB9FE1A85EC53;
    return k ^ k >> 33;
}

static uint64_t load_word(const unsigned char *bytes)
{
    uint64_t word;

    memcpy(&word, bytes, sizeof word);
    return le64toh(word);
}

static uint64_t take_words(uint64_t state, const unsigned char *words, uint64_t key)
{
    return fold(load_word(words) ^ key, load_word(words + WORD_BYTES) ^ state);
}

/* The lanes do not wait for each other. One by one, so that they stay in registers. */
static inline void take_block(uint64_t state[LANES], const unsigned char *block)
{
    state[0] = take_words(state[0], block, keys[0]);
    state[1] = take_words(state[1], block + 2 * WORD_BYTES, keys[1]);
    state[2] = take_words(state[2], block + 4 * WORD_BYTES, keys[2]);
    state[3] = take_words(state[3], block + 6 * WORD_BYTES, keys[3]);
}

void etag_hash(const void *bytes, size_t length, uint64_t ret_hash[2])
{
    const unsigned char *at = bytes;
    unsigned char last[BLOCK_BYTES] = {0};
    size_t rest = length % BLOCK_BYTES;
    uint64_t state[LANES], low, high;

    for (int i = 0; i < LANES; i++)
        state[i] = keys[LANES - 1 - i];
    for (const unsigned char *end = at + (length - rest); at < end; at += BLOCK_BYTES)
        take_block(state, at);
    if (rest > 0) {
        memcpy(last, at, rest);
        take_block(state, last);
    }
    low = fold(state[0] ^ keys[0], state[1] ^ length);
    high = fold(state[2] ^ keys[1], state[3] ^ length);
    ret_hash[0] = finish(low + high);
    ret_hash[1] = finish(low + 2 * high);
}

void etag_write(const void *bytes, size_t length, char ret_tag[ETAG_BYTES])
{
    uint64_t hash[2];

    etag_hash(bytes, length, hash);
    ret_tag[0] = '"';
    hex_write(hash[0], ret_tag + 1);
    hex_write(hash[1], ret_tag + 1 + HEX_DIGITS);
    memcpy(ret_tag + 1 + 2 * HEX_DIGITS, "\"", 2);
}

void etag_of_gzip(const char *tag, char ret_tag[ETAG_BYTES])
{
    size_t length = strlen(tag) - 1; /* without the closing quote */

    memmove(ret_tag, tag, length);
    memcpy(ret_tag + length, "-gzip\"", 7);
}
