#include "tests/unit/server/served.h"

#include "server/etag.h"
#include "server/json.h"
#include "server/route.h"

static const char run[] = "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3,\"name\":\"one\"}";

static struct asked *get(struct served *served, const char *target)
{
    struct asked *asked = asked_make(served, "GET", target);

    asked_send(asked);
    return asked;
}

static struct asked *post(struct served *served, const char *target, const char *body)
{
    struct asked *asked = asked_make(served, "POST", target);

    asked_body(asked, "application/json", body);
    asked_send(asked);
    return asked;
}

static void assert_problem(const struct asked *asked, int status, const char *code)
{
    const struct reply *reply = &asked->call.reply;
    struct json *root = NULL;
    struct err err;

    err_init(&err, NULL);
    assert_int_equal(reply->status, status);
    assert_string_equal(reply->content_type, "application/problem+json");
    assert_int_equal(json_parse(reply->body, reply->length, &root, &err), ERR_OK);
    assert_true(json_number(json_member(root, "status")) == status);
    assert_string_equal(json_text(json_member(root, "code")), code);
    assert_string_equal(json_text(json_member(root, "request_id")), asked->call.id);
    json_release(root);
}

static void an_inline_answer_is_there_at_once(void **state)
{
    struct asked *asked = asked_make(*state, "GET", "/livez");

    assert_true(dispatch(&asked->call));
    assert_int_equal(asked->call.reply.status, 200);
    assert_true(asked_says(asked, "\"alive\""));
    assert_string_equal(asked_reply_header(asked, "X-Request-Id"), "test-id");
    asked_drop(asked);
}

static void reader_and_writer_lanes_answer_later(void **state)
{
    struct asked *asked = get(*state, "/readyz");

    assert_int_equal(asked->call.reply.status, 200);
    asked_drop(asked);
    asked = post(*state, "/v1/experiments", run);
    assert_int_equal(asked->call.reply.status, 201);
    asked_drop(asked);
    asked = get(*state, "/v1/experiments/1");
    assert_int_equal(asked->call.reply.status, 200);
    assert_true(asked_says(asked, "\"one\""));
    asked_drop(asked);
}

static void what_is_not_there_is_404_and_what_cannot_be_done_405(void **state)
{
    struct asked *asked = get(*state, "/nothing");

    assert_problem(asked, 404, "not_found");
    asked_drop(asked);
    asked = asked_make(*state, "PUT", "/livez");
    asked_send(asked);
    assert_problem(asked, 405, "method_not_allowed");
    assert_string_equal(asked_reply_header(asked, "Allow"), "GET, HEAD, OPTIONS");
    asked_drop(asked);
}

static void options_answers_without_a_body(void **state)
{
    struct asked *asked = asked_make(*state, "OPTIONS", "/v1/backup");

    assert_int_equal(asked_send(asked), 204);
    assert_int_equal(asked->call.reply.length, 0);
    assert_string_equal(asked_reply_header(asked, "Allow"), "POST, OPTIONS");
    assert_null(asked_reply_header(asked, "Access-Control-Allow-Methods"));
    asked_drop(asked);
}

static void a_path_that_cannot_be_decoded_is_400(void **state)
{
    static const char *const bad[] = {"/a%00", "/a%zz", "/a%ff", "*", "a", ""};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct asked *asked = get(*state, bad[i]);

        assert_problem(asked, 400, "invalid");
        asked_drop(asked);
    }
}

static void a_foreign_host_is_403_on_loopback_only(void **state)
{
    struct served *served = *state;

    for (int loopback = 0; loopback < 2; loopback++) {
        struct asked *asked = asked_make(served, "GET", "/livez");

        served->app.listening_loopback = loopback;
        asked_header(asked, "host", "evil.example");
        assert_int_equal(asked_send(asked), loopback ? 403 : 200);
        asked_drop(asked);
    }
    served->app.options.allow_hosts = "plan.example";
    {
        struct asked *asked = asked_make(served, "GET", "/livez");

        asked_header(asked, "Host", "plan.example");
        assert_int_equal(asked_send(asked), 200);
        asked_drop(asked);
    }
}

