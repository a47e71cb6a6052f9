/* Query strings pair by pair. */
#include "tests/unit/check.h"

#include <string.h>

#include "server/query.h"

enum { ARENA_BYTES = 1 << 16 };

static struct arena arena;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* "[name=value]" for each pair, "[name]" without '=', "[!name]" for a bad one. */
static const char *pairs(const char *query)
{
    static char text[400];
    struct query_pair pair;
    struct query left;
    size_t n = 0;
    text[0] = '\0';
    assert_true(query_begin(query, &arena, &left));
    while (query_next(&left, &pair)) {
        assert_int_equal(pair.name_length, strlen(pair.name));
        assert_int_equal(pair.value_length, pair.value != NULL ? strlen(pair.value) : 0);
        const char *format = pair.fault != NULL ? "[!%s]" : pair.value == NULL ? "[%s]" : "[%s=%s]";
        n += (size_t)snprintf(text + n, sizeof text - n, format, pair.name, pair.value);
    }
    return text;
}

static void pairs_are_split_and_decoded(void **state)
{
    (void)state;
    assert_string_equal(pairs("a=1&b=2"), "[a=1][b=2]");
    assert_string_equal(pairs("a%20b=c+d%2B%26%3D"), "[a b=c d+&=]");
    assert_string_equal(pairs("tag.r%C3%B6uter=%E2%82%AC"), "[tag.r\xC3\xB6uter=\xE2\x82\xAC]");
    assert_string_equal(pairs("a=b=c"), "[a=b=c]");
    assert_string_equal(pairs("a=%41%4a%4A"), "[a=AJJ]");
}

static void a_plus_is_itself_in_an_exponent_and_before_an_offset_only(void **state)
{
    (void)state;
    assert_string_equal(pairs("a=1e+22&b=1.E+5,2e+6"), "[a=1e+22][b=1.E+5,2e+6]");
    assert_string_equal(pairs("a=2026-01-31T23:59:59+02:00"), "[a=2026-01-31T23:59:59+02:00]");
    assert_string_equal(pairs("a=the+22&b=1e+x&c=e+2&d=3+4&e=1e+"),
                        "[a=the 22][b=1e x][c=e 2][d=3 4][e=1e ]");
}

static void empty_pairs_mean_nothing(void **state)
{
    (void)state;
    assert_string_equal(pairs(NULL), "");
    assert_string_equal(pairs(""), "");
    assert_string_equal(pairs("&"), "");
    assert_string_equal(pairs("&&a=1&&b=2&"), "[a=1][b=2]");
}

static void missing_names_and_values_are_told_apart(void **state)
{
    (void)state;
    assert_string_equal(pairs("a&b=&=c&="), "[a][b=][=c][=]");
}

static void bad_encodings_are_marked_with_the_raw_name(void **state)
{
    (void)state;
    assert_string_equal(pairs("a=%&b=2"), "[!a][b=2]");
    assert_string_equal(pairs("a=%4&b=%4g&c=%G4&d=%%41"), "[!a][!b][!c][!d]");
    assert_string_equal(pairs("a%00=1&b=%00&c%zz=1"), "[!a%00][!b][!c%zz]");
    assert_string_equal(pairs("a=%FF&b=%C0%80&c=%ED%A0%80&d=%E2%82&e=%u0041"),
                        "[!a][!b][!c][!d][!e]");
    assert_string_equal(pairs("a=\xFF"), "[!a]");
    assert_string_equal(pairs("a=\xC3\xA9"), "[a=\xC3\xA9]");
}

static void characters_split_over_raw_and_encoded_bytes_are_joined(void **state)
{
    (void)state;
    assert_string_equal(pairs("a=\xE2%82\xAC"), "[a=\xE2\x82\xAC]");
}

static void memory_that_runs_out_is_not_the_end(void **state)
{
    struct arena small;
    struct query query;
    (void)state;
    arena_init(&small, 0);
    assert_false(query_begin("a=1", &small, &query));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pairs_are_split_and_decoded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_plus_is_itself_in_an_exponent_and_before_an_offset_only,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(empty_pairs_mean_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_names_and_values_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_encodings_are_marked_with_the_raw_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(characters_split_over_raw_and_encoded_bytes_are_joined,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(memory_that_runs_out_is_not_the_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
