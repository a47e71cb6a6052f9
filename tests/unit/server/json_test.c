/* What is JSON and what is not, each fault at its place, each limit on both sides. */
#include "tests/unit/server/faults.h"

#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "server/json.h"

enum { ARENA_BYTES = 4 << 20 };

static struct arena arena;
static struct err err;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* Parses a copy of exactly length bytes, so that a read past the end is seen. */
static enum err_code parse_bytes(const char *text, size_t length, struct json **ret_root)
{
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    err_init(&err, &arena);
    enum err_code code = json_parse(copy, length, ret_root, &err);
    free(copy);
    return code;
}

static struct json *parse(const char *text)
{
    struct json *root = NULL;
    if (parse_bytes(text, strlen(text), &root) != ERR_OK)
        fail_msg("%s is refused: %s", text, err.detail);
    return root;
}

static void assert_accepted(const char *text)
{
    json_release(parse(text));
}

static void assert_refused_bytes(const char *text, size_t length, const char *pointer,
                                 const char *part)
{
    struct json *root = NULL;
    if (parse_bytes(text, length, &root) == ERR_OK)
        fail_msg("%.*s is accepted", (int)length, text);
    assert_null(root);
    assert_int_equal(err.code, ERR_INVALID);
    assert_fault(&err, ERR_AT_POINTER, pointer, part);
}

static void assert_refused(const char *text, const char *pointer, const char *part)
{
    assert_refused_bytes(text, strlen(text), pointer, part);
}

