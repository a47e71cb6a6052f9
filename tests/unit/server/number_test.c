/* The writer against "%.17g" and fewer digits, the reader against strtod, the table against big
 * integers. */
#include "tests/unit/check.h"

#include <float.h>
#include <inttypes.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "server/number.h"
#include "server/number_table.h"

enum { TRIALS = 1000000, SHORTEST_TRIALS = 100000, LONG_DIGITS = 5000 };

/* xorshift64*: the same numbers in every run. */
static uint64_t random_bits(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(2685821657736338717);
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* All exponents alike, a third with few significant bits, whose neighbourhood is uneven. */
static double random_double(uint64_t *state)
{
    for (;;) {
        uint64_t bits = random_bits(state);
        if (random_bits(state) % 3 == 0)
            bits &= ~UINT64_C(0) << random_bits(state) % 60;
        double value = from_bits(bits);
        if (isfinite(value))
            return value;
    }
}

static const char *written(double value, char text[NUMBER_BYTES + 1])
{
    size_t length = number_write(value, text);
    assert_in_range(length, 1, NUMBER_BYTES - 1);
    text[length] = '\0';
    return text;
}

static void assert_writes(double value, const char *want)
{
    char text[NUMBER_BYTES + 1];
    assert_string_equal(written(value, text), want);
}

static double read_or_fail(const char *text)
{
    double value = NAN;
    if (!number_read(text, strlen(text), &value))
        fail_msg("'%s' is refused", text);
    return value;
}

static void assert_reads(const char *text, double want)
{
    double value = read_or_fail(text);
    if (to_bits(value) != to_bits(want))
        fail_msg("'%s' reads as %.17g, want %.17g", text, value, want);
}

static void assert_refuses(const char *text, size_t length)
{
    double value = 42;
    if (number_read(text, length, &value))
        fail_msg("'%.*s' is accepted as %g", (int)length, text, value);
    assert_true(value == 42);
}

/* The digits of a number's text without point, exponent, and zeros at either end. */
static size_t digits_of(const char *text, char *ret_digits)
{
    size_t n = 0;
    for (; *text != '\0' && *text != 'e'; text++)
        if (*text >= '0' && *text <= '9' && (n > 0 || *text != '0'))
            ret_digits[n++] = *text;
    while (n > 0 && ret_digits[n - 1] == '0')
        n--;
    ret_digits[n] = '\0';
    return n;
}

static void writes_the_forms_of_the_header(void **state)
{
    (void)state;
    assert_writes(0.0, "0");
    assert_writes(-0.0, "-0");
    assert_writes(64.0, "64");
    assert_writes(-1.5, "-1.5");
    assert_writes(0.1, "0.1");
    assert_writes(0.3, "0.3");
    assert_writes(0.1 + 0.2, "0.30000000000000004");
    assert_writes(2.0 / 3, "0.6666666666666666");
    assert_writes(1363.7, "1363.7");
    assert_writes(9007199254740991.0, "9007199254740991");
    assert_writes(9007199254740992.0, "9.007199254740992e15");
    assert_writes(9007199254740994.0, "9.007199254740994e15");
    assert_writes(1e20, "1e20");
    assert_writes(123456789012345678901.0, "1.2345678901234568e20");
    assert_writes(nextafter(1e21, 0), "9.999999999999999e20");
    assert_writes(1e21, "1e21");
    assert_writes(1e22, "1e22");
    assert_writes(1e23, "1e23");
    assert_writes(6.02214076e23, "6.02214076e23");
    assert_writes(0.000001, "0.000001");
    assert_writes(nextafter(0.000001, 0), "9.999999999999997e-7");
    assert_writes(0.0000012345678901234567, "0.0000012345678901234567");
    assert_writes(1e-7, "1e-7");
    assert_writes(-1.5e-7, "-1.5e-7");
}

static void writes_the_extremes(void **state)
{
    (void)state;
    assert_writes(DBL_MAX, "1.7976931348623157e308");
    assert_writes(-DBL_MAX, "-1.7976931348623157e308");
    assert_writes(DBL_MIN, "2.2250738585072014e-308");
    assert_writes(nextafter(DBL_MIN, 0), "2.225073858507201e-308");
    assert_writes(DBL_TRUE_MIN, "5e-324");
    assert_writes(2 * DBL_TRUE_MIN, "1e-323");
    assert_writes(DBL_EPSILON, "2.220446049250313e-16");
}

static void writes_integers_of_any_size(void **state)
{
    static const int64_t values[] = {0,   1,    -1,        9,         10,        99,
                                     100, -100, 123456789, INT64_MAX, INT64_MIN, INT32_MAX};
    char text[NUMBER_BYTES + 1], want[NUMBER_BYTES + 1];
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        text[number_write_integer(values[i], text)] = '\0';
        snprintf(want, sizeof want, "%" PRId64, values[i]);
        assert_string_equal(text, want);
    }
}