static void a_cross_site_write_is_403_and_stores_nothing(void **state)
{
    struct asked *asked = asked_make(*state, "POST", "/v1/experiments");

    asked_header(asked, "Sec-Fetch-Site", "cross-site");
    asked_body(asked, "application/json", run);
    asked_send(asked);
    assert_problem(asked, 403, "forbidden");
    asked_drop(asked);
    assert_int_equal(served_get(*state, "/v1/experiments/1"), 404);
}

static void body_and_reply_types_are_checked_by_the_row(void **state)
{
    struct asked *asked = asked_make(*state, "POST", "/v1/experiments");

    asked_body(asked, "application/xml", "<a/>");
    asked_send(asked);
    assert_problem(asked, 415, "unsupported_media_type");
    asked_drop(asked);
    asked = asked_make(*state, "GET", "/v1/version");
    asked_header(asked, "Accept", "image/png");
    asked_send(asked);
    assert_problem(asked, 406, "not_acceptable");
    asked_drop(asked);
    asked = asked_make(*state, "GET", "/livez");
    asked_body(asked, "application/json", "{}");
    asked_send(asked);
    assert_problem(asked, 400, "invalid");
    asked_drop(asked);
}

static void a_body_comes_as_it_is_or_is_415(void **state)
{
    struct asked *asked = asked_make(*state, "POST", "/v1/experiments");

    asked_header(asked, "content-encoding", "gzip");
    asked_body(asked, "application/json", run);
    asked_send(asked);
    assert_problem(asked, 415, "unsupported_media_type");
    assert_true(asked_says(asked, "Content-Encoding 'gzip'"));
    assert_string_equal(asked_reply_header(asked, "Accept-Encoding"), "identity");
    asked_drop(asked);
    asked = asked_make(*state, "POST", "/v1/experiments");
    asked_header(asked, "Content-Encoding", "Identity");
    asked_body(asked, "application/json", run);
    assert_int_equal(asked_send(asked), 201);
    asked_drop(asked);
}

static void a_second_content_type_is_400(void **state)
{
    struct asked *asked = asked_make(*state, "POST", "/v1/experiments");

    asked_header(asked, "content-type", "text/csv");
    asked_body(asked, "application/json", run);
    asked_send(asked);
    assert_problem(asked, 400, "invalid");
    asked_drop(asked);
    assert_int_equal(served_get(*state, "/v1/experiments/1"), 404);
}

static void the_tag_of_an_answer_is_the_hash_of_its_body(void **state)
{
    struct asked *asked = get(*state, "/v1/version");
    size_t length = asked->call.reply.length;
    char tag[ETAG_BYTES];

    etag_write(asked->call.reply.body, asked->call.reply.length, tag);
    assert_string_equal(asked_reply_header(asked, "ETag"), tag);
    asked_drop(asked);
    asked = asked_make(*state, "GET", "/v1/version");
    asked_header(asked, "If-None-Match", tag);
    assert_int_equal(asked_send(asked), 304);
    assert_int_equal(asked->call.reply.length, length); /* the transport sends none of it */
    assert_string_equal(asked_reply_header(asked, "ETag"), tag);
    asked_drop(asked);
}

static void an_error_has_no_tag_and_is_not_stored(void **state)
{
    struct asked *asked = asked_make(*state, "GET", "/nothing");

    asked_header(asked, "If-None-Match", "*");
    assert_int_equal(asked_send(asked), 404);
    assert_null(asked_reply_header(asked, "ETag"));
    assert_string_equal(asked_reply_header(asked, "Cache-Control"), "no-store");
    asked_drop(asked);
}

