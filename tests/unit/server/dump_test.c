#include "server/dump.h"

#include "tests/unit/server/sample.h"

enum { RUN_BYTES = 1200, STREAM_BYTES = 2 << 20 };

/* Stores runs 0 … count − 1, each with a long reason and one of five tags. */
static void store_runs(void **state, int count)
{
    char *text = malloc((size_t)count * RUN_BYTES), reason[1001];
    size_t length = 0;
    struct api api;

    assert_non_null(text);
    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    for (int i = 0; i < count; i++)
        length += (size_t)snprintf(text + length, RUN_BYTES,
                                   "{\"name\":\"run %d\",\"n_active\":1e8,\"tokens\":1e9,"
                                   "\"loss\":3,\"excluded_reason\":\"%s\",\"tags\":{\"t%d\":"
                                   "\"v\"}}\n",
                                   i, reason, i % 5);
    api = api_ask(state, "POST", "/v1/experiments", "application/x-ndjson", text);
    assert_int_equal(api.status, 201);
    api_drop(&api);
    free(text);
}

/* Reads a streamed reply to its end, at most room bytes at a time; its text is malloc's. */
static char *read_stream(void **state, struct asked *asked, size_t room)
{
    struct reply_stream *stream = asked->call.reply.stream;
    struct place *place = ((struct served *)*state)->place;
    char *text = malloc(STREAM_BYTES);
    size_t length = 0;

    assert_non_null(text);
    assert_int_equal(store_open_reader(place->path, &asked->call.store, &place->err), ERR_OK);
    for (;;) {
        long got;

        assert_true(length + room < STREAM_BYTES);
        got = stream->read(&asked->call, stream->ctx, text + length, room);
        assert_true(got >= 0 && (size_t)got <= room);
        if (got == REPLY_STREAM_END)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
    store_close(asked->call.store);
    asked->call.store = NULL;
    return text;
}

static size_t count_lines(const char *text)
{
    size_t lines = 0;

    for (; *text != '\0'; text++)
        lines += *text == '\n';
    return lines;
}

static void a_small_dump_is_one_body(void **state)
{
    struct api api = api_get(state, "/v1/experiments?study=marin&format=csv");

    assert_null(api.asked->call.reply.stream);
    assert_int_equal(count_lines(api.asked->call.reply.body), SAMPLE_RUNS + 1);
    assert_non_null(asked_reply_header(api.asked, "ETag"));
    api_drop(&api);
}

static void a_large_dump_is_a_stream_of_every_run_once(void **state)
{
    static const size_t rooms[] = {7, 1000, REPLY_STREAM_BYTES};

    store_runs(state, 600);
    for (int i = 0; i < 3; i++) {
        struct api api =
            api_get(state, i == 1 ? "/v1/experiments?format=ndjson" : "/v1/experiments?format=csv");
        char *text, want[40];

        assert_int_equal(api.status, 200);
        assert_non_null(api.asked->call.reply.stream);
        text = read_stream(state, api.asked, rooms[i]);
        assert_int_equal(count_lines(text), i == 1 ? 600 : 601);
        for (int k = 0; k < 600; k++) {
            snprintf(want, sizeof want, i == 1 ? "\"name\":\"run %d\"" : ",run %d,", k);
            assert_non_null(strstr(text, want));
        }
        if (i != 1)
            assert_non_null(strstr(text, ",tag.t0,tag.t1,tag.t2,tag.t3,tag.t4\r\n"));
        free(text);
        api_drop(&api);
    }
}

static void a_limit_makes_a_body_and_a_link(void **state)
{
    struct api api;

    store_runs(state, 600);
    api = api_get(state, "/v1/experiments?format=csv&limit=500&fields=name");
    assert_null(api.asked->call.reply.stream);
    assert_int_equal(count_lines(api.asked->call.reply.body), 501);
    assert_non_null(asked_reply_header(api.asked, "Link"));
    api_drop(&api);
    api = api_get(state, "/v1/experiments?format=csv&limit=600&fields=name");
    assert_null(asked_reply_header(api.asked, "Link"));
    api_drop(&api);
}

static void a_run_that_gains_a_tag_meanwhile_fails_the_stream(void **state)
{
    struct place *place = ((struct served *)*state)->place;
    struct api api;
    char *room = malloc(REPLY_STREAM_BYTES);
    long got = 1;

    assert_non_null(room);
    store_runs(state, 600);
    api = api_get(state, "/v1/experiments?format=csv");
    assert_non_null(api.asked->call.reply.stream);
    api_expect(state, 200, "PATCH", "/v1/experiments/660", "{\"tags\":{\"late\":\"yes\"}}");
    assert_int_equal(store_open_reader(place->path, &api.asked->call.store, &place->err), ERR_OK);
    while (got > 0)
        got = api.asked->call.reply.stream->read(
            &api.asked->call, api.asked->call.reply.stream->ctx, room, REPLY_STREAM_BYTES);
    assert_int_equal(got, REPLY_STREAM_FAILED);
    store_close(api.asked->call.store);
    api.asked->call.store = NULL;
    api_drop(&api);
    free(room);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_small_dump_is_one_body),
        TEST(a_large_dump_is_a_stream_of_every_run_once),
        TEST(a_limit_makes_a_body_and_a_link),
        TEST(a_run_that_gains_a_tag_meanwhile_fails_the_stream),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
