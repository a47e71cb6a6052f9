/* Lists in their four forms, element by element. */
#include "tests/unit/server/faults.h"

#include <stdlib.h>
#include <string.h>

#include "server/json_walk.h"

enum { ARENA_BYTES = 1 << 20, ITEMS_MAX = 16, ITEM_BYTES = 64 };

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

/* "pointer=value " for each element: numbers and texts as they are, the rest by kind. */
static const char *walked(struct json_walk *walk)
{
    static char text[ITEMS_MAX * ITEM_BYTES];
    size_t n = 0;
    struct json *item;
    text[0] = '\0';
    for (;;) {
        assert_int_equal(json_walk_next(walk, &item, &err), ERR_OK);
        if (item == NULL)
            break;
        const char *pointer = json_walk_pointer(walk, &arena);
        if (json_kind(item) == JSON_NUMBER)
            n += (size_t)snprintf(text + n, ITEM_BYTES, "%s=%g ", pointer, json_number(item));
        else if (json_kind(item) == JSON_TEXT)
            n += (size_t)snprintf(text + n, ITEM_BYTES, "%s='%s' ", pointer, json_text(item));
        else
            n += (size_t)snprintf(text + n, ITEM_BYTES, "%s=%s ", pointer,
                                  json_kind_name(json_kind(item)));
        json_release(item);
    }
    return text;
}

/* Opens a copy of exactly the text's bytes in *ret_copy, freed by the caller. */
static enum err_code open_copy(struct json_walk *walk, const char *text, char **ret_copy)
{
    size_t length = strlen(text);
    *ret_copy = malloc(length > 0 ? length : 1);
    assert_non_null(*ret_copy);
    memcpy(*ret_copy, text, length);
    return json_walk_open(walk, *ret_copy, length, "items", &err);
}

static void assert_walks(const char *text, enum json_walk_form form, const char *want)
{
    struct json_walk walk;
    char *copy;
    if (open_copy(&walk, text, &copy) != ERR_OK)
        fail_msg("%s is refused: %s", text, err.detail);
    assert_int_equal(walk.form, form);
    assert_string_equal(walked(&walk), want);
    json_walk_close(&walk);
    free(copy);
}

static void assert_refused(const char *text, const char *pointer, const char *part)
{
    struct json_walk walk;
    char *copy;
    err_init(&err, &arena);
    assert_int_equal(open_copy(&walk, text, &copy), ERR_INVALID);
    assert_fault(&err, ERR_AT_POINTER, pointer, part);
    free(copy);
}

static void an_array_gives_its_elements(void **state)
{
    (void)state;
    assert_walks("[1,\"]\\\"\",{\"a\":[1,\"}\"]} , [[],[2]],true,-1.5e3]", JSON_WALK_ARRAY,
                 "/0=1 /1=']\"' /2=an object /3=an array /4=a boolean /5=-1500 ");
    assert_walks(" [ ] ", JSON_WALK_ARRAY, "");
    assert_walks("\n[\n1\n,\n2\n]\n", JSON_WALK_ARRAY, "/0=1 /1=2 ");
}

static void a_member_gives_its_elements(void **state)
{
    (void)state;
    assert_walks("{\"items\":[1,2]}", JSON_WALK_MEMBER, "/items/0=1 /items/1=2 ");
    assert_walks("{\"a\":{\"items\":[9]},\"items\":[1] , \"z\":[3]}", JSON_WALK_MEMBER,
                 "/items/0=1 ");
    assert_walks("{ \"it\\u0065ms\" : [ ] }", JSON_WALK_MEMBER, "");
}

static void a_single_value_is_a_list_of_one(void **state)
{
    (void)state;
    assert_walks(" {\"a\":1} ", JSON_WALK_ONE, "=an object ");
    assert_walks("{}", JSON_WALK_ONE, "=an object ");
    assert_walks("{\"a\":{\"items\":[1]}}", JSON_WALK_ONE, "=an object ");
    assert_walks("17", JSON_WALK_ONE, "=17 ");
    assert_walks(" \"x\"", JSON_WALK_ONE, "='x' ");
}

static void the_head_holds_everything_but_the_list(void **state)
{
    struct json_walk walk;
    char *copy;
    (void)state;
    assert_int_equal(open_copy(&walk, "{\"study\":\"s\",\"items\":[1,[2],{}],\"n\":[1,2]}", &copy),
                     ERR_OK);
    assert_string_equal(json_text(json_member(walk.head, "study")), "s");
    assert_null(json_first(json_member(walk.head, "items")));
    assert_non_null(json_first(json_member(walk.head, "n")));
    json_walk_close(&walk);
    assert_null(walk.head);
    free(copy);
}

static void without_a_member_objects_are_single(void **state)
{
    static const char text[] = "{\"items\":[1,2]}";
    struct json_walk walk;
    (void)state;
    assert_int_equal(json_walk_open(&walk, text, sizeof text - 1, NULL, &err), ERR_OK);
    assert_int_equal(walk.form, JSON_WALK_ONE);
    assert_string_equal(walked(&walk), "=an object ");
    json_walk_close(&walk);
}

static void a_list_that_is_none_is_refused(void **state)
{
    (void)state;
    assert_refused("{\"items\":{}}", "/items", "must be an array");
    assert_refused("{\"items\":null}", "/items", "must be an array");
}

static void the_whole_is_checked_before_the_first_element(void **state)
{
    (void)state;
    assert_refused("[1,2,{\"a\":1,\"a\":2}]", "/2/a", "more than once");
    assert_refused("{\"items\":[1,nan]}", "/items/1", "'nan'");
    assert_refused("[1] 2", "", "text after the value");
    assert_refused("", "", "empty");
}