static void a_large_answer_is_compressed_for_those_who_ask(void **state)
{
    struct asked *plain = get(*state, "/openapi.json"), *zipped;

    assert_int_equal(plain->call.reply.status, 200);
    assert_null(asked_reply_header(plain, "Content-Encoding"));
    assert_non_null(strstr(asked_reply_header(plain, "Vary"), "Accept-Encoding"));
    zipped = asked_make(*state, "GET", "/openapi.json");
    asked_header(zipped, "Accept-Encoding", "gzip");
    asked_send(zipped);
    assert_string_equal(asked_reply_header(zipped, "Content-Encoding"), "gzip");
    assert_true(zipped->call.reply.length < plain->call.reply.length);
    assert_non_null(strstr(asked_reply_header(zipped, "ETag"), "-gzip\""));
    asked_drop(plain);
    asked_drop(zipped);
}

static void a_well_formed_request_id_is_taken_over(void **state)
{
    static const struct {
        const char *sent, *taken;
    } ids[] = {{"abc.DEF-1_2", "abc.DEF-1_2"},
               {"a b", "test-id"},
               {"", "test-id"},
               {"0123456789012345678901234567890123456789012345678901234567890123",
                "0123456789012345678901234567890123456789012345678901234567890123"},
               {"01234567890123456789012345678901234567890123456789012345678901234", "test-id"}};

    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct asked *asked = asked_make(*state, "GET", "/livez");

        asked_header(asked, "X-Request-Id", ids[i].sent);
        asked_send(asked);
        assert_string_equal(asked_reply_header(asked, "X-Request-Id"), ids[i].taken);
        asked_drop(asked);
    }
}

static void every_error_is_logged_once_and_no_success_is(void **state)
{
    struct served *served = *state;
    char text[LOG_LINE_BYTES];
    ssize_t length;

    served_get(served, "/livez");
    served_get(served, "/nothing");
    served_get(served, "/livez");
    length = read(served->log_fds[0], text, sizeof text - 1);
    assert_true(length > 0);
    text[length] = '\0';
    assert_non_null(strstr(text, "\"request_id\":\"test-id\",\"status\":404"));
    assert_ptr_equal(strchr(text, '\n'), text + length - 1);
}

static void requests_are_counted_where_they_belong(void **state)
{
    struct served *served = *state;
    struct asked *asked;

    served_get(served, "/v1/experiments/5");
    served_get(served, "/v1/experiments/6");
    served_get(served, "/nothing");
    asked = get(served, "/metrics");
    assert_true(asked_says(asked, "moeplan_http_requests_total{route=\"/v1/experiments/{id}\","
                                  "method=\"GET\",status=\"4xx\"} 2\n"));
    assert_true(asked_says(asked, "{route=\"none\",method=\"none\",status=\"4xx\"} 1\n"));
    assert_true(asked_says(asked, "\nmoeplan_http_requests_in_flight 1\n"));
    assert_true(asked_says(asked, "\nmoeplan_experiments 0\n"));
    asked_drop(asked);
}

static void while_draining_readyz_is_503_and_the_rest_goes_on(void **state)
{
    struct served *served = *state;
    struct asked *asked;

    atomic_store(&served->app.draining, true);
    asked = get(served, "/readyz");
    assert_problem(asked, 503, "unavailable");
    assert_non_null(asked_reply_header(asked, "Retry-After"));
    asked_drop(asked);
    assert_int_equal(served_get(served, "/livez"), 200);
}

static void an_answer_that_needs_more_memory_than_allowed_is_an_error(void **state)
{
    struct asked *asked = asked_make(*state, "GET", "/v1/laws");

    asked->call.arena.cap_bytes = asked->call.arena.used_bytes + 100;
    assert_int_equal(asked_send(asked), 413);
    assert_true(asked_says(asked, "no_memory"));
    asked_drop(asked);
}

