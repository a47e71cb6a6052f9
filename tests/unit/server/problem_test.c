#include "tests/unit/check.h"

#include <string.h>

#include "server/json.h"
#include "server/problem.h"

static int make(void **state)
{
    static struct call call;

    arena_init(&call.arena, 1 << 20);
    call_init(&call, NULL);
    strcpy(call.id, "an-id");
    *state = &call;
    return 0;
}

static int drop(void **state)
{
    struct call *call = *state;

    arena_release(&call->arena);
    return 0;
}

static struct json *document(const struct call *call)
{
    struct json *root = NULL;
    struct err err;

    err_init(&err, NULL);
    assert_string_equal(call->reply.content_type, "application/problem+json");
    assert_int_equal(json_parse(call->reply.body, call->reply.length, &root, &err), ERR_OK);
    return root;
}

static const char *header(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->reply.n_headers; i++)
        if (strcmp(call->reply.header[i].name, name) == 0)
            return call->reply.header[i].value;
    return NULL;
}

static void every_code_has_a_status_a_title_and_a_name(void **state)
{
    struct call *call = *state;

    for (int code = ERR_INVALID; code < ERR_CODE_COUNT; code++) {
        struct json *root;

        err_init(&call->err, &call->arena);
        problem_reply(call, (enum err_code)code);
        assert_in_range(call->reply.status, 400, 599);
        root = document(call);
        assert_true(json_number(json_member(root, "status")) == call->reply.status);
        assert_string_equal(json_text(json_member(root, "code")), err_name((enum err_code)code));
        assert_true(strlen(json_text(json_member(root, "title"))) > 0);
        assert_true(strlen(json_text(json_member(root, "detail"))) > 0);
        assert_null(json_member(root, "errors"));
        json_release(root);
    }
}

static void statuses_are_the_contract_s(void **state)
{
    static const struct {
        enum err_code code;
        int status;
    } rows[] = {
        {ERR_INVALID, 400},
        {ERR_UNBOUNDED, 400},
        {ERR_UNAUTHORIZED, 401},
        {ERR_FORBIDDEN, 403},
        {ERR_NOT_FOUND, 404},
        {ERR_CONFLICT, 409},
        {ERR_TOO_LARGE, 413},
        {ERR_INFEASIBLE, 422},
        {ERR_NOT_IDENTIFIABLE, 422},
        {ERR_UNAVAILABLE, 503},
        {ERR_STORAGE_FULL, 507},
        {ERR_TOO_MANY_REQUESTS, 429},
        {ERR_TOO_FEW_EXPERIMENTS, 422},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(problem_status(rows[i].code), rows[i].status);
}

static void every_bad_field_is_listed_in_order(void **state)
{
    struct call *call = *state;
    const struct json *at;
    struct json *root;

    err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/items/0/\"loss\"", 0, "must be above 0");
    err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "memory", 0, "'%s' has no unit", "80G");
    err_add(&call->err, ERR_INVALID, ERR_AT_CELL, "tokens", 7, "not a number");
    problem_reply(call, ERR_INVALID);
    root = document(call);
    at = json_first(json_member(root, "errors"));
    assert_string_equal(json_text(json_member(at, "pointer")), "/items/0/\"loss\"");
    assert_string_equal(json_text(json_member(at, "detail")), "must be above 0");
    at = json_next(at);
    assert_string_equal(json_text(json_member(at, "parameter")), "memory");
    at = json_next(at);
    assert_true(json_number(json_member(at, "row")) == 7);
    assert_string_equal(json_text(json_member(at, "column")), "tokens");
    assert_null(json_next(at));
    json_release(root);
}

static void fields_beyond_the_limit_are_counted(void **state)
{
    struct call *call = *state;
    struct json *root;
    size_t listed = 0;

    for (int i = 0; i < ERR_FIELDS_MAX + 5; i++)
        err_add(&call->err, ERR_INVALID, ERR_AT_CELL, "x", (uint64_t)i, "bad");
    problem_reply(call, ERR_INVALID);
    root = document(call);
    for (const struct json *at = json_first(json_member(root, "errors")); at; at = json_next(at))
        listed++;
    assert_int_equal(listed, ERR_FIELDS_MAX);
    assert_true(json_number(json_member(root, "errors_left_out")) == 5);
    json_release(root);
}

static void a_failure_wears_none_of_the_success_s_headers(void **state)
{
    struct call *call = *state;

    reply_header(call, "Location", "/v1/fits/1");
    reply_header(call, "Allow", "GET");
    reply_header(call, "Link", "<x>");
    call->reply.etag = "\"x\"";
    problem_reply(call, ERR_METHOD_NOT_ALLOWED);
    assert_null(header(call, "Location"));
    assert_null(header(call, "Link"));
    assert_string_equal(header(call, "Allow"), "GET");
    assert_null(call->reply.etag);
    assert_true(call->reply.no_store);
}

static void those_who_may_come_again_are_told_when(void **state)
{
    struct call *call = *state;

    problem_reply(call, ERR_UNAVAILABLE);
    assert_non_null(header(call, "Retry-After"));
    call_init(call, NULL);
    problem_reply(call, ERR_TOO_MANY_REQUESTS);
    assert_non_null(header(call, "Retry-After"));
    call_init(call, NULL);
    problem_reply(call, ERR_UNAUTHORIZED);
    assert_null(header(call, "Retry-After"));
    assert_string_equal(header(call, "WWW-Authenticate"), "Bearer realm=\"moeplan\"");
}

static long no_read(struct call *call, void *ctx, char *buffer, size_t room)
{
    (void)call;
    (void)ctx;
    (void)buffer;
    (void)room;
    return REPLY_STREAM_END;
}

static void count_close(void *ctx)
{
    ++*(int *)ctx;
}

static void a_stream_begun_for_the_answer_is_closed(void **state)
{
    struct call *call = *state;
    int closed = 0;
    struct reply_stream stream = {no_read, count_close, &closed};

    reply_with_stream(call, 200, "text/csv", &stream);
    problem_reply(call, ERR_INTERNAL);
    assert_int_equal(closed, 1);
    assert_null(call->reply.stream);
}

static void without_memory_there_is_still_a_document(void **state)
{
    struct call *call = *state;
    struct json *root;

    call->arena.cap_bytes = call->arena.used_bytes;
    problem_reply(call, ERR_INVALID);
    root = document(call);
    assert_int_equal(call->reply.status, 413);
    assert_true(json_number(json_member(root, "status")) == 413);
    assert_string_equal(json_text(json_member(root, "code")), "no_memory");
    json_release(root);
}

int main(void)
{
#define CALL(test) cmocka_unit_test_setup_teardown(test, make, drop)
    const struct CMUnitTest tests[] = {
        CALL(every_code_has_a_status_a_title_and_a_name),
        CALL(statuses_are_the_contract_s),
        CALL(every_bad_field_is_listed_in_order),
        CALL(fields_beyond_the_limit_are_counted),
        CALL(a_failure_wears_none_of_the_success_s_headers),
        CALL(those_who_may_come_again_are_told_when),
        CALL(a_stream_begun_for_the_answer_is_closed),
        CALL(without_memory_there_is_still_a_document),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
