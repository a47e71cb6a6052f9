#include "server/number.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "server/number_table.h"

enum { POSITIONAL_POINT_MIN = -5 }; /* 0.000001 is the smallest written without an exponent */

/* The first value written with an exponent: readers take digits alone for an exact integer, and
 * from here on the shortest digits are not the double's own. */
static const double exponent_from = 0x1p53;

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

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
    if (value < 10) {
        ret_text[0] = (char)('0' + value);
        return 1;
    }
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

/* digits[count] with the point after the first `point` of them, or before them all. */
static size_t write_positional(const char *digits, size_t count, int point, char *ret_text)
{
    if (point <= 0) {
        size_t zeros = (size_t)-point;
        memcpy(ret_text, "0.00000", 2 + zeros);
        memcpy(ret_text + 2 + zeros, digits, count);
        return 2 + zeros + count;
    }
    size_t whole = (size_t)point;
    assert(whole < count); /* integers are written elsewhere */
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
    struct decimal decimal = shortest(significand, field - NUMBER_EXPONENT_BIAS);

    char digits[20] = "0";
    size_t count = write_digits(decimal.digits, digits);
    int point = (int)count + decimal.exponent;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    if (value < exponent_from && point >= POSITIONAL_POINT_MIN)
        return write_positional(digits, count, point, ret_text);
    return write_exponent(digits, count, point - 1, ret_text);
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
