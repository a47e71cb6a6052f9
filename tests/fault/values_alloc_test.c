/* Values in and out when memory runs out: at every single allocation of parsing, walking, decoding
 * and writing. The whole answer or ERR_NO_MEMORY, and nothing leaked. */
#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

#include "server/filters.h"
#include "server/json_walk.h"
#include "server/out.h"
#include "tests/fault/alloc.c"

enum { ARENA_BYTES = 8 << 20, MANY_NAMES = 200, ROWS_WRITTEN = 2000 };

struct sample {
    const char *text;
    struct field_numbers numbers;
    struct filter where;
};

static const struct field table[] = {
    {.name = "text", .kind = FIELD_TEXT, .offset = offsetof(struct sample, text)},
    {.name = "numbers", .kind = FIELD_NUMBERS, .offset = offsetof(struct sample, numbers)},
    {.name = "where",
     .kind = FIELD_CUSTOM,
     .offset = offsetof(struct sample, where),
     .custom = filters_custom},
};
enum { ROWS = sizeof table / sizeof table[0] };

static struct arena arena;
static struct err err;
static struct sample sample;

/* What is tried at each allocation: its own check of a whole answer is inside. */
typedef enum err_code attempt_fn(void);

/* Fails the first allocation, then the second, … until one attempt needs no more of them. */
static void fail_each(attempt_fn *attempt, size_t at_least)
{
    size_t refused = 0;
    if (!ALLOC_CAN_FAIL)
        skip();
    for (size_t k = 1;; k++) {
        size_t live = alloc_live();
        memset(&sample, 0, sizeof sample);
        arena_init(&arena, ARENA_BYTES);
        err_init(&err, &arena);
        alloc_fail_at(k);
        enum err_code code = attempt();
        alloc_never_fail();
        arena_release(&arena);
        assert_int_equal(alloc_live(), live);
        if (!alloc_failed()) {
            assert_int_equal(code, ERR_OK);
            break;
        }
        assert_true(code == ERR_NO_MEMORY || code == ERR_OK);
        refused += code == ERR_NO_MEMORY;
    }
    assert_true(refused >= at_least);
}

/* {"long":0.1…, "k0":0, "k1":1, …}: names enough to be sorted, a number to be shortened. */
static const char *many_names(void)
{
    static char text[MANY_NAMES * 16 + 200];
    size_t n = (size_t)sprintf(text, "{\"long\":0.25%080d", 0);
    for (int i = 0; i < MANY_NAMES; i++)
        n += (size_t)sprintf(text + n, ",\"k%d\":%d", i, i);
    memcpy(text + n, "}", 2);
    return text;
}

static enum err_code parse_many_names(void)
{
    const char *text = many_names();
    struct json *root = NULL;
    enum err_code code = json_parse(text, strlen(text), &root, &err);
    if (code != ERR_OK) {
        assert_null(root);
        return code;
    }
    assert_true(json_number(json_member(root, "long")) == 0.25);
    assert_true(json_number(json_member(root, "k199")) == 199);
    json_release(root);
    return code;
}

static void parsing_is_whole_or_refused(void **state)
{
    (void)state;
    fail_each(parse_many_names, MANY_NAMES);
}

static enum err_code walk_items(void)
{
    static const char text[] = "{\"study\":\"s\",\"items\":[{\"a\":1},[2],\"three\"]}";
    struct json_walk walk;
    struct json *item = NULL;
    size_t count = 0;
    enum err_code code = json_walk_open(&walk, text, sizeof text - 1, "items", &err);
    if (code != ERR_OK)
        return code;
    while ((code = json_walk_next(&walk, &item, &err)) == ERR_OK && item != NULL) {
        json_release(item);
        count++;
    }
    assert_true(code != ERR_OK || count == 3);
    json_walk_close(&walk);
    return code;
}

static void walking_is_whole_or_refused(void **state)
{
    (void)state;
    fail_each(walk_items, 8);
}

static enum err_code check_sample(enum err_code code)
{
    if (code == ERR_OK) {
        assert_string_equal(sample.text, "x");
        assert_int_equal(sample.numbers.count, 2);
    }
    return code;
}

static enum err_code decode_object(void)
{
    static const char text[] = "{\"text\":\"x\",\"numbers\":[1,2],"
                               "\"where\":{\"tag.a\":[\"x\",\"y\"],\"experts_min\":2}}";
    struct field_presence presence;
    struct json *root = NULL;
    enum err_code code = json_parse(text, sizeof text - 1, &root, &err);
    if (code == ERR_OK)
        code = field_from_json(table, ROWS, root, "", NULL, NULL, &sample, &presence, &arena, &err);
    json_release(root);
    assert_true(code != ERR_OK || sample.where.n_terms == 2);
    return check_sample(code);
}

static void decoding_an_object_is_whole_or_refused(void **state)
{
    (void)state;
    fail_each(decode_object, 10);
}

static enum err_code decode_query(void)
{
    struct field_presence presence;
    struct filters filters = {&sample.where, &arena};
    enum err_code code =
        field_from_query(table, ROWS, "text=x&numbers=1,2&tag.a=x,y&experts_min=2", filters_query,
                         &filters, &sample, &presence, &arena, &err);
    assert_true(code != ERR_OK || sample.where.n_terms == 2);
    return check_sample(code);
}

static void decoding_a_query_is_whole_or_refused(void **state)
{
    (void)state;
    fail_each(decode_query, 1);
}

static enum err_code write_rows(void)
{
    struct out out;
    const char *text = NULL;
    size_t length = 0;
    out_init(&out, &arena);
    out_array_begin(&out, NULL);
    for (int i = 0; i < ROWS_WRITTEN; i++) {
        out_object_begin(&out, NULL);
        out_text(&out, "name", "\x01\x02\x03\x04");
        out_object_end(&out);
    }
    out_array_end(&out);
    enum err_code code = out_finish(&out, &text, &length, &err);
    assert_true(code != ERR_OK || length == 1 + ROWS_WRITTEN * 36);
    return code;
}

static void writing_is_whole_or_refused(void **state)
{
    (void)state;
    fail_each(write_rows, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing_is_whole_or_refused),
        cmocka_unit_test(walking_is_whole_or_refused),
        cmocka_unit_test(decoding_an_object_is_whole_or_refused),
        cmocka_unit_test(decoding_a_query_is_whole_or_refused),
        cmocka_unit_test(writing_is_whole_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
