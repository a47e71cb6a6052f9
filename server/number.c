#include "server/number.h"

#include <assert.h>
#include <endian.h>
#include <math.h>
#include <string.h>

#include "server/number_table.h"

enum {
    POSITIONAL_POINT_MIN = -5, /* 0.000001 is the smallest written without an exponent */
    EIGHT = 8,
    SEVENTEEN = 2 * EIGHT + 1,
};

/* 10^8: digits are made eight at a time. */
#define EIGHT_DIGITS UINT64_C(100000000)

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
 * times, the halves at once. x + ((y − base·x) << n) is (y << n) − x·((base << n) − 1). */
static inline uint64_t eight_digits(uint64_t value)
{
    uint64_t fours = (value << 32) - value / 10000 * ((UINT64_C(10000) << 32) - 1);
    uint64_t hundreds = (fours * 10486 >> 20) & UINT64_C(0x0000007F0000007F);
    uint64_t twos = (fours << 16) - hundreds * ((100 << 16) - 1);
    uint64_t tens = (twos * 103 >> 10) & UINT64_C(0x000F000F000F000F);
    return (twos << 8) - tens * ((10 << 8) - 1);
}

/* Such digits from the first-th on as text: EIGHT − first of them, and as many bytes more. */
static inline void put_eight(uint64_t digits, size_t first, char *ret_text)
{
    digits = htole64((digits + UINT64_C(0x3030303030303030)) >> 8 * first);
    memcpy(ret_text, &digits, sizeof digits);
}

static size_t write_many_digits(uint64_t value, char *ret_text);

/* Puts up to EIGHT − 1 bytes behind the last digit too. */
static inline size_t write_digits(uint64_t value, char *ret_text)
{
    if (value < 10) {
        ret_text[0] = (char)('0' + value);
        return 1;
    }
    if (value < 100) {
        uint64_t tens = value * 103 >> 10;
        ret_text[0] = (char)('0' + tens);
        ret_text[1] = (char)('0' + (value - 10 * tens));
        return 2;
    }
    if (value >= EIGHT_DIGITS)
        return write_many_digits(value, ret_text);
    uint64_t digits = eight_digits(value);
    size_t zeros = (size_t)__builtin_ctzll(digits) / 8;
    put_eight(digits, zeros, ret_text);
    return EIGHT - zeros;
}

/* Apart, so that short numbers, which are most, do not pay for its registers. */
__attribute__((noinline)) static size_t write_many_digits(uint64_t value, char *ret_text)
{
    size_t length = write_digits(value / EIGHT_DIGITS, ret_text);
    put_eight(eight_digits(value % EIGHT_DIGITS), 0, ret_text + length);
    return length + EIGHT;
}

/* The digits of a decimal, seventeen with zeros at their end. */
struct digits {
    uint64_t first, second; /* eight each */
    char last;              /* as text */
    size_t count;           /* without the zeros */
    int point;              /* value = 0.digits·10^point */
};

static struct digits spread(struct decimal decimal)
{
    struct digits digits = {.point = SEVENTEEN + decimal.exponent};
    /* A double has 16 or 17 digits before zeros are dropped, but for those near 0. */
    for (; decimal.digits < EIGHT_DIGITS * EIGHT_DIGITS; decimal.digits *= 10)
        digits.point--;
    uint64_t tens = decimal.digits / 10, last = decimal.digits % 10;
    digits.first = eight_digits(tens / EIGHT_DIGITS);
    digits.second = eight_digits(tens % EIGHT_DIGITS);
    digits.last = (char)('0' + last);
    if (last != 0)
        digits.count = SEVENTEEN;
    else if (digits.second != 0)
        digits.count = 2 * EIGHT - (size_t)__builtin_clzll(digits.second) / 8;
    else
        digits.count = EIGHT - (size_t)__builtin_clzll(digits.first) / 8;
    return digits;
}

static void put_digits(const struct digits *digits, char *ret_text)
{
    put_eight(digits->first, 0, ret_text);
    put_eight(digits->second, 0, ret_text + EIGHT);
    ret_text[2 * EIGHT] = digits->last;
}

/* With the point behind `whole` of the digits, at least one and fewer than there are. What stands
 * behind it is written once more a byte further: nothing is read that was just written. */
static size_t put_parted(const struct digits *digits, size_t whole, char *ret_text)
{
    put_digits(digits, ret_text);
    if (whole < EIGHT) {
        put_eight(digits->first, whole, ret_text + whole + 1);
        put_eight(digits->second, 0, ret_text + 1 + EIGHT);
    } else if (whole < 2 * EIGHT) {
        put_eight(digits->second, whole - EIGHT, ret_text + whole + 1);
    }
    ret_text[1 + 2 * EIGHT] = digits->last;
    ret_text[whole] = '.';
    return digits->count + 1;
}

/* With the point where it belongs. */
static size_t write_positional(const struct digits *digits, char *ret_text)
{
    if (digits->point <= 0) {
        size_t zeros = (size_t)-digits->point;
        memcpy(ret_text, "0.000000", EIGHT);
        put_digits(digits, ret_text + 2 + zeros);
        return 2 + zeros + digits->count;
    }
    assert((size_t)digits->point < digits->count); /* integers are written elsewhere */
    return put_parted(digits, (size_t)digits->point, ret_text);
}

static size_t write_exponent(const struct digits *digits, char *ret_text)
{
    size_t n = put_parted(digits, 1, ret_text);
    if (digits->count == 1)
        n = 1; /* without a point */
    ret_text[n++] = 'e';
    return n + number_write_integer(digits->point - 1, ret_text + n);
}

/* Positive numbers that number_is_whole does not hold for. */
static size_t write_shortest(double value, char *ret_text)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint64_t significand = bits & ((UINT64_C(1) << NUMBER_SIGNIFICAND_BITS) - 1);
    int field = (int)(bits >> NUMBER_SIGNIFICAND_BITS) & NUMBER_EXPONENT_MASK;
    if (field != 0)
        significand |= UINT64_C(1) << NUMBER_SIGNIFICAND_BITS;
    else
        field = 1;
    struct digits digits = spread(shortest(significand, field - NUMBER_EXPONENT_BIAS));
    if (value < NUMBER_WHOLE_BELOW && digits.point >= POSITIONAL_POINT_MIN)
        return write_positional(&digits, ret_text);
    return write_exponent(&digits, ret_text);
}

size_t number_write_fraction(double value, char *ret_text)
{
    assert(isfinite(value));
    size_t n = 0;
    if (signbit(value)) {
        ret_text[n++] = '-';
        value = -value;
    }
    return n + (value == 0 ? write_digits(0, ret_text + n) : write_shortest(value, ret_text + n));
}

size_t number_write_integer(int64_t value, char *ret_text)
{
    if (value >= 0)
        return write_digits((uint64_t)value, ret_text);
    ret_text[0] = '-';
    return 1 + write_digits(UINT64_C(0) - (uint64_t)value, ret_text + 1);
}