static void a_walk_may_stop_anywhere(void **state)
{
    struct json_walk walk;
    struct json *item;
    char *copy;
    (void)state;
    assert_int_equal(open_copy(&walk, "{\"items\":[1,2,3]}", &copy), ERR_OK);
    assert_int_equal(json_walk_next(&walk, &item, &err), ERR_OK);
    json_release(item);
    json_walk_close(&walk);
    free(copy);
}

static void lines_are_elements_and_blank_ones_are_not(void **state)
{
    static const char text[] = "{}\r\n\n  \n[1, 2]\n\"x\"\n7";
    struct json_walk walk;
    (void)state;
    json_walk_open_lines(&walk, text, sizeof text - 1);
    assert_string_equal(walked(&walk), "/0=an object /3=an array /4='x' /5=7 ");
    assert_int_equal(walk.index, 4);
    json_walk_open_lines(&walk, "\n\n", 2);
    assert_string_equal(walked(&walk), "");
    json_walk_open_lines(&walk, "", 0);
    assert_string_equal(walked(&walk), "");
}

static void faulty_lines_are_reported_and_passed(void **state)
{
    static const char text[] = "1\n{\"a\":01}\n3\n[1\n2]\n\n{} {}\n8\n";
    struct json_walk walk;
    struct json *item = NULL;
    double sum = 0;
    int faulty = 0;
    (void)state;
    json_walk_open_lines(&walk, text, sizeof text - 1);
    for (;;) {
        enum err_code code = json_walk_next(&walk, &item, &err);
        if (code == ERR_OK && item == NULL)
            break;
        faulty += code == ERR_INVALID;
        if (code != ERR_OK)
            continue;
        sum += json_number(item);
        json_release(item);
    }
    assert_true(sum == 1 + 3 + 8);
    assert_int_equal(faulty, 4);
    assert_fault(&err, ERR_AT_POINTER, "/1/a",
                 "cannot start with 0 and go on with a digit (byte "
                 "offset 5)");
    assert_fault(&err, ERR_AT_POINTER, "/3", "ends inside an array");
    assert_fault(&err, ERR_AT_POINTER, "/4", "text after the value");
    assert_fault(&err, ERR_AT_POINTER, "/6", "text after the value");
}

static void long_numbers_are_read_in_elements_too(void **state)
{
    static const char number[] =
        "0.25000000000000000000000000000000000000000000000000000000000000000";
    char text[400];
    struct json_walk walk;
    (void)state;
    snprintf(text, sizeof text, "{\"n\":%s,\"items\":[%s,1]}", number, number);
    assert_int_equal(json_walk_open(&walk, text, strlen(text), "items", &err), ERR_OK);
    assert_true(json_number(json_member(walk.head, "n")) == 0.25);
    assert_string_equal(walked(&walk), "/items/0=0.25 /items/1=1 ");
    json_walk_close(&walk);
    json_walk_open_lines(&walk, number, sizeof number - 1);
    assert_string_equal(walked(&walk), "/0=0.25 ");
}

/* The list may have any number of elements; one element may not be as large as that. */
static void elements_are_limited_but_not_their_number(void **state)
{
    enum { PAIRS = JSON_VALUES_MAX };
    char *text = malloc(4 * PAIRS + 16);
    struct json_walk walk;
    struct json *item = NULL;
    size_t n = 0, count = 0;
    (void)state;
    assert_non_null(text);
    text[n++] = '[';
    text[n++] = '[';
    for (int i = 0; i <= PAIRS; i++) {
        text[n++] = '1';
        text[n++] = ',';
    }
    text[n - 1] = ']';
    text[n++] = ']';
    assert_int_equal(json_walk_open(&walk, text, n, NULL, &err), ERR_OK);
    assert_int_equal(json_walk_next(&walk, &item, &err), ERR_TOO_LARGE);
    text[1] = ' ';
    text[n - 2] = ' ';
    err_init(&err, &arena);
    assert_int_equal(json_walk_open(&walk, text, n, NULL, &err), ERR_OK);
    while (json_walk_next(&walk, &item, &err) == ERR_OK && item != NULL) {
        json_release(item);
        count++;
    }
    assert_int_equal(count, PAIRS + 1);
    free(text);
}

static void pointers_need_memory(void **state)
{
    struct json_walk walk = {.form = JSON_WALK_MEMBER, .member = "items", .index = 1};
    struct arena none;
    (void)state;
    arena_init(&none, 0);
    assert_null(json_walk_pointer(&walk, &none));
    walk.form = JSON_WALK_LINES;
    assert_null(json_walk_pointer(&walk, &none));
    walk.form = JSON_WALK_ONE;
    assert_string_equal(json_walk_pointer(&walk, &none), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_array_gives_its_elements, setup, teardown),
        cmocka_unit_test_setup_teardown(a_member_gives_its_elements, setup, teardown),
        cmocka_unit_test_setup_teardown(a_single_value_is_a_list_of_one, setup, teardown),
        cmocka_unit_test_setup_teardown(the_head_holds_everything_but_the_list, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_member_objects_are_single, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_that_is_none_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(the_whole_is_checked_before_the_first_element, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_walk_may_stop_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(lines_are_elements_and_blank_ones_are_not, setup, teardown),
        cmocka_unit_test_setup_teardown(faulty_lines_are_reported_and_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(long_numbers_are_read_in_elements_too, setup, teardown),
        cmocka_unit_test_setup_teardown(elements_are_limited_but_not_their_number, setup, teardown),
        cmocka_unit_test_setup_teardown(pointers_need_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
