/* What the writer writes, against texts written by hand and against a parser. */
#include "tests/unit/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "server/out.h"

enum { ARENA_BYTES = 8 << 20 };

static struct arena arena;
static struct out out;
static struct err err;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    out_init(&out, &arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static const char *finished(void)
{
    const char *text = NULL;
    size_t length = 0;
    assert_int_equal(out_finish(&out, &text, &length, &err), ERR_OK);
    assert_int_equal(strlen(text), length);
    return text;
}

static void puts_commas_and_names_where_they_belong(void **state)
{
    (void)state;
    static const double numbers[] = {1, 2.5, NAN, -INFINITY};
    out_object_begin(&out, NULL);
    out_integer(&out, "id", 7);
    out_array_begin(&out, "empty");
    out_array_end(&out);
    out_array_begin(&out, "items");
    out_object_begin(&out, NULL);
    out_object_end(&out);
    out_bool(&out, NULL, true);
    out_bool(&out, NULL, false);
    out_null(&out, NULL);
    out_text(&out, NULL, "x");
    out_array_end(&out);
    out_numbers(&out, "numbers", numbers, 4);
    out_numbers(&out, "none", numbers, 0);
    out_text(&out, "nothing", NULL);
    out_raw(&out, "raw", "{\"a\": 1}", 8);
    out_number(&out, "nan", NAN);
    out_object_end(&out);
    assert_string_equal(finished(), "{\"id\":7,\"empty\":[],\"items\":[{},true,false,null,\"x\"],"
                                    "\"numbers\":[1,2.5,null,null],\"none\":[],\"nothing\":null,"
                                    "\"raw\":{\"a\": 1},\"nan\":null}");
}

static void members_of_a_table_are_written_as_numbers_are(void **state)
{
    (void)state;
    struct sample {
        double first, second, third;
    };
    static const struct out_member table[] = {
        OUT_MEMBER(struct sample, third),
        OUT_MEMBER_AS("renamed", struct sample, first),
        OUT_MEMBER(struct sample, second),
    };
    static const struct sample sample = {-2.5e-9, INFINITY, 64};
    out_object_begin(&out, NULL);
    out_object_begin(&out, "a");
    out_members(&out, table, 3, &sample);
    out_members(&out, table, 1, &sample);
    out_object_end(&out);
    out_number(&out, "after", 1);
    out_object_end(&out);
    assert_string_equal(finished(), "{\"a\":{\"third\":64,\"renamed\":-2.5e-9,\"second\":null,"
                                    "\"third\":64},\"after\":1}");
}

static void members_may_be_bools_and_open_objects(void **state)
{
    (void)state;
    struct sample {
        double number;
        bool yes, no;
    };
    static const struct out_member table[] = {
        OUT_MEMBER_BEHIND(",\"inner\":{\"x\":", struct sample, number),
        OUT_MEMBER_BOOL(struct sample, yes),
        OUT_MEMBER_BOOL(struct sample, no),
        OUT_MEMBERS_END,
    };
    static const struct sample sample = {2, true, false};
    out_object_begin(&out, NULL);
    out_array_begin(&out, "a");
    out_object_begin(&out, NULL);
    out_members(&out, table, 4, &sample);
    out_members(&out, table, 4, &sample);
    out_object_end(&out);
    out_array_end(&out);
    out_object_end(&out);
    assert_string_equal(finished(), "{\"a\":[{\"inner\":{\"x\":2,\"yes\":true,\"no\":false},"
                                    "\"inner\":{\"x\":2,\"yes\":true,\"no\":false}}]}");
}

static void members_of_what_is_not_selected_are_left_out(void **state)
{
    (void)state;
    struct one {
        double value;
    };
    static const struct out_member table[] = {OUT_MEMBER(struct one, value)};
    static const struct one sample = {1};
    out_select(&out, "b");
    out_object_begin(&out, NULL);
    out_object_begin(&out, "a");
    out_members(&out, table, 1, &sample);
    out_object_end(&out);
    out_object_begin(&out, "b");
    out_members(&out, table, 1, &sample);
    out_object_end(&out);
    out_object_end(&out);
    assert_string_equal(finished(), "{\"b\":{\"value\":1}}");
}

static void members_are_repeated_as_they_stand(void **state)
{
    size_t from, to;
    (void)state;
    out_object_begin(&out, NULL);
    out_object_begin(&out, "a");
    from = out.length;
    out_integer(&out, "x", 1);
    out_text(&out, "y", "two");
    to = out.length;
    out_object_end(&out);
    out_object_begin(&out, "b");
    out_repeat(&out, from, to);
    out_repeat(&out, from, from);
    out_object_end(&out);
    out_object_begin(&out, "c");
    out_bool(&out, "z", true);
    out_repeat(&out, from, to);
    out_object_end(&out);
    out_object_end(&out);
    assert_string_equal(finished(), "{\"a\":{\"x\":1,\"y\":\"two\"},\"b\":{\"x\":1,\"y\":\"two\"},"
                                    "\"c\":{\"z\":true,\"x\":1,\"y\":\"two\"}}");
}

/* The text moves while it grows. */
static void much_is_repeated_too(void **state)
{
    enum { TIMES = 3000 };
    (void)state;
    out_array_begin(&out, NULL);
    out_text(&out, NULL, "0123456789");
    for (int i = 1; i < TIMES; i++)
        out_repeat(&out, 1, 13);
    out_array_end(&out);
    const char *text = finished();
    assert_int_equal(strlen(text), TIMES * 13 + 1);
    for (int i = 0; i < TIMES; i++)
        assert_memory_equal(text + 1 + 13 * i, "\"0123456789\"", 12);
}

static void a_single_value_may_stand_alone(void **state)
{
    (void)state;
    out_number(&out, NULL, 0.1);
    assert_string_equal(finished(), "0.1");
}

static void nothing_written_is_an_empty_text(void **state)
{
    (void)state;
    assert_string_equal(finished(), "");
}

static void escapes_what_json_asks_for(void **state)
{
    (void)state;
    out_text(&out, NULL, "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xC3\xA9\xF0\x9F\x98\x80");
    assert_string_equal(finished(), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xC3\xA9"
                                    "\xF0\x9F\x98\x80\"");
}

static void names_are_escaped_too(void **state)
{
    (void)state;
    out_object_begin(&out, NULL);
    out_integer(&out, "\"\n\"", 1);
    out_object_end(&out);
    assert_string_equal(finished(), "{\"\\\"\\n\\\"\":1}");
}

static void bytes_that_are_not_utf8_become_replacement_characters(void **state)
{
    (void)state;
    out_text(&out, NULL,
             "a\xFF"
             "b\xED\xA0\x80"
             "c\xC3");
    assert_string_equal(finished(), "\"a\xEF\xBF\xBD"
                                    "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
                                    "c\xEF\xBF\xBD\"");
}

/* Texts of every length around the buffer's, made of bytes that grow sixfold. */
static void texts_of_any_length_parse_back(void **state)
{
    char text[5000];
    (void)state;
    for (size_t length = 0; length < sizeof text; length += 1 + length / 7) {
        for (size_t i = 0; i < length; i++)
            text[i] = "\x01x\"\x02"[(i * 7 + length) % 4];
        text[length] = '\0';
        arena_reset(&arena);
        out_init(&out, &arena);
        out_object_begin(&out, NULL);
        out_text(&out, text, text);
        out_object_end(&out);
        cJSON *root = cJSON_Parse(finished());
        assert_non_null(root);
        assert_string_equal(root->child->string, text);
        assert_string_equal(root->child->valuestring, text);
        cJSON_Delete(root);
    }
}

static void many_numbers_parse_back_to_the_same_bits(void **state)
{
    enum { COUNT = 20000 };
    double *values = arena_alloc(&arena, COUNT * sizeof *values);
    (void)state;
    assert_non_null(values);
    for (int i = 0; i < COUNT; i++)
        values[i] = ldexp(sin(i), i % 600 - 300);
    out_numbers(&out, NULL, values, COUNT);
    const char *at = finished() + 1;
    for (int i = 0; i < COUNT; i++) {
        char *end;
        assert_true(strtod(at, &end) == values[i]);
        assert_true(*end == (i + 1 < COUNT ? ',' : ']'));
        at = end + 1;
    }
}

static bool same(double a, double b)
{
    return a == b && signbit(a) == signbit(b);
}

/* The writer copies what stands in the text: right behind itself, from before the buffer grew, not
 * at all once it was cleared; and tells apart what differs in a bit. */
static void numbers_written_again_are_the_same_text(void **state)
{
    static const double values[] = {19030840157.347794,       19030840157.347794, 0.0, -0.0, 0.0,
                                    -2.2250738585072014e-308, 1652463324449.864,  7,   7};
    enum { ROUNDS = 3000, VALUES = sizeof values / sizeof *values };

    (void)state;
    for (int times = 0; times < 2; times++) {
        double other = times == 0 ? 1 : values[0];
        out_array_begin(&out, NULL);
        for (size_t i = 0; i < ROUNDS; i++) {
            out_number(&out, NULL, other);
            other = nextafter(other, INFINITY);
            out_numbers(&out, NULL, values, VALUES);
        }
        out_array_end(&out);
        cJSON *parsed = cJSON_Parse(finished());
        assert_non_null(parsed);
        other = times == 0 ? 1 : values[0];
        for (const cJSON *item = parsed->child; item != NULL; item = item->next) {
            assert_true(same(item->valuedouble, other));
            other = nextafter(other, INFINITY);
            item = item->next;
            for (int j = 0; j < VALUES; j++)
                assert_true(same(cJSON_GetArrayItem(item, j)->valuedouble, values[j]));
        }
        cJSON_Delete(parsed);
        out_clear(&out);
    }
}

static void times_are_written_or_null(void **state)
{
    (void)state;
    out_array_begin(&out, NULL);
    out_time(&out, NULL, 1500000);
    out_time(&out, NULL, INT64_MAX);
    out_array_end(&out);
    assert_string_equal(finished(), "[\"1970-01-01T00:00:01.5Z\",null]");
}

static void write_sample(void)
{
    out_object_begin(&out, NULL);
    out_integer(&out, "a", 1);
    out_object_begin(&out, "b");
    out_integer(&out, "a", 2);
    out_array_begin(&out, "c");
    out_integer(&out, NULL, 3);
    out_array_end(&out);
    out_object_end(&out);
    out_array_begin(&out, "c");
    out_object_begin(&out, NULL);
    out_text(&out, "a", "x");
    out_object_end(&out);
    out_array_end(&out);
    out_raw(&out, "d", "[]", 2);
    out_object_end(&out);
}

static void a_selection_keeps_top_level_members_whole(void **state)
{
    (void)state;
    out_select(&out, "b,d");
    write_sample();
    assert_string_equal(finished(), "{\"b\":{\"a\":2,\"c\":[3]},\"d\":[]}");
}

static void a_selection_of_a_last_or_first_member_needs_no_comma(void **state)
{
    (void)state;
    out_select(&out, "c");
    write_sample();
    assert_string_equal(finished(), "{\"c\":[{\"a\":\"x\"}]}");
}

static void no_selection_keeps_everything(void **state)
{
    (void)state;
    out_select(&out, "");
    write_sample();
    assert_string_equal(finished(), "{\"a\":1,\"b\":{\"a\":2,\"c\":[3]},\"c\":[{\"a\":\"x\"}],"
                                    "\"d\":[]}");
}

static void wants_says_what_a_selection_names(void **state)
{
    (void)state;
    assert_true(out_wants(&out, "optimum"));
    out_select(&out, "optimum,dense");
    assert_true(out_wants(&out, "optimum"));
    assert_true(out_wants(&out, "dense"));
    assert_false(out_wants(&out, "optim"));
    assert_false(out_wants(&out, "optimum,dense"));
    assert_false(out_wants(&out, ""));
}

static void bytes_and_formats_stand_outside_json(void **state)
{
    (void)state;
    out_printf(&out, "%s=%d\n", "x", 5);
    out_bytes(&out, "a,b\r\n", 5);
    for (int i = 0; i < 5000; i++)
        out_printf(&out, "%d,", i % 10);
    const char *text = finished();
    assert_int_equal(strlen(text), 9 + 10000);
    assert_memory_equal(text, "x=5\na,b\r\n0,1,2,", 15);
}

static void clear_forgets_the_text_but_not_the_selection(void **state)
{
    (void)state;
    out_select(&out, "a");
    out_object_begin(&out, NULL);
    out_integer(&out, "a", 1);
    out_clear(&out);
    write_sample();
    assert_string_equal(finished(), "{\"a\":1}");
}

/* Whatever the cap, the answer is whole or it is ERR_NO_MEMORY. */
static void memory_that_runs_out_is_an_error(void **state)
{
    int whole = 0, refused = 0;
    (void)state;
    for (size_t cap = 0; cap < 500000; cap += 10000) {
        const char *text = NULL;
        size_t length = 0;
        arena_release(&arena);
        arena_init(&arena, cap);
        err_init(&err, NULL);
        out_init(&out, &arena);
        out_array_begin(&out, NULL);
        for (int i = 0; i < 3000; i++) {
            out_object_begin(&out, NULL);
            out_text(&out, "text", "\x01\x02\x03");
            out_object_end(&out);
        }
        out_array_end(&out);
        out_printf(&out, "%d", 1);
        out_bytes(&out, "x", 1);
        enum err_code code = out_finish(&out, &text, &length, &err);
        assert_true(code == ERR_OK || code == ERR_NO_MEMORY);
        assert_true(code == ERR_OK ? length == 3000 * 30 - 1 + 4 : text == NULL);
        whole += code == ERR_OK;
        refused += code == ERR_NO_MEMORY;
    }
    assert_true(whole > 0 && refused > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(puts_commas_and_names_where_they_belong, setup, teardown),
        cmocka_unit_test_setup_teardown(members_may_be_bools_and_open_objects, setup, teardown),
        cmocka_unit_test_setup_teardown(members_of_a_table_are_written_as_numbers_are, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(members_of_what_is_not_selected_are_left_out, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(members_are_repeated_as_they_stand, setup, teardown),
        cmocka_unit_test_setup_teardown(much_is_repeated_too, setup, teardown),
        cmocka_unit_test_setup_teardown(a_single_value_may_stand_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_written_is_an_empty_text, setup, teardown),
        cmocka_unit_test_setup_teardown(escapes_what_json_asks_for, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_escaped_too, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_that_are_not_utf8_become_replacement_characters,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(texts_of_any_length_parse_back, setup, teardown),
        cmocka_unit_test_setup_teardown(many_numbers_parse_back_to_the_same_bits, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_written_again_are_the_same_text, setup, teardown),
        cmocka_unit_test_setup_teardown(times_are_written_or_null, setup, teardown),
        cmocka_unit_test_setup_teardown(a_selection_keeps_top_level_members_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(a_selection_of_a_last_or_first_member_needs_no_comma, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(no_selection_keeps_everything, setup, teardown),
        cmocka_unit_test_setup_teardown(wants_says_what_a_selection_names, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_and_formats_stand_outside_json, setup, teardown),
        cmocka_unit_test_setup_teardown(clear_forgets_the_text_but_not_the_selection, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(memory_that_runs_out_is_an_error, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
