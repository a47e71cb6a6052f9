#include "server/number.h"

#include <assert.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/number_table.h"

__extension__ typedef unsigned __int128 uint128;

enum {
    SIGNIFICAND_BITS = 52,
    EXPONENT_MASK = 0x7ff,
    EXPONENT_BIAS = 1075,      /* value = significand·2^(field − 1075) */
    POSITIONAL_POINT_MIN = -5, /* 0.000001 is the smallest written without an exponent */
    POSITIONAL_POINT_MAX = 21, /* 1e21 is the first written with one */
    /* The halfway point between two doubles has at most 767 significant digits; one digit more,
     * nonzero where anything was cut off, decides every comparison as the whole text would. */
    DIGITS_MAX = 768,
    DOUBLE_DIGITS = 15,     /* any decimal of so many is below 2^53 */
    WORD_DIGITS = 19,       /* … and of so many below 2^64 */
    EXPONENT_LIMIT = 10000, /* far past overflow and underflow, whatever the digits */
};

/* Of an exponent as written: no text is long enough for its point to make up for more. */
static const int64_t written_exponent_limit = INT64_C(1) << 53;

static const uint64_t two_pow_53 = UINT64_C(1) << 53;

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

/* floor(log10(2^q)), floor(log10(3/4·2^q)) and floor(log2(10^e)) over every exponent of a double;
 * number_test checks each against exact arithmetic through the numbers at its edges. */
static int floor_log10_pow2(int q)
{
    return (q * 315653) >> 20;
}

static int floor_log10_three_quarters_pow2(int q)
{
    return (q * 315653 - 131008) >> 20;
}

static int floor_log2_pow10(int e)
{
    return (e * 217706) >> 16;
}

/* floor(power·x / 2^128), with the lowest bit set when anything was cut off ("round to odd"):
 * enough to compare with multiples of 4 as the exact product would. The table's powers are rounded
 * up by less than one unit, which shows in `middle` as at most 1; a true remainder is always larger
 * (Giulietti, section 9), hence > 1. */
static uint64_t multiply_to_odd(const struct number_power *power, uint64_t x)
{
    uint128 low = (uint128)power->low * x;
    uint128 high = (uint128)power->high * x + (uint64_t)(low >> 64);
    uint64_t middle = (uint64_t)high;
    return (uint64_t)(high >> 64) | (middle > 1);
}

struct decimal {
    uint64_t digits;
    int exponent; /* value = digits·10^exponent */
};

/* The shortest decimal in the rounding interval of significand·2^q, the closest of the shortest.
 * R. Giulietti, "The Schubfach way to render doubles" (2020): with 10^k just below the width of the
 * interval, it holds at most one multiple of 10^(k+1), which then has the fewest digits; else one
 * of the two multiples of 10^k around the value is the answer. Everything is in quarters of 10^k,
 * so that the interval's ends are integers before scaling. */
static struct decimal shortest(uint64_t significand, int q)
{
    bool lower_is_closer = significand == UINT64_C(1) << SIGNIFICAND_BITS && q > 1 - EXPONENT_BIAS;
    int k = lower_is_closer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int shift = q + floor_log2_pow10(-k) + 1;
    const struct number_power *power = &number_powers[-k - NUMBER_POWER_MIN];

    uint64_t value4 = significand << 2;
    uint64_t low = multiply_to_odd(power, (value4 - (lower_is_closer ? 1 : 2)) << shift);
    uint64_t value = multiply_to_odd(power, value4 << shift);
    uint64_t high = multiply_to_odd(power, (value4 + 2) << shift);
    /* Reading rounds ties to even: the ends belong to the interval of an even significand only. */
    uint64_t open = significand & 1;

    uint64_t below = value >> 2;
    uint64_t tens = below / 10 * 10;
    bool tens_in = low + open <= tens << 2;
    bool next_tens_in = ((tens + 10) << 2) + open <= high;
    if (tens_in != next_tens_in)
        return (struct decimal){tens_in ? tens : tens + 10, k};

    bool below_in = low + open <= below << 2;
    bool above_in = ((below + 1) << 2) + open <= high;
    if (below_in != above_in)
        return (struct decimal){below_in ? below : below + 1, k};
    uint64_t middle = (below << 2) + 2;
    bool up = value > middle || (value == middle && (below & 1));
    return (struct decimal){up ? below + 1 : below, k};
}

/* How many decimal digits value has; 1 for 0. */
static size_t count_digits(uint64_t value)
{
    static const uint64_t pow10[] = {
        0,
        UINT64_C(10),
        UINT64_C(100),
        UINT64_C(1000),
        UINT64_C(10000),
        UINT64_C(100000),
        UINT64_C(1000000),
        UINT64_C(10000000),
        UINT64_C(100000000),
        UINT64_C(1000000000),
        UINT64_C(10000000000),
        UINT64_C(100000000000),
        UINT64_C(1000000000000),
        UINT64_C(10000000000000),
        UINT64_C(100000000000000),
        UINT64_C(1000000000000000),
        UINT64_C(10000000000000000),
        UINT64_C(100000000000000000),
        UINT64_C(1000000000000000000),
        UINT64_C(10000000000000000000),
    };
    size_t bits = 64 - (size_t)__builtin_clzll(value | 1);
    size_t guess = bits * 1233 >> 12; /* bits·log10(2) rounded down: right, or one short */
    return guess + (value >= pow10[guess]);
}

