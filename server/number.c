#include "server/number.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <string.h>

#include "server/number_table.h"

enum {
    POSITIONAL_POINT_MIN = -5, /* 0.000001 is the smallest written without an exponent */
    EIGHT = 8,
    SIXTEEN = 2 * EIGHT,
};

/* 10^8: digits are made eight at a time. */
#define EIGHT_DIGITS UINT64_C(100000000)

/* The first value written with an exponent: readers take digits alone for an exact integer, and
 * from here on the shortest digits are not the double's own. */
static const double exponent_from = 0x1p53;

/* floor(log10(2^q)) and floor(log10(3/4·2^q)) over every exponent of a double; number_test checks
 * both through the numbers at their edges. */
static int floor_log10_pow2(int q)
{
    return (q * 315653) >> 20;
}

static int floor_log10_three_quarters_pow2(int q)
{
    return (q * 315653 - 131008) >> 20;
}

/* floor(power·x / 2^128), with the lowest bit set when anything was cut off ("round to odd"):
 * enough to compare with multiples of 4 as the exact product would. The table's powers are rounded
 * up by less than one unit, which shows in `middle` as at most 1; a true remainder is always larger
 * (Giulietti, section 9), hence > 1. */
static uint64_t multiply_to_odd(const struct number_power *power, uint64_t x)
{
    number_uint128 low = (number_uint128)power->low * x;
    number_uint128 high = (number_uint128)power->high * x + (uint64_t)(low >> 64);
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
    bool lower_is_closer =
        significand == UINT64_C(1) << NUMBER_SIGNIFICAND_BITS && q > 1 - NUMBER_EXPONENT_BIAS;
    int k = lower_is_closer ? floor_log10_three_quarters_pow2(q) : floor_log10_pow2(q);
    int shift = q + number_log2_pow10(-k) + 1;
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

/* The eight decimal digits of value < 10^8, a byte each, the first in the lowest: halved three
 * times, the halves at once. */
static inline uint64_t eight_digits(uint64_t value)
{
    uint64_t fours = value / 10000 + (value % 10000 << 32);
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007F0000007F);
    uint64_t twos = hundreds + ((fours - 100 * hundreds) << 16);
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000F000F000F000F);
    return tens + ((twos - 10 * tens) << 8);
}

/* Eight such digits as text. */
static void put_eight(uint64_t digits, char *ret_text)
{
    digits = htole64(digits + UINT64_C(0x3030303030303030));
    memcpy(ret_text, &digits, sizeof digits);
}

/* Puts up to EIGHT − 1 bytes behind the last digit too. */
static size_t write_digits(uint64_t value, char *ret_text)
{
    if (value < 10) {
        ret_text[0] = (char)('0' + value);
        return 1;
    }
    if (value >= EIGHT_DIGITS) {
        size_t length = write_digits(value / EIGHT_DIGITS, ret_text);
        put_eight(eight_digits(value % EIGHT_DIGITS), ret_text + length);
        return length + EIGHT;
    }
    char text[2 * EIGHT] = "";
    uint64_t digits = eight_digits(value);
    size_t zeros = (size_t)__builtin_ctzll(digits) / 8;
    put_eight(digits, text);
    memcpy(ret_text, text + zeros, EIGHT);
    return EIGHT - zeros;
}

/* A decimal's digits as text, without the zeros at its end. */
struct digits {
    char text[2 * SIXTEEN];
    size_t count;
    int point; /* value = 0.text·10^point */
};

static void spread(struct decimal decimal, struct digits *ret)
{
    ret->point = 1 + SIXTEEN + decimal.exponent;
    /* A double has 16 or 17 digits before zeros are dropped, but for those near 0. */
    for (; decimal.digits < EIGHT_DIGITS * EIGHT_DIGITS; decimal.digits *= 10)
        ret->point--;
    uint64_t rest = decimal.digits % (EIGHT_DIGITS * EIGHT_DIGITS);
    uint64_t high = eight_digits(rest / EIGHT_DIGITS), low = eight_digits(rest % EIGHT_DIGITS);
    ret->text[0] = (char)('0' + decimal.digits / (EIGHT_DIGITS * EIGHT_DIGITS));
    put_eight(high, ret->text + 1);
    put_eight(low, ret->text + 1 + EIGHT);
    if (low != 0)
        ret->count = 1 + SIXTEEN - (size_t)__builtin_clzll(low) / 8;
    else
        ret->count = high != 0 ? 1 + EIGHT - (size_t)__builtin_clzll(high) / 8 : 1;
}

/* With the point where it belongs. Copies of a fixed size are a move or two. */
static size_t write_positional(const struct digits *digits, char *ret_text)
{
    if (digits->point <= 0) {
        size_t zeros = (size_t)-digits->point;
        memcpy(ret_text, "0.000000", EIGHT);
        memcpy(ret_text + 2 + zeros, digits->text, 1 + SIXTEEN);
        return 2 + zeros + digits->count;
    }
    size_t whole = (size_t)digits->point;
    assert(whole < digits->count); /* integers are written elsewhere */
    memcpy(ret_text, digits->text, SIXTEEN);
    ret_text[whole] = '.';
    memcpy(ret_text + whole + 1, digits->text + whole, SIXTEEN);
    return digits->count + 1;
}

static size_t write_exponent(const struct digits *digits, char *ret_text)
{
    size_t n = 0;
    ret_text[n++] = digits->text[0];
    if (digits->count > 1) {
        ret_text[n++] = '.';
        memcpy(ret_text + n, digits->text + 1, SIXTEEN);
        n += digits->count - 1;
    }
    ret_text[n++] = 'e';
    return n + number_write_integer(digits->point - 1, ret_text + n);
}

/* Positive numbers that are not whole, or too large to be written without an exponent. Apart from
 * number_write so that whole numbers, every second one, do not pay for its registers. */
__attribute__((noinline)) static size_t write_shortest(double value, char *ret_text)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t significand = bits & ((UINT64_C(1) << NUMBER_SIGNIFICAND_BITS) - 1);
    int field = (int)(bits >> NUMBER_SIGNIFICAND_BITS) & NUMBER_EXPONENT_MASK;
    if (field != 0)
        significand |= UINT64_C(1) << NUMBER_SIGNIFICAND_BITS;
    else
        field = 1;
    struct digits digits = {.count = 0};
    spread(shortest(significand, field - NUMBER_EXPONENT_BIAS), &digits);
    if (value < exponent_from && digits.point >= POSITIONAL_POINT_MIN)
        return write_positional(&digits, ret_text);
    return write_exponent(&digits, ret_text);
}

size_t number_write(double value, char *ret_text)
{
    assert(isfinite(value));
    size_t n = 0;
    if (signbit(value)) {
        ret_text[n++] = '-';
        value = -value;
    }
    if (value < exponent_from) {
        uint64_t integer = (uint64_t)value;
        if ((double)integer == value)
            return n + write_digits(integer, ret_text + n);
    }
    return n + write_shortest(value, ret_text + n);
}

size_t number_write_integer(int64_t value, char *ret_text)
{
    if (value >= 0)
        return write_digits((uint64_t)value, ret_text);
    ret_text[0] = '-';
    return 1 + write_digits(UINT64_C(0) - (uint64_t)value, ret_text + 1);
}