static void values_of_every_kind_are_accepted(void **state)
{
    static const char *const texts[] = {"null",
                                        "true",
                                        "false",
                                        "0",
                                        "-0",
                                        "1e5",
                                        "\"\"",
                                        "\"x\"",
                                        "[]",
                                        "{}",
                                        " [ ] ",
                                        "\t{\r\n}",
                                        "[null]",
                                        "[1,[2,[3]]]",
                                        "{\"a\":{\"b\":[]}}",
                                        "{\"\":0}",
                                        "[-0.0e-0]",
                                        "[1E+2,1e02,0e1]",
                                        "[123456789012345678901234567890]",
                                        "[1e400]",
                                        "[1e-400]",
                                        "[0.1e0001]",
                                        "[\"\\\"\\\\\\/\"]",
                                        "[\"\\b\\f\\n\\r\\t\"]",
                                        "[\"\\u0041\\u00e9\\u20AC\"]",
                                        "[\"\\uD83D\\uDE00\"]",
                                        "[\"\\ud834\\udd1e\"]",
                                        "[\"\\uFFFF\\u0001\"]",
                                        "[\"\\u005c\"]",
                                        "[\"\x7F\"]",
                                        "[\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\"]",
                                        "[\"\xEF\xBB\xBF\"]",
                                        "[\"/*no comment*/\"]",
                                        "{\"a\":1,\"A\":2}",
                                        "{\"a\":1,\"b\":{\"a\":1}}",
                                        "{\"a/b\":1,\"m~n\":2}",
                                        "[[],[]]",
                                        "{\"a\":[],\"b\":[]}",
                                        "[{\"a\":1},{\"a\":1}]"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_accepted(texts[i]);
}

static void what_is_not_json_is_refused_at_its_place(void **state)
{
    static const struct {
        const char *text, *pointer, *part;
    } rows[] = {
        {"", "", "empty (byte offset 0)"},
        {" \n", "", "empty (byte offset 2)"},
        {"[", "/0", "ends where a value should be"},
        {"]", "", "a value is missing"},
        {"[1", "", "ends inside an array (byte offset 2)"},
        {"[1,", "/1", "ends where a value should be"},
        {"[1,]", "/1", "a value is missing"},
        {"[,1]", "/0", "a value is missing"},
        {"[1,,2]", "/1", "a value is missing"},
        {"[1 2]", "", "a comma or ']' is missing in an array (byte offset 3)"},
        {"[1}", "", "a comma or ']'"},
        {"{", "", "ends inside an object"},
        {"{\"a\"", "/a", "a colon is missing"},
        {"{\"a\":", "/a", "ends where a value should be"},
        {"{\"a\":1", "", "ends inside an object"},
        {"{\"a\":1,", "", "ends inside an object"},
        {"{\"a\":1,}", "", "a name in double quotes is missing"},
        {"{a:1}", "", "a name in double quotes is missing"},
        {"{'a':1}", "", "a name in double quotes is missing"},
        {"{1:1}", "", "a name in double quotes is missing"},
        {"{\"a\" 1}", "/a", "a colon is missing"},
        {"{\"a\"::1}", "/a", "a value is missing"},
        {"{\"a\":1 \"b\":2}", "", "a comma or '}' is missing in an object"},
        {"{\"a\":[1,{\"b\":tru}]}", "/a/1/b", "'tru' is not a JSON value (byte offset 13)"},
        {"True", "", "'True'"},
        {"nul", "", "'nul'"},
        {"nulll", "", "'nulll'"},
        {"NaN", "", "'NaN'"},
        {"[Infinity]", "/0", "'Infinity'"},
        {"[-Infinity]", "/0", "a digit is missing in a number"},
        {"[undefined]", "/0", "'undefined'"},
        {"[01]", "/0", "cannot start with 0"},
        {"[-01]", "/0", "cannot start with 0"},
        {"[00]", "/0", "cannot start with 0"},
        {"[+1]", "/0", "a value is missing"},
        {"[.5]", "/0", "a value is missing"},
        {"[5.]", "/0", "after the point"},
        {"[5.e1]", "/0", "after the point"},
        {"[1e]", "/0", "in the exponent"},
        {"[1e+]", "/0", "in the exponent"},
        {"[-]", "/0", "a digit is missing in a number"},
        {"[--1]", "/0", "a digit is missing in a number"},
        {"[1.2.3]", "", "a comma or ']'"},
        {"[0x1F]", "", "a comma or ']'"},
        {"[1_000]", "", "a comma or ']'"},
        {"['x']", "/0", "a value is missing"},
        {"[\"x]", "/0", "ends inside a string"},
        {"[\"\\", "/0", "a backslash"},
        {"[\"\\x41\"]", "/0", "a backslash"},
        {"[\"\\a\"]", "/0", "a backslash"},
        {"[\"\\'\"]", "/0", "a backslash"},
        {"[\"\\u12G4\"]", "/0", "four hexadecimal digits"},
        {"[\"\\u12\"]", "/0", "four hexadecimal digits"},
        {"[\"\\U0041\"]", "/0", "a backslash"},
        {"{\"n\":\"a\\u0000b\"}", "/n", "\\u0000"},
        {"[\"\\ud800\"]", "/0", "surrogate"},
        {"[\"\\udc00\"]", "/0", "surrogate"},
        {"[\"\\ud800\\u0041\"]", "/0", "surrogate"},
        {"[\"\\ud800\\ud800\"]", "/0", "surrogate"},
        {"[\"\\udc00\\ud800\"]", "/0", "surrogate"},
        {"[\"\\ud800\\u\"]", "/0", "surrogate"},
        {"[\"a\nb\"]", "/0", "control bytes in a string must be escaped (byte offset 3)"},
        {"[\"\t\"]", "/0", "control bytes"},
        {"[\"\x1f\"]", "/0", "control bytes"},
        {"{\"a\nb\":1}", "", "control bytes"},
        {"[\"\xFF\"]", "/0", "UTF-8"},
        {"[\"\xC0\x80\"]", "/0", "UTF-8"},
        {"[\"\xED\xA0\x80\"]", "/0", "UTF-8"},
        {"[\"\xF4\x90\x80\x80\"]", "/0", "UTF-8"},
        {"[\"\xE2\x82\"]", "/0", "UTF-8"},
        {"{\"\xFF\":1}", "", "UTF-8"},
        {"\xEF\xBB\xBF{}", "", "byte order mark"},
        {"\xFF\xFE{\0", "", "a value is missing"},
        {"1 2", "", "text after the value (byte offset 2)"},
        {"{} x", "", "text after the value"},
        {"[]]", "", "text after the value"},
        {"{}}", "", "text after the value"},
        {"\"a\"\"b\"", "", "text after the value"},
        {"[1]//", "", "text after the value"},
        {"/**/[1]", "", "a value is missing"},
        {"[1,/**/2]", "/1", "a value is missing"},
        {"\x0c[]", "", "a value is missing"},
        {"\xC2\xA0[]", "", "a value is missing"},
        {"[\x0b]", "/0", "a value is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_refused(rows[i].text, rows[i].pointer, rows[i].part);
}

static void nul_bytes_are_refused_anywhere(void **state)
{
    (void)state;
    assert_refused_bytes("\0", 1, "", "a value is missing");
    assert_refused_bytes("1\0", 2, "", "text after the value");
    assert_refused_bytes("[1\0]", 4, "", "a comma or ']'");
    assert_refused_bytes("[\"a\0b\"]", 7, "/0", "control bytes");
    assert_refused_bytes("[\"\\\0\"]", 6, "/0", "a backslash");
    assert_refused_bytes("{\"a\":1}\0", 8, "", "text after the value");
}

/* Cut anywhere, a document is no longer one. */
static void every_proper_prefix_of_a_document_is_refused(void **state)
{
    static const char text[] = "{\"a\":[1.5e-3,true,null,\"\\u00e9\\ud83d\\ude00\xE2\x82\xAC\"],"
                               "\"b\":{\"c\":[[],{}]}}";
    struct json *root;
    (void)state;
    assert_accepted(text);
    for (size_t length = 0; length < sizeof text - 1; length++)
        assert_int_equal(parse_bytes(text, length, &root), ERR_INVALID);
}

static void repeated_names_are_all_reported(void **state)
{
    (void)state;
    assert_refused("{\"n_active\":1,\"x\":{\"y\":[{\"z\":1,\"z\":2}]},\"n_active\":2}", "/n_active",
                   "more than once (byte offset 40)");
    assert_fault(&err, ERR_AT_POINTER, "/x/y/0/z", "more than once");
    assert_int_equal(err.n_fields, 2);
}

static void names_are_compared_by_what_they_stand_for(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\"\\u0061\":2}", "/a", "more than once");
    assert_refused("{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}", "/\xF0\x9F\x98\x80",
                   "more than once");
    assert_refused("{\"a/b\":1,\"a\\/b\":2}", "/a~1b", "more than once");
    assert_accepted("{\"\\u0061\":1,\"\\\\u0061\":2}");
    assert_accepted("{\"ab\":1,\"a\":2,\"\":3}");
}

/* An object of count members "k0", "k1", …, the last under another name. Freed by the caller. */
static char *object_of(size_t count, const char *last)
{
    char *text = malloc(count * 16 + strlen(last) + 16);
    assert_non_null(text);
    size_t n = 0;
    text[n++] = '{';
    for (size_t i = 0; i + 1 < count; i++)
        n += (size_t)sprintf(text + n, "\"k%zu\":%zu,", i, i);
    n += (size_t)sprintf(text + n, "\"%s\":0}", last);
    text[n] = '\0';
    return text;
}

static void repeats_are_found_among_many_names(void **state)
{
    (void)state;
    for (size_t count = 2; count <= JSON_KEYS_MAX; count += 1 + count / 2) {
        char *text = object_of(count, "k0");
        assert_refused(text, "/k0", "more than once");
        free(text);
        text = object_of(count, "other");
        assert_accepted(text);
        free(text);
    }
}

static void an_object_holds_so_many_members_and_no_more(void **state)
{
    (void)state;
    char *text = object_of(JSON_KEYS_MAX, "last");
    assert_accepted(text);
    free(text);
    text = object_of(JSON_KEYS_MAX + 1, "last");
    assert_refused(text, "", "more than 1000 members");
    free(text);
}

static void a_name_is_so_long_and_no_longer(void **state)
{
    char name[JSON_KEY_BYTES_MAX + 2];
    (void)state;
    memset(name, 'n', sizeof name);
    name[JSON_KEY_BYTES_MAX] = '\0';
    char *text = object_of(1, name);
    assert_accepted(text);
    free(text);
    name[JSON_KEY_BYTES_MAX] = 'n';
    name[JSON_KEY_BYTES_MAX + 1] = '\0';
    text = object_of(1, name);
    assert_refused(text, "", "longer than 1000 bytes");
    free(text);
}

static void nesting_goes_so_deep_and_no_deeper(void **state)
{
    char text[4 * JSON_DEPTH_MAX + 16];
    (void)state;
    snprintf(text, sizeof text, "%.*s1%.*s", JSON_DEPTH_MAX, "[[[[[[[[[[[[[[[[", JSON_DEPTH_MAX,
             "]]]]]]]]]]]]]]]]");
    assert_accepted(text);
    snprintf(text, sizeof text, "[%.*s%.*s]", JSON_DEPTH_MAX, "[[[[[[[[[[[[[[[[", JSON_DEPTH_MAX,
             "]]]]]]]]]]]]]]]]");
    assert_refused(text, "/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0", "nested more than 16 deep");
}

static void brackets_without_end_are_refused_at_once(void **state)
{
    enum { MANY = 1 << 20 };
    char *text = malloc(MANY);
    struct json *root;
    (void)state;
    assert_non_null(text);
    memset(text, '[', MANY);
    assert_int_equal(parse_bytes(text, MANY, &root), ERR_INVALID);
    free(text);
}

static void a_tree_holds_so_many_values_and_no_more(void **state)
{
    char *text = malloc(2 * JSON_VALUES_MAX + 16);
    struct json *root = NULL;
    size_t n = 0;
    (void)state;
    assert_non_null(text);
    text[n++] = '[';
    for (int i = 1; i < JSON_VALUES_MAX; i++) {
        text[n++] = '1';
        text[n++] = ',';
    }
    text[n - 1] = ']';
    assert_int_equal(parse_bytes(text, n, &root), ERR_OK);
    json_release(root);
    root = NULL;
    memcpy(text + n - 1, ",1]", 3);
    assert_int_equal(parse_bytes(text, n + 2, &root), ERR_TOO_LARGE);
    assert_null(root);
    free(text);
}

static void the_tree_says_what_the_text_said(void **state)
{
    struct json *root = parse("{\"n\":-1.5e3,\"t\":\"a\\u00e9\\n\",\"yes\":true,\"no\":false,"
                              "\"nil\":null,\"list\":[1,\"x\"],\"Key\":1,\"key\":2}");
    (void)state;
    assert_int_equal(json_kind(root), JSON_OBJECT);
    assert_true(json_number(json_member(root, "n")) == -1500);
    assert_string_equal(json_text(json_member(root, "t")), "a\xC3\xA9\n");
    assert_true(json_bool(json_member(root, "yes")));
    assert_false(json_bool(json_member(root, "no")));
    assert_int_equal(json_kind(json_member(root, "nil")), JSON_NULL);
    assert_true(json_number(json_member(root, "Key")) == 1);
    assert_true(json_number(json_member(root, "key")) == 2);
    assert_null(json_member(root, "KEY"));
    assert_null(json_member(root, "absent"));
    const struct json *list = json_member(root, "list");
    assert_int_equal(json_kind(list), JSON_ARRAY);
    assert_int_equal(json_kind(json_first(list)), JSON_NUMBER);
    assert_string_equal(json_text(json_next(json_first(list))), "x");
    assert_null(json_next(json_next(json_first(list))));
    assert_string_equal(json_key(json_first(root)), "n");
    json_release(root);
}

static void an_overflowing_number_is_infinite(void **state)
{
    struct json *root = parse("[1e400,-1e400]");
    (void)state;
    assert_true(json_number(json_first(root)) == INFINITY);
    assert_true(json_number(json_next(json_first(root))) == -INFINITY);
    json_release(root);
}

/* cJSON itself reads at most 63 bytes of a number, and takes the rest for a fault. */
static void numbers_of_any_length_are_read_whole(void **state)
{
    static const char *const numbers[] = {
        "0.1000000000000000055511151231257827021181583404541015625",
        "0.10000000000000000555111512312578270211815834045410156250000000",
        "0.100000000000000005551115123125782702118158340454101562500000000",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.000000000000000111022302462515654042363166809082031250000000000000000000001",
        "-12345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
        "0",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000e-70",
        "1e0000000000000000000000000000000000000000000000000000000000000000000000000000000400",
        "-1e0000000000000000000000000000000000000000000000000000000000000000000000000000000400"};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        char text[400];
        snprintf(text, sizeof text, "{\"%s\" : [\"%s\",%s,7],\"b\":%s}", numbers[i], numbers[i],
                 numbers[i], numbers[i]);
        struct json *root = parse(text);
        const struct json *item = json_first(json_first(root));
        assert_string_equal(json_key(json_first(root)), numbers[i]);
        assert_string_equal(json_text(item), numbers[i]);
        assert_true(json_number(json_next(item)) == strtod(numbers[i], NULL));
        assert_true(json_number(json_next(json_next(item))) == 7);
        assert_true(json_number(json_member(root, "b")) == strtod(numbers[i], NULL));
        json_release(root);
    }
}

static void pointers_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(json_pointer_key(&arena, "", "a"), "/a");
    assert_string_equal(json_pointer_key(&arena, "/x/0", "m~n/o"), "/x/0/m~0n~1o");
    assert_string_equal(json_pointer_key(&arena, "", ""), "/");
    assert_string_equal(json_pointer_index(&arena, "/items", 12), "/items/12");
    struct arena none;
    arena_init(&none, 0);
    assert_null(json_pointer_key(&none, "", "a"));
    assert_null(json_pointer_index(&none, "", 1));
}