/* Exactly eight digits: four pairs that do not wait for each other. */
static void write_eight(uint32_t value, char *ret_text)
{
    uint32_t high = value / 10000, low = value % 10000;
    memcpy(ret_text, digit_pairs + 2 * (high / 100), 2);
    memcpy(ret_text + 2, digit_pairs + 2 * (high % 100), 2);
    memcpy(ret_text + 4, digit_pairs + 2 * (low / 100), 2);
    memcpy(ret_text + 6, digit_pairs + 2 * (low % 100), 2);
}

static size_t write_digits(uint64_t value, char *ret_text)
{
    size_t length = count_digits(value);
    char *at = ret_text + length;
    for (; value >= 100000000; value /= 100000000)
        write_eight((uint32_t)(value % 100000000), at -= 8);
    uint32_t rest = (uint32_t)value;
    for (; rest >= 100; rest /= 100)
        memcpy(at -= 2, digit_pairs + 2 * (rest % 100), 2);
    if (rest >= 10)
        memcpy(at - 2, digit_pairs + 2 * rest, 2);
    else
        at[-1] = (char)('0' + rest);
    return length;
}

/* digits[count] with the point after the first `point` of them (which may be outside). */
static size_t write_positional(const char *digits, size_t count, int point, char *ret_text)
{
    if (point <= 0) {
        size_t zeros = (size_t)-point;
        memcpy(ret_text, "0.00000", 2 + zeros);
        memcpy(ret_text + 2 + zeros, digits, count);
        return 2 + zeros + count;
    }
    size_t whole = (size_t)point;
    if (count <= whole) {
        memcpy(ret_text, digits, count);
        memset(ret_text + count, '0', whole - count);
        return whole;
    }
    memcpy(ret_text, digits, whole);
    ret_text[whole] = '.';
    memcpy(ret_text + whole + 1, digits + whole, count - whole);
    return count + 1;
}

static size_t write_exponent(const char *digits, size_t count, int exponent, char *ret_text)
{
    size_t n = 0;
    ret_text[n++] = digits[0];
    if (count > 1) {
        ret_text[n++] = '.';
        memcpy(ret_text + n, digits + 1, count - 1);
        n += count - 1;
    }
    ret_text[n++] = 'e';
    return n + number_write_integer(exponent, ret_text + n);
}

size_t number_write(double value, char *ret_text)
{
    assert(isfinite(value));
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    size_t n = 0;
    if (bits >> 63) {
        ret_text[n++] = '-';
        value = -value;
    }
    if (value < (double)two_pow_53) {
        uint64_t integer = (uint64_t)value;
        if ((double)integer == value)
            return n + write_digits(integer, ret_text + n);
    }

    uint64_t significand = bits & ((UINT64_C(1) << SIGNIFICAND_BITS) - 1);
    int field = (int)(bits >> SIGNIFICAND_BITS) & EXPONENT_MASK;
    if (field != 0)
        significand |= UINT64_C(1) << SIGNIFICAND_BITS;
    else
        field = 1;
    struct decimal decimal = shortest(significand, field - EXPONENT_BIAS);

    char digits[20];
    size_t count = write_digits(decimal.digits, digits);
    int point = (int)count + decimal.exponent;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (point >= POSITIONAL_POINT_MIN && point <= POSITIONAL_POINT_MAX)
        return n + write_positional(digits, count, point, ret_text + n);
    return n + write_exponent(digits, count, point - 1, ret_text + n);
}

size_t number_write_integer(int64_t value, char *ret_text)
{
    if (value >= 0)
        return write_digits((uint64_t)value, ret_text);
    ret_text[0] = '-';
    return 1 + write_digits(UINT64_C(0) - (uint64_t)value, ret_text + 1);
}

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
    uint128 low = (uint128)power->low * significand;
    uint128 high = (uint128)power->high * significand + (uint64_t)(low >> 64);
    uint64_t top = (uint64_t)(high >> 64);
    if ((uint64_t)high == 0 && (uint64_t)low < significand)
        return false;

    int shift = 63 - SIGNIFICAND_BITS - !(top >> 63);
    uint64_t rounded = (top >> shift) + (top >> (shift - 1) & 1);
    int field = shift + floor_log2_pow10(exponent) + 1 - zeros + EXPONENT_BIAS;
    if (rounded == two_pow_53) {
        rounded >>= 1;
        field++;
    }
    if (field < 1 || field >= EXPONENT_MASK)
        return false;
    uint64_t bits =
        (uint64_t)field << SIGNIFICAND_BITS | (rounded ^ UINT64_C(1) << SIGNIFICAND_BITS);
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
    return number_read_scaled(text, length, 0, ret_value);
}
