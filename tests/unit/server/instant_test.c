/* Moments against timegm and strftime of the C library. */
#include "tests/unit/check.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "server/instant.h"

static const int64_t second = 1000000;

static void assert_reads(const char *text, int64_t want)
{
    int64_t us = -1;
    if (!instant_read(text, strlen(text), &us))
        fail_msg("'%s' is refused", text);
    if (us != want)
        fail_msg("'%s' is %" PRId64 ", want %" PRId64, text, us, want);
}

static void assert_refuses(const char *text)
{
    int64_t us = 42;
    if (instant_read(text, strlen(text), &us))
        fail_msg("'%s' is accepted as %" PRId64, text, us);
    assert_int_equal(us, 42);
}

static void assert_writes(int64_t us, const char *want)
{
    char text[INSTANT_BYTES + 1] = "";
    size_t length = instant_write(us, text);
    assert_in_range(length, 1, INSTANT_BYTES);
    text[length] = '\0';
    assert_string_equal(text, want);
}

static void known_moments_are_read_and_written(void **state)
{
    (void)state;
    assert_writes(0, "1970-01-01T00:00:00Z");
    assert_writes(-1, "1969-12-31T23:59:59.999999Z");
    assert_writes(1700000000 * second + 123450, "2023-11-14T22:13:20.12345Z");
    assert_reads("1970-01-01T00:00:00Z", 0);
    assert_reads("1969-12-31T23:59:59.999999Z", -1);
    assert_reads("2023-11-14T22:13:20.12345Z", 1700000000 * second + 123450);
    assert_reads("2000-02-29T12:00:00Z", 951825600 * second);
}

static void every_day_of_ten_thousand_years_agrees_with_the_library(void **state)
{
    (void)state;
    for (int64_t day = -719528; day < 2932897; day++) {
        char text[INSTANT_BYTES + 1] = "", want[80];
        time_t seconds = day * 86400 + (day & 0xFFFF);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        text[instant_write(seconds * second, text)] = '\0';
        int64_t us;
        if (strcmp(text, want) != 0 || !instant_read(text, strlen(text), &us) ||
            us != seconds * second)
            fail_msg("%lld is written %s, want %s", (long long)seconds, text, want);
    }
}

static void offsets_are_taken_off(void **state)
{
    (void)state;
    assert_reads("1970-01-01T01:00:00+01:00", 0);
    assert_reads("1969-12-31T18:30:00-05:30", 0);
    assert_reads("1970-01-01T00:00:00-00:00", 0);
    assert_reads("1970-01-01t00:00:00z", 0);
}

static void fractions_are_cut_to_microseconds(void **state)
{
    (void)state;
    assert_reads("1970-01-01T00:00:00.5Z", 500000);
    assert_reads("1970-01-01T00:00:00.000001Z", 1);
    assert_reads("1970-01-01T00:00:00.0000019999999999999999999999Z", 1);
    assert_refuses("1970-01-01T00:00:00.Z");
    assert_refuses("1970-01-01T00:00:00,5Z");
}

static void leap_seconds_end_a_day_of_utc_only(void **state)
{
    (void)state;
    assert_reads("2016-12-31T23:59:60Z", 1483228800 * second);
    assert_reads("2017-01-01T00:59:60+01:00", 1483228800 * second);
    assert_refuses("2016-12-31T23:58:60Z");
    assert_refuses("2016-12-31T22:59:60Z");
    assert_refuses("2016-12-31T23:59:61Z");
}

static void dates_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    assert_refuses("2023-02-29T00:00:00Z");
    assert_refuses("1900-02-29T00:00:00Z");
    assert_refuses("2023-04-31T00:00:00Z");
    assert_refuses("2023-00-10T00:00:00Z");
    assert_refuses("2023-13-10T00:00:00Z");
    assert_refuses("2023-01-00T00:00:00Z");
    assert_refuses("2023-01-32T00:00:00Z");
    assert_refuses("2023-01-01T24:00:00Z");
    assert_refuses("2023-01-01T00:60:00Z");
}

static void other_forms_are_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "2023-01-01",
                                        "2023-01-01T00:00:00",
                                        "2023-01-01 00:00:00Z",
                                        "2023-01-01T00:00Z",
                                        "20230101T000000Z",
                                        "2023-01-01T00:00:00Z ",
                                        " 2023-01-01T00:00:00Z",
                                        "2023-1-1T00:00:00Z",
                                        "2023-01-01T00:00:00+0100",
                                        "2023-01-01T00:00:00+01",
                                        "2023-01-01T00:00:00+24:00",
                                        "2023-01-01T00:00:00+01:60",
                                        "+2023-01-01T00:00:00Z",
                                        "-001-01-01T00:00:00Z",
                                        "12023-01-01T00:00:00Z",
                                        "now",
                                        "1700000000"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_refuses(texts[i]);
    int64_t us;
    assert_false(instant_read("2023-01-01T00:00:00\0", 20, &us));
}

static void the_first_and_last_moments_of_four_digit_years_hold(void **state)
{
    char text[INSTANT_BYTES];
    int64_t first = -62167219200 * second, last = 253402300800 * second - 1;
    (void)state;
    assert_writes(first, "0000-01-01T00:00:00Z");
    assert_writes(last, "9999-12-31T23:59:59.999999Z");
    assert_reads("0000-01-01T00:00:00Z", first);
    assert_reads("9999-12-31T23:59:59.999999Z", last);
    assert_int_equal(instant_write(first - 1, text), 0);
    assert_int_equal(instant_write(last + 1, text), 0);
    assert_int_equal(instant_write(INT64_MIN, text), 0);
    assert_int_equal(instant_write(INT64_MAX, text), 0);
    assert_refuses("0000-01-01T00:00:00+00:01");
    assert_refuses("9999-12-31T23:59:59-00:01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_moments_are_read_and_written),
        cmocka_unit_test(every_day_of_ten_thousand_years_agrees_with_the_library),
        cmocka_unit_test(offsets_are_taken_off),
        cmocka_unit_test(fractions_are_cut_to_microseconds),
        cmocka_unit_test(leap_seconds_end_a_day_of_utc_only),
        cmocka_unit_test(dates_that_do_not_exist_are_refused),
        cmocka_unit_test(other_forms_are_refused),
        cmocka_unit_test(the_first_and_last_moments_of_four_digit_years_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
