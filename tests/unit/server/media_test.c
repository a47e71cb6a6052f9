#include "tests/unit/check.h"

#include <string.h>

#include "server/media.h"

static int quality(const char *accept, const char *type)
{
    return media_quality(accept, type, strlen(type));
}

static void a_content_type_is_known_by_its_name_alone(void **state)
{
    (void)state;
    assert_true(media_is("application/json", "application/json"));
    assert_true(media_is("Application/JSON; charset=UTF-8", "application/json"));
    assert_true(media_is(" text/csv ;header=present", "text/csv"));
    assert_false(media_is("application/jsonx", "application/json"));
    assert_false(media_is("application/js", "application/json"));
    assert_false(media_is("", "application/json"));
    assert_false(media_is(NULL, "application/json"));
}

static void a_charset_other_than_utf_8_is_not_taken(void **state)
{
    (void)state;
    assert_true(media_is("text/csv; charset=\"utf-8\"", "text/csv"));
    assert_true(media_is("text/csv; header=present; charset=us-ascii", "text/csv"));
    assert_false(media_is("text/csv; header=present; charset=latin1", "text/csv"));
    assert_false(media_is("text/csv; charset=iso-8859-1", "text/csv"));
    assert_false(media_is("text/csv; charset=utf-16", "text/csv"));
}

static void a_csv_without_its_header_row_is_not_taken(void **state)
{
    (void)state;
    assert_true(media_is("text/csv; header=\"present\"", "text/csv"));
    assert_false(media_is("text/csv; header=absent", "text/csv"));
    assert_false(media_is("text/csv; charset=utf-8; Header=\"Absent\"", "text/csv"));
}

static void one_of_several_types_is_found(void **state)
{
    static const char types[] = "application/json,text/csv,application/x-ndjson";
    size_t length = 0;

    (void)state;
    assert_ptr_equal(media_find("text/csv", types, &length), types + strlen("application/json,"));
    assert_int_equal(length, strlen("text/csv"));
    assert_null(media_find("text/plain", types, &length));
}

static void the_most_specific_range_counts(void **state)
{
    static const char accept[] = "text/*;q=0.3, text/csv;q=0.7, */*;q=0.1";

    (void)state;
    assert_int_equal(quality(accept, "text/csv"), 700);
    assert_int_equal(quality(accept, "text/plain"), 300);
    assert_int_equal(quality(accept, "application/json"), 100);
    assert_int_equal(quality("application/json;q=0, */*", "application/json"), 0);
    assert_int_equal(quality("*/*, application/json;q=0", "application/json"), 0);
}

static void without_accept_everything_is_welcome(void **state)
{
    (void)state;
    assert_int_equal(quality(NULL, "text/csv"), 1000);
    assert_int_equal(quality("*/*", "text/csv"), 1000);
    assert_int_equal(quality("", "text/csv"), 0);
}

static void odd_q_values_count_as_one(void **state)
{
    (void)state;
    assert_int_equal(quality("text/csv;q=high", "text/csv"), 1000);
    assert_int_equal(quality("text/csv;q=7", "text/csv"), 1000);
    assert_int_equal(quality("text/csv; Q=0.25", "text/csv"), 250);
    assert_int_equal(quality("text/csv;level=1;q=0.5", "text/csv"), 500);
    assert_int_equal(quality("text/csv;q=0.1239", "text/csv"), 123);
}

static void gzip_is_sent_to_those_who_want_it(void **state)
{
    (void)state;
    assert_true(media_wants_gzip("gzip"));
    assert_true(media_wants_gzip("deflate, gzip;q=0.8, br"));
    assert_true(media_wants_gzip("*"));
    assert_true(media_wants_gzip("GZIP;q=0.001"));
    assert_false(media_wants_gzip(NULL));
    assert_false(media_wants_gzip(""));
    assert_false(media_wants_gzip("br"));
    assert_false(media_wants_gzip("gzip;q=0, *"));
    assert_false(media_wants_gzip("*;q=0"));
    assert_false(media_wants_gzip("gzip;q=0.5, identity"));
}

static void a_tag_is_found_in_a_list(void **state)
{
    (void)state;
    assert_true(media_tag_listed("\"a\"", "\"a\"", false));
    assert_true(media_tag_listed("\"x\" , \"a\"", "\"a\"", false));
    assert_true(media_tag_listed("*", "\"a\"", false));
    assert_true(media_tag_listed("\"b,c\", \"a\"", "\"a\"", false));
    assert_true(media_tag_listed("\"b,c\"", "\"b,c\"", false));
    assert_false(media_tag_listed("\"ab\"", "\"a\"", false));
    assert_false(media_tag_listed("a", "\"a\"", false));
    assert_false(media_tag_listed(NULL, "\"a\"", false));
}

static void weak_tags_match_only_where_that_is_enough(void **state)
{
    (void)state;
    assert_true(media_tag_listed("W/\"a\"", "\"a\"", true));
    assert_false(media_tag_listed("W/\"a\"", "\"a\"", false));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_content_type_is_known_by_its_name_alone),
        cmocka_unit_test(a_charset_other_than_utf_8_is_not_taken),
        cmocka_unit_test(a_csv_without_its_header_row_is_not_taken),
        cmocka_unit_test(one_of_several_types_is_found),
        cmocka_unit_test(the_most_specific_range_counts),
        cmocka_unit_test(without_accept_everything_is_welcome),
        cmocka_unit_test(odd_q_values_count_as_one),
        cmocka_unit_test(gzip_is_sent_to_those_who_want_it),
        cmocka_unit_test(a_tag_is_found_in_a_list),
        cmocka_unit_test(weak_tags_match_only_where_that_is_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