static void long_pointers_stop_at_an_enclosing_value(void **state)
{
    char name[JSON_KEY_BYTES_MAX + 1], *text = malloc(20 * sizeof name);
    size_t n = 0;
    (void)state;
    assert_non_null(text);
    memset(name, '~', JSON_KEY_BYTES_MAX);
    name[JSON_KEY_BYTES_MAX] = '\0';
    for (int i = 0; i < 10; i++)
        n += (size_t)sprintf(text + n, "{\"%s\":", name);
    struct json *root;
    assert_int_equal(parse_bytes(text, n, &root), ERR_INVALID);
    assert_int_equal(strlen(err.first->name), 2 * (1 + 2 * JSON_KEY_BYTES_MAX) - 0);
    free(text);
}

/* malloc for cJSON that fails from the k-th call on. */
static size_t calls_left;

static void *failing_malloc(size_t size)
{
    if (calls_left == 0)
        return NULL;
    calls_left--;
    return malloc(size);
}

static void memory_that_runs_out_in_the_tree_is_an_error(void **state)
{
    static const char text[] = "{\"a\":[1,\"x\",{\"b\":null}],\"c\":\"y\"}";
    cJSON_Hooks hooks = {failing_malloc, free};
    size_t failures = 0;
    (void)state;
    cJSON_InitHooks(&hooks);
    for (size_t k = 0;; k++) {
        struct json *root = NULL;
        calls_left = k;
        enum err_code code = parse_bytes(text, sizeof text - 1, &root);
        if (code == ERR_OK) {
            json_release(root);
            break;
        }
        assert_int_equal(code, ERR_NO_MEMORY);
        assert_null(root);
        failures++;
    }
    cJSON_InitHooks(NULL);
    assert_true(failures > 8);
}