static void assert_round_trip(double value)
{
    char text[NUMBER_BYTES + 1];
    double by_library = strtod(written(value, text), NULL), by_us = read_or_fail(text);
    if (to_bits(by_library) != to_bits(value) || to_bits(by_us) != to_bits(value))
        fail_msg("%.17g is written %s and read back as %.17g, by strtod as %.17g", value, text,
                 by_us, by_library);
}

static void random_doubles_read_back_to_the_same_bits(void **state)
{
    uint64_t seed = 20250101;
    (void)state;
    for (size_t i = TRIALS; i > 0; i--)
        assert_round_trip(random_double(&seed));
}

static void neighbours_of_powers_read_back_to_the_same_bits(void **state)
{
    (void)state;
    for (int e = -1074; e <= 1023; e++) {
        double power = ldexp(1, e);
        assert_round_trip(power);
        assert_round_trip(nextafter(power, 0));
        assert_round_trip(nextafter(power, 2 * power));
    }
    for (int e = -323; e <= 308; e++) {
        char text[16];
        snprintf(text, sizeof text, "1e%d", e);
        double power = strtod(text, NULL);
        assert_round_trip(power);
        assert_round_trip(nextafter(power, 0));
        assert_round_trip(nextafter(power, INFINITY));
    }
}

static void integers_around_2_to_the_53_read_back_to_the_same_bits(void **state)
{
    (void)state;
    for (int i = -2000; i <= 2000; i++)
        assert_round_trip(0x1p53 + i);
}

/* By brute force: the fewest digits of "%.{p}e" that read back; with as many, none is closer than
 * printf's, which rounds correctly. */
static void assert_shortest_and_closest(double value)
{
    char text[NUMBER_BYTES + 1], best[40], ours[NUMBER_BYTES + 1], theirs[40];
    int precision = 0;
    do
        snprintf(best, sizeof best, "%.*e", precision, value);
    while (strtod(best, NULL) != value && precision++ < 17);
    size_t n_ours = digits_of(written(value, text), ours), n_theirs = digits_of(best, theirs);
    if (n_ours < n_theirs)
        return; /* "%e" rounds to nearest; a shorter one further off may read back too */
    if (strcmp(ours, theirs) != 0)
        fail_msg("%.17g is written %s, shortest is %s", value, text, best);
}

static void what_is_written_is_shortest_and_closest(void **state)
{
    uint64_t seed = 7;
    (void)state;
    for (size_t i = SHORTEST_TRIALS; i > 0; i--)
        assert_shortest_and_closest(random_double(&seed));
    for (int e = -1074; e <= 1023; e++)
        assert_shortest_and_closest(ldexp(1, e));
}

/* 2^e sits at the uneven place where the gap below is half the gap above. 9007199254740993 would
 * do for neither neighbour: ties to even decide. */
static void shorter_than_printf_where_the_gap_is_uneven(void **state)
{
    (void)state;
    assert_writes(0x1p-44,
                  "5.684341886080802e-14"); /* "%.15e" gives …801e-14: further, no reader */
    assert_writes(9.5367431640625e-7, "9.5367431640625e-7");
    assert_writes(2.98023223876953125e-8, "2.9802322387695312e-8");
}

/* Big integers: little-endian words of 32 bits, enough for 10^324·2^128. */
struct big {
    uint32_t word[64];
};

