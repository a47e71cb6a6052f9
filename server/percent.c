#include "server/percent.h"

#include <stdint.h>
#include <string.h>

#include "server/utf8.h"

static bool is_clean(char c)
{
    return c > ' ' && c <= '~' && c != '#';
}

/* Eight bytes at a time, as in utf8.c: the top bit of a byte shows what is not below 0x80, what
 * borrows (up to ' ', and '#'), and what becomes 0x80 (one byte behind '~'). */
bool percent_clean(const char *text, size_t length)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
    size_t at = 0;

    for (; length - at >= sizeof ones; at += sizeof ones) {
        uint64_t word;

        memcpy(&word, text + at, sizeof word);
        if (((word | (word - ones * '!') | ((word ^ ones * '#') - ones) | (word + ones)) & tops) !=
            0)
            return false;
    }
    for (; at < length; at++)
        if (!is_clean(text[at]))
            return false;
    return true;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool percent_next(const char *text, size_t length, size_t *at, char *ret_byte)
{
    size_t i = *at;
    int high, low;

    if (i >= length)
        return false;
    if (text[i] != '%') {
        *ret_byte = text[i];
        *at = i + 1;
        return true;
    }
    if (length - i < 3)
        return false;
    high = hex_digit(text[i + 1]);
    low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0)
        return false;
    *ret_byte = (char)(high * 16 + low);
    *at = i + 3;
    return true;
}

/* A window of decoded bytes is checked and what is left of an unfinished character moves to its
 * start, so that text of any length needs no memory. */
bool percent_valid(const char *text)
{
    size_t length = strlen(text), at = 0, held = 0;
    char window[64], byte;

    if (memchr(text, '%', length) == NULL)
        return utf8_valid(text, length) == length;
    while (at < length) {
        size_t good;

        if (!percent_next(text, length, &at, &byte) || byte == '\0')
            return false;
        window[held++] = byte;
        if (held < sizeof window && at < length)
            continue;
        good = utf8_valid(window, held);
        if (held - good > 3 || (at == length && good < held))
            return false;
        memmove(window, window + good, held - good);
        held -= good;
    }
    return true;
}

size_t percent_decode(char *text)
{
    size_t length = strlen(text), at, out;
    const char *first = memchr(text, '%', length);
    char byte;

    if (first == NULL)
        return length;
    at = out = (size_t)(first - text);
    while (percent_next(text, length, &at, &byte))
        text[out++] = byte;
    text[out] = '\0';
    return out;
}