static void faults_are_told_without_an_arena(void **state)
{
    struct json *root;
    (void)state;
    err_init(&err, NULL);
    assert_int_equal(json_parse("[1,", 3, &root, &err), ERR_INVALID);
    assert_non_null(strstr(err.detail, "/1: the text ends"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_of_every_kind_are_accepted, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_json_is_refused_at_its_place, setup, teardown),
        cmocka_unit_test_setup_teardown(nul_bytes_are_refused_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(every_proper_prefix_of_a_document_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(repeated_names_are_all_reported, setup, teardown),
        cmocka_unit_test_setup_teardown(names_are_compared_by_what_they_stand_for, setup, teardown),
        cmocka_unit_test_setup_teardown(repeats_are_found_among_many_names, setup, teardown),
        cmocka_unit_test_setup_teardown(an_object_holds_so_many_members_and_no_more, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_name_is_so_long_and_no_longer, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting_goes_so_deep_and_no_deeper, setup, teardown),
        cmocka_unit_test_setup_teardown(brackets_without_end_are_refused_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_tree_holds_so_many_values_and_no_more, setup, teardown),
        cmocka_unit_test_setup_teardown(the_tree_says_what_the_text_said, setup, teardown),
        cmocka_unit_test_setup_teardown(an_overflowing_number_is_infinite, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_of_any_length_are_read_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(pointers_are_escaped, setup, teardown),
        cmocka_unit_test_setup_teardown(long_pointers_stop_at_an_enclosing_value, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_that_runs_out_in_the_tree_is_an_error, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(faults_are_told_without_an_arena, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