static void big_multiply_add(struct big *big, uint32_t factor, uint32_t add)
{
    uint64_t carry = add;
    for (size_t i = 0; i < 64; i++) {
        carry += (uint64_t)big->word[i] * factor;
        big->word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_int_equal(carry, 0);
}

static uint32_t big_divide(struct big *big, uint32_t divisor)
{
    uint64_t rest = 0;
    for (size_t i = 64; i-- > 0;) {
        rest = rest << 32 | big->word[i];
        big->word[i] = (uint32_t)(rest / divisor);
        rest %= divisor;
    }
    return (uint32_t)rest;
}

static int big_top_bit(const struct big *big)
{
    for (int bit = 64 * 32 - 1; bit >= 0; bit--)
        if (big->word[bit / 32] >> bit % 32 & 1)
            return bit;
    return -1;
}

static uint64_t big_bits(const struct big *big, int lowest)
{
    uint64_t bits = 0;
    for (int i = 63; i >= 0; i--) {
        int bit = lowest + i;
        bits = bits << 1 | (bit >= 0 ? big->word[bit / 32] >> bit % 32 & 1 : 0);
    }
    return bits;
}

/* The top 128 bits of big, one more when anything below them is not zero. */
static struct number_power top_rounded_up(const struct big *big, bool more_below)
{
    int top = big_top_bit(big);
    struct number_power power = {big_bits(big, top - 63), big_bits(big, top - 127)};
    for (int bit = top - 128; bit >= 0; bit--)
        more_below |= big->word[bit / 32] >> bit % 32 & 1;
    if (more_below && ++power.low == 0)
        power.high++;
    return power;
}

static void assert_row(int exponent, struct number_power want)
{
    const struct number_power *row = &number_powers[exponent - NUMBER_POWER_MIN];
    if (row->high != want.high || row->low != want.low)
        fail_msg("row 1e%d is wrong", exponent);
}

static void the_table_agrees_with_big_integers(void **state)
{
    struct big power = {{1}};
    (void)state;
    for (int e = 0; e <= NUMBER_POWER_MAX; e++) {
        assert_row(e, top_rounded_up(&power, false));
        big_multiply_add(&power, 10, 0);
    }
    /* 2^2047/10^|e| has some 1070 bits left at 1e-292; repeated floors are the floor of the whole.
     */
    struct big quotient = {{0}};
    quotient.word[63] = UINT32_C(1) << 31;
    bool cut = false;
    for (int e = -1; e >= NUMBER_POWER_MIN; e--) {
        cut |= big_divide(&quotient, 10) != 0;
        assert_row(e, top_rounded_up(&quotient, cut));
    }
}

static void reads_what_json_allows(void **state)
{
    (void)state;
    assert_reads("0", 0);
    assert_reads("-0", -0.0);
    assert_reads("0.0", 0);
    assert_reads("-0e-5", -0.0);
    assert_reads("10", 10);
    assert_reads("-1.50", -1.5);
    assert_reads("1e22", 1e22);
    assert_reads("1E+2", 100);
    assert_reads("1e-2", 0.01);
    assert_reads("0.00001", 0.00001);
    assert_reads("0e999999999999999999999", 0);
    assert_reads("1e0000000000000000000000000000000000001", 10);
}

static void refuses_what_json_does_not_allow(void **state)
{
    static const char *const texts[] = {
        "",    "-",    "+1",  ".5",       "5.",  "01",   "-01",   "00",    "1e",
        "1e+", "1.e1", "e1",  "0x10",     "inf", "-inf", "nan",   "NaN",   "Infinity",
        " 1",  "1 ",   "1_0", "1,5",      "--1", "1..2", "1e1.5", "1e1e1", "1-",
        "1+1", "1f",   "1L",  "\xD9\xA1", "0b1", "1'000"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_refuses(texts[i], strlen(texts[i]));
    assert_refuses("1\0"
                   "2",
                   3);
}

static void reads_no_further_than_the_length(void **state)
{
    double value;
    (void)state;
    assert_true(number_read("12345", 2, &value));
    assert_true(value == 12);
    assert_true(number_read("1e5", 1, &value));
    assert_true(value == 1);
}

static void overflow_is_infinite_and_underflow_is_zero(void **state)
{
    (void)state;
    assert_reads("1e400", INFINITY);
    assert_reads("-1e400", -INFINITY);
    assert_reads("1.7976931348623157e308", DBL_MAX);
    assert_reads("1.7976931348623158e308", DBL_MAX);
    assert_reads("1.7976931348623159e308", INFINITY);
    assert_reads("1e99999999999999999999999999", INFINITY);
    assert_reads("1e-400", 0);
    assert_reads("-1e-99999999999999999999999999", -0.0);
    assert_reads("2.4703282292062327e-324", 0);
    assert_reads("2.4703282292062328e-324", DBL_TRUE_MIN);
}

static void hard_texts_read_as_strtod_does(void **state)
{
    static const char *const texts[] = {"9007199254740993",
                                        "9007199254740992.999999999999999999999999999",
                                        "9007199254740993.0000000000000000000000000000000000000001",
                                        "9007199254740991.5",
                                        "2.2250738585072011e-308",
                                        "2.2250738585072012e-308",
                                        "2.2250738585072014e-308",
                                        "1.00000000000000011102230246251565404236316680908203125",
                                        "1.00000000000000011102230246251565404236316680908203124",
                                        "1.00000000000000011102230246251565404236316680908203126",
                                        "8.98846567431158e307",
                                        "6.631236871469758276785396630275967e-4",
                                        "7.120190517612959e14",
                                        "123456789012345678",
                                        "0.500000000000000166533453693773481063544750213623046875",
                                        "3.237883913302901e-319",
                                        "1e23",
                                        "1e22",
                                        "1e-22",
                                        "1e-23",
                                        "999999999999999e22",
                                        "999999999999999e-22",
                                        "1234567890123456e22",
                                        "4.4501477170144023e-308",
                                        "17976931348623157e292"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_reads(texts[i], strtod(texts[i], NULL));
}

/* Random digits, point and exponent, beyond what a double holds. */
static void random_texts_read_as_strtod_does(void **state)
{
    uint64_t seed = 99;
    char text[80];
    (void)state;
    for (size_t i = TRIALS; i > 0; i--) {
        size_t n = 0, digits = 1 + random_bits(&seed) % 30, point = random_bits(&seed) % 30;
        for (size_t k = 0; k < digits; k++) {
            text[n++] =
                (char)('0' + (k == 0 ? 1 + random_bits(&seed) % 9 : random_bits(&seed) % 10));
            if (k == point && k + 1 < digits)
                text[n++] = '.';
        }
        int exponent = (int)(random_bits(&seed) % 700) - 350;
        snprintf(text + n, sizeof text - n, "e%d", exponent);
        assert_reads(text, strtod(text, NULL));
    }
}

/* 1 + 2^-53 exactly (a tie, to even), then digits far behind it that break the tie. */
static void digits_beyond_every_buffer_still_count(void **state)
{
    static const char tie[] = "1.00000000000000011102230246251565404236316680908203125";
    char text[LONG_DIGITS + 8];
    (void)state;
    size_t n = sizeof tie - 1;
    memset(text, '0', sizeof text);
    memcpy(text, tie, n);
    text[LONG_DIGITS] = '\0';
    assert_reads(text, 1.0);
    text[LONG_DIGITS - 1] = '1';
    assert_reads(text, nextafter(1.0, 2));
}

static void many_zeros_and_a_large_exponent_cancel(void **state)
{
    char text[LONG_DIGITS + 16];
    (void)state;
    memset(text, '0', sizeof text);
    memcpy(text, "0.", 2);
    snprintf(text + LONG_DIGITS, 16, "25e%d", LONG_DIGITS - 2);
    assert_reads(text, 0.25);
    memset(text, '0', sizeof text);
    text[0] = '7';
    snprintf(text + LONG_DIGITS, 16, "e-%d", LONG_DIGITS - 1);
    assert_reads(text, 7);
}

static void a_scale_is_rounded_once(void **state)
{
    double value;
    (void)state;
    assert_true(number_read_scaled("80.3", 4, 9, &value));
    assert_true(value == 80.3e9);
    assert_true(number_read_scaled("1.1", 3, 12, &value));
    assert_true(value == 1.1e12);
    assert_true(number_read_scaled("4.35", 4, 2, &value));
    assert_true(value == 435 && 4.35 * 100 != 435);
    assert_false(number_read_scaled("1.", 2, 3, &value));
}

static void the_locale_does_not_matter(void **state)
{
    static const char *const commas[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    const char *set = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof commas / sizeof commas[0] && set == NULL; i++)
        set = setlocale(LC_ALL, commas[i]);
    if (set == NULL)
        skip(); /* no locale with a decimal comma is installed here */
    assert_reads("1.5", 1.5);
    assert_reads("1.00000000000000011102230246251565404236316680908203126", nextafter(1, 2));
    assert_writes(1.5, "1.5");
    setlocale(LC_ALL, "C");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_the_forms_of_the_header),
        cmocka_unit_test(writes_the_extremes),
        cmocka_unit_test(writes_integers_of_any_size),
        cmocka_unit_test(random_doubles_read_back_to_the_same_bits),
        cmocka_unit_test(neighbours_of_powers_read_back_to_the_same_bits),
        cmocka_unit_test(integers_around_2_to_the_53_read_back_to_the_same_bits),
        cmocka_unit_test(what_is_written_is_shortest_and_closest),
        cmocka_unit_test(shorter_than_printf_where_the_gap_is_uneven),
        cmocka_unit_test(the_table_agrees_with_big_integers),
        cmocka_unit_test(reads_what_json_allows),
        cmocka_unit_test(refuses_what_json_does_not_allow),
        cmocka_unit_test(reads_no_further_than_the_length),
        cmocka_unit_test(overflow_is_infinite_and_underflow_is_zero),
        cmocka_unit_test(hard_texts_read_as_strtod_does),
        cmocka_unit_test(random_texts_read_as_strtod_does),
        cmocka_unit_test(digits_beyond_every_buffer_still_count),
        cmocka_unit_test(many_zeros_and_a_large_exponent_cancel),
        cmocka_unit_test(a_scale_is_rounded_once),
        cmocka_unit_test(the_locale_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
