/* The reading half of number.h. */
#include <assert.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "server/number.h"
#include "server/number_table.h"

enum {
    DOUBLE_DIGITS = 15, /* any decimal of so many is below 2^53 */
    WORD_DIGITS = 19,   /* … and of so many below 2^64 */
    /* The halfway point between two doubles has at most 767 significant digits; one digit more,
     * nonzero where anything was cut off, decides every comparison as the whole text would. */
    DIGITS_MAX = 768,
    EXPONENT_LIMIT = 10000, /* far past overflow and underflow, whatever the digits */
};

/* Of an exponent as written: no text is long enough for its point to make up for more. */
static const int64_t written_exponent_limit = INT64_C(1) << 53;

/* A number's text taken apart. */
struct parts {
    bool negative;
    const char *digits;   /* the first that is not 0 */
    size_t n_digits;      /* from there on, any number */
    uint64_t significand; /* the first WORD_DIGITS of them */
    int exponent;         /* value = 0.digits · 10^exponent */
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void take_digit(struct parts *parts, const char *at)
{
    if (parts->n_digits == 0) {
        if (*at == '0')
            return;
        parts->digits = at;
    }
    if (parts->n_digits < WORD_DIGITS)
        parts->significand = parts->significand * 10 + (uint64_t)(*at - '0');
    parts->n_digits++;
}

/* The digits after 'e', saturating; NULL when there are none. */
static const char *read_exponent(const char *at, const char *end, int64_t *ret_exponent)
{
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    if (at == end || !is_digit(*at))
        return NULL;
    int64_t exponent = 0;
    for (; at < end && is_digit(*at); at++)
        if (exponent < written_exponent_limit)
            exponent = exponent * 10 + (*at - '0');
    *ret_exponent = negative ? -exponent : exponent;
    return at;
}

static int clamp_exponent(int64_t exponent)
{
    if (exponent > EXPONENT_LIMIT)
        return EXPONENT_LIMIT;
    return exponent < -EXPONENT_LIMIT ? -EXPONENT_LIMIT : (int)exponent;
}

/* -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)? */
static bool take_apart(const char *text, size_t length, int exponent10, struct parts *parts)
{
    const char *at = text, *end = text + length;
    *parts = (struct parts){.negative = at < end && *at == '-'};
    if (parts->negative)
        at++;
    if (at == end || !is_digit(*at) || (*at == '0' && end - at > 1 && is_digit(at[1])))
        return false;
    for (; at < end && is_digit(*at); at++)
        take_digit(parts, at);
    int64_t point = (int64_t)parts->n_digits;
    if (at < end && *at == '.') {
        if (++at == end || !is_digit(*at))
            return false;
        for (; at < end && is_digit(*at); at++) {
            take_digit(parts, at);
            point -= parts->n_digits == 0; /* a zero right after the point: 0.05 is 0.5e-1 */
        }
    }
    int64_t exponent = 0;
    if (at < end && (*at == 'e' || *at == 'E')) {
        at = read_exponent(at + 1, end, &exponent);
        if (at == NULL)
            return false;
    }
    parts->exponent = clamp_exponent(point + exponent + exponent10);
    return at == end;
}

/* Exact where significand and power of ten both are: one correctly rounded operation. */
static bool read_exactly(const struct parts *parts, double *ret_value)
{
    static const double pow10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    enum { POW10_MAX = sizeof pow10 / sizeof pow10[0] - 1 };
    if (parts->n_digits > DOUBLE_DIGITS)
        return false;
    int exponent = parts->exponent - (int)parts->n_digits;
    if (exponent < -POW10_MAX || exponent > POW10_MAX)
        return false;
    double value = (double)parts->significand;
    *ret_value = exponent < 0 ? value / pow10[-exponent] : value * pow10[exponent];
    return true;
}

/* The significand times the table's power, in 192 bits, rounded to 53 (the idea is D. Lemire's,
 * "Number parsing at a gigabyte per second", 2021). The power is too large by less than one unit,
 * so the product is by less than the significand: it lies in (product − significand, product].
 * Unless the 128 bits under the top word are smaller than that, the top word is exact and what is
 * under it is not zero, which decides the rounding and rules out a tie. False where it does not
 * decide, and for results that are not normal. */
static bool read_by_product(const struct parts *parts, double *ret_value)
{
    int exponent = parts->exponent - (int)parts->n_digits;
    if (parts->n_digits > WORD_DIGITS || exponent < NUMBER_POWER_MIN || exponent > NUMBER_POWER_MAX)
        return false;
    const struct number_power *power = &number_powers[exponent - NUMBER_POWER_MIN];
    int zeros = __builtin_clzll(parts->significand);
    uint64_t significand = parts->significand << zeros;
    number_uint128 low = (number_uint128)power->low * significand;
    number_uint128 high = (number_uint128)power->high * significand + (uint64_t)(low >> 64);
    uint64_t top = (uint64_t)(high >> 64);
    if ((uint64_t)high == 0 && (uint64_t)low < significand)
        return false;

    int shift = 63 - NUMBER_SIGNIFICAND_BITS - !(top >> 63);
    uint64_t rounded = (top >> shift) + (top >> (shift - 1) & 1);
    int field = shift + number_log2_pow10(exponent) + 1 - zeros + NUMBER_EXPONENT_BIAS;
    if (rounded == UINT64_C(1) << (NUMBER_SIGNIFICAND_BITS + 1)) {
        rounded >>= 1;
        field++;
    }
    if (field < 1 || field >= NUMBER_EXPONENT_MASK)
        return false;
    uint64_t bits = (uint64_t)field << NUMBER_SIGNIFICAND_BITS |
                    (rounded ^ UINT64_C(1) << NUMBER_SIGNIFICAND_BITS);
    memcpy(ret_value, &bits, sizeof bits);
    return true;
}

/* By the C library, whose conversion is correctly rounded, in the "C" locale: a constant of the
 * library, so that newlocale neither allocates nor fails. */
static double read_by_library(const struct parts *parts)
{
    char text[DIGITS_MAX + 24];
    size_t n = 0, left = parts->n_digits;
    const char *at = parts->digits;
    for (; left > 0 && n < DIGITS_MAX; at++)
        if (*at != '.') {
            text[n++] = *at;
            left--;
        }
    bool cut = false;
    for (; left > 0; at++)
        if (*at != '.') {
            cut |= *at != '0';
            left--;
        }
    if (cut)
        text[n++] = '1';
    int exponent = parts->exponent - (int)n;
    text[n++] = 'e';
    n += number_write_integer(exponent, text + n);
    text[n] = '\0';
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char *end;
    double value = strtod_l(text, &end, c_locale);
    freelocale(c_locale);
    assert(*end == '\0');
    return value;
}

/* Digits alone, as most numbers are, and few enough to be exact. False for anything else. */
static bool read_whole(const char *text, size_t length, double *ret_value)
{
    uint64_t whole = 0;
    if (length == 0 || length > DOUBLE_DIGITS || (text[0] == '0' && length > 1))
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i]))
            return false;
        whole = whole * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_value = (double)whole;
    return true;
}

bool number_read_scaled(const char *text, size_t length, int exponent10, double *ret_value)
{
    struct parts parts;
    if (!take_apart(text, length, exponent10, &parts))
        return false;
    double value = 0;
    if (parts.n_digits > 0 && !read_exactly(&parts, &value) && !read_by_product(&parts, &value))
        value = read_by_library(&parts);
    *ret_value = parts.negative ? -value : value;
    return true;
}

bool number_read(const char *text, size_t length, double *ret_value)
{
    return read_whole(text, length, ret_value) || number_read_scaled(text, length, 0, ret_value);
}