static void a_write_is_made_only_if_its_precondition_holds(void **state)
{
    struct asked *asked = asked_make(*state, "PUT", "/v1/studies/s");
    char tag[ETAG_BYTES];

    asked_header(asked, "If-Match", "*");
    asked_body(asked, "application/json", "{}");
    asked_send(asked);
    assert_problem(asked, 412, "precondition_failed");
    asked_drop(asked);
    assert_int_equal(served_get(*state, "/v1/studies/s"), 404);

    asked = asked_make(*state, "PUT", "/v1/studies/s");
    asked_header(asked, "If-None-Match", "*");
    asked_body(asked, "application/json", "{}");
    assert_int_equal(asked_send(asked), 201);
    asked_drop(asked);

    asked = get(*state, "/v1/studies/s");
    strcpy(tag, asked_reply_header(asked, "ETag"));
    asked_drop(asked);
    for (int i = 0; i < 2; i++) { /* the second time the tag is old */
        asked = asked_make(*state, "PUT", "/v1/studies/s");
        asked_header(asked, "If-Match", tag);
        asked_body(asked, "application/json", "{\"description\":\"new\"}");
        assert_int_equal(asked_send(asked), i == 0 ? 200 : 412);
        asked_drop(asked);
    }
}

static void two_writes_of_one_batch_cannot_both_match_the_same_tag(void **state)
{
    enum { WRITES = 20 };
    struct asked *asked = asked_make(*state, "PUT", "/v1/studies/s"), *writes[WRITES];
    char tag[ETAG_BYTES];
    int won = 0;

    asked_body(asked, "application/json", "{}");
    assert_int_equal(asked_send(asked), 201);
    asked_drop(asked);
    asked = get(*state, "/v1/studies/s");
    strcpy(tag, asked_reply_header(asked, "ETag"));
    asked_drop(asked);
    for (int i = 0; i < WRITES; i++) {
        char body[64];

        snprintf(body, sizeof body, "{\"description\":\"%d\"}", i);
        writes[i] = asked_make(*state, "PUT", "/v1/studies/s");
        asked_header(writes[i], "If-Match", tag);
        asked_body(writes[i], "application/json", body);
    }
    for (int i = 0; i < WRITES; i++)
        asked_start(writes[i]);
    for (int i = 0; i < WRITES; i++) {
        won += asked_wait(writes[i]) == 200;
        asked_drop(writes[i]);
    }
    assert_int_equal(won, 1);
}

static void cors_is_off_until_an_origin_is_allowed(void **state)
{
    struct served *served = *state;

    for (int allowed = 0; allowed < 2; allowed++) {
        struct asked *asked = asked_make(served, "GET", "/v1/version");
        const char *said;

        served->app.options.cors_origin = allowed ? "https://a.example" : NULL;
        asked_header(asked, "Origin", "https://a.example");
        assert_int_equal(asked_send(asked), 200);
        said = asked_reply_header(asked, "Access-Control-Allow-Origin");
        assert_true(allowed ? said != NULL && strcmp(said, "https://a.example") == 0
                            : said == NULL);
        asked_drop(asked);
    }
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, served_make, served_drop)
    const struct CMUnitTest tests[] = {
        SERVED(an_inline_answer_is_there_at_once),
        SERVED(reader_and_writer_lanes_answer_later),
        SERVED(what_is_not_there_is_404_and_what_cannot_be_done_405),
        SERVED(options_answers_without_a_body),
        SERVED(a_path_that_cannot_be_decoded_is_400),
        SERVED(a_foreign_host_is_403_on_loopback_only),
        SERVED(a_cross_site_write_is_403_and_stores_nothing),
        SERVED(body_and_reply_types_are_checked_by_the_row),
        SERVED(a_body_comes_as_it_is_or_is_415),
        SERVED(a_second_content_type_is_400),
        SERVED(the_tag_of_an_answer_is_the_hash_of_its_body),
        SERVED(an_error_has_no_tag_and_is_not_stored),
        SERVED(a_large_answer_is_compressed_for_those_who_ask),
        SERVED(a_well_formed_request_id_is_taken_over),
        SERVED(every_error_is_logged_once_and_no_success_is),
        SERVED(requests_are_counted_where_they_belong),
        SERVED(while_draining_readyz_is_503_and_the_rest_goes_on),
        SERVED(an_answer_that_needs_more_memory_than_allowed_is_an_error),
        SERVED(a_write_is_made_only_if_its_precondition_holds),
        SERVED(two_writes_of_one_batch_cannot_both_match_the_same_tag),
        SERVED(cors_is_off_until_an_origin_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
