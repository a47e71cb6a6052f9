#include "server/openapi.h"

#include "tests/unit/server/api.h"

static void every_route_is_an_operation(void **state)
{
    struct api api = api_get(state, "/openapi.json");

    assert_int_equal(api.status, 200);
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i);
        const struct json *path = json_member(api_at(&api, "paths"), route->path), *operation;
        char method[16] = "";

        assert_non_null(path);
        for (size_t k = 0; method_name(route->method)[k] != '\0'; k++)
            method[k] = (char)(method_name(route->method)[k] | 0x20);
        operation = json_member(path, method);
        assert_non_null(operation);
        assert_string_equal(json_text(json_member(operation, "operationId")), route->operation);
    }
    api_drop(&api);
}

static void every_stated_status_has_words(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++) {
        const char *at = route_at(i)->statuses;
        int found[OPENAPI_STATUSES_MAX];

        openapi_statuses(route_at(i), found);
        while (at != NULL && *at != '\0') {
            int status = (int)strtol(at, NULL, 10);
            bool listed = false;

            for (size_t k = 0; found[k] != 0; k++)
                listed |= found[k] == status;
            if (!listed || *openapi_reason(status) == '\0')
                fail_msg("%s states %d, which has no words", route_at(i)->path, status);
            at += strcspn(at, ",");
            at += *at == ',';
        }
    }
}

static void statuses_are_ascending_and_follow_from_the_route(void **state)
{
    static const struct route open = {.method = METHOD_GET, .scope = SCOPE_NONE, .statuses = "200"};
    static const struct route guarded = {.method = METHOD_POST,
                                         .scope = SCOPE_WRITE,
                                         .body_types = "application/json",
                                         .reply_schema = "X",
                                         .statuses = "201,409"};
    int a[OPENAPI_STATUSES_MAX], b[OPENAPI_STATUSES_MAX];
    bool has_401 = false, has_415 = false;

    (void)state;
    openapi_statuses(&open, a);
    for (size_t i = 0; a[i] != 0; i++) {
        assert_true(i == 0 || a[i] > a[i - 1]);
        assert_true(a[i] != 401 && a[i] != 415 && a[i] != 409);
    }
    openapi_statuses(&guarded, b);
    for (size_t i = 0; b[i] != 0; i++) {
        has_401 |= b[i] == 401;
        has_415 |= b[i] == 415;
    }
    assert_true(has_401 && has_415);
}

/* The schema of one field, as text. */
static const char *schema_of(struct arena *arena, const struct field *field,
                             enum openapi_place place)
{
    struct out out;
    struct err err;
    const char *text;
    size_t length;

    out_init(&out, arena);
    openapi_write_field(&out, NULL, field, place);
    assert_int_equal(out_finish(&out, &text, &length, &err), ERR_OK);
    return text;
}

static void fields_are_written_with_their_range(void **state)
{
    static const char *const choices[] = {"a", "b", NULL};
    static const struct {
        struct field field;
        enum openapi_place place;
        const char *want;
    } cases[] = {
        {{.kind = FIELD_NUMBER, .help = "h"}, OPENAPI_IN_QUERY, "{\"type\":\"number\"}"},
        {{.kind = FIELD_NUMBER, .min = 1, .max = INFINITY},
         OPENAPI_IN_QUERY,
         "{\"type\":\"number\",\"minimum\":1}"},
        {{.kind = FIELD_NUMBER, .min_exclusive = true},
         OPENAPI_IN_QUERY,
         "{\"type\":\"number\",\"exclusiveMinimum\":0}"},
        {{.kind = FIELD_INTEGER, .min = 1, .max = 9, .fallback = "3"},
         OPENAPI_IN_QUERY,
         "{\"type\":\"integer\",\"minimum\":1,\"maximum\":9,\"default\":3}"},
        {{.kind = FIELD_BOOL, .fallback = "false"},
         OPENAPI_IN_QUERY,
         "{\"type\":\"boolean\",\"default\":false}"},
        {{.kind = FIELD_TEXT, .min = 1, .max = 7},
         OPENAPI_IN_QUERY,
         "{\"type\":\"string\",\"minLength\":1,\"maxLength\":7}"},
        {{.kind = FIELD_CHOICE, .choices = choices, .fallback = "a"},
         OPENAPI_IN_QUERY,
         "{\"enum\":[\"a\",\"b\"],\"default\":\"a\"}"},
        {{.kind = FIELD_NUMBER, .help = "h"},
         OPENAPI_IN_BODY,
         "{\"description\":\"h\",\"type\":[\"number\",\"null\"]}"},
        {{.kind = FIELD_NUMBER, .help = "h", .required = true},
         OPENAPI_IN_BODY,
         "{\"description\":\"h\",\"type\":\"number\"}"},
        {{.kind = FIELD_NUMBER, .help = "h", .unit = "u", .fallback = "words"},
         OPENAPI_IN_BODY,
         "{\"description\":\"h Unit: u. Default: words.\",\"type\":[\"number\",\"null\"]}"},
    };
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(schema_of(&arena, &cases[i].field, cases[i].place), cases[i].want);
    arena_release(&arena);
}

static void the_document_is_the_same_every_time(void **state)
{
    struct arena a, b;
    const char *first, *second;
    size_t first_length, second_length;
    struct err err;

    (void)state;
    arena_init(&a, 1 << 24);
    arena_init(&b, 1 << 24);
    assert_int_equal(openapi_make(&a, &first, &first_length, &err), ERR_OK);
    assert_int_equal(openapi_make(&b, &second, &second_length, &err), ERR_OK);
    assert_string_equal(first, second);
    arena_release(&a);
    arena_release(&b);
}

static void too_little_memory_is_an_error_not_half_a_document(void **state)
{
    (void)state;
    for (size_t cap = 1; cap < 1 << 18; cap *= 4) {
        struct arena arena;
        const char *text;
        size_t length;
        struct err err;

        arena_init(&arena, cap);
        err_init(&err, NULL);
        assert_int_equal(openapi_make(&arena, &text, &length, &err), ERR_NO_MEMORY);
        arena_release(&arena);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_route_is_an_operation),
        cmocka_unit_test(every_stated_status_has_words),
        cmocka_unit_test(statuses_are_ascending_and_follow_from_the_route),
        cmocka_unit_test(fields_are_written_with_their_range),
        cmocka_unit_test(the_document_is_the_same_every_time),
        cmocka_unit_test(too_little_memory_is_an_error_not_half_a_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
