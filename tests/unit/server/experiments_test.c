#include "tests/unit/server/sample.h"

static void pages_hold_every_run_once_in_order(void **state)
{
    char target[300] = "/v1/experiments?study=marin&limit=7&fields=id";
    double last = 0;
    int count = 0;

    for (;;) {
        struct api api = api_get(state, target);
        size_t n = api_count(&api, "items");

        assert_int_equal(api.status, 200);
        for (size_t i = 0; i < n; i++) {
            char path[40];

            snprintf(path, sizeof path, "items/%zu/id", i);
            assert_true(api_number(&api, path) > last);
            last = api_number(&api, path);
            count++;
        }
        if (api_null(&api, "next_cursor")) {
            api_drop(&api);
            break;
        }
        assert_int_equal(n, 7);
        snprintf(target, sizeof target, "/v1/experiments?study=marin&limit=7&fields=id&cursor=%s",
                 api_text(&api, "next_cursor"));
        api_drop(&api);
    }
    assert_int_equal(count, SAMPLE_RUNS);
}

static void filters_narrow_the_list(void **state)
{
    struct api all = api_get(state, "/v1/experiments?study=marin&limit=1000");
    struct api some = api_get(state, "/v1/experiments?study=marin&limit=1000&experts=16,32&"
                                     "tag.sweep=v16&loss_max=3.3");
    size_t want = 0;

    for (size_t i = 0; i < SAMPLE_RUNS; i++) {
        char path[60];

        snprintf(path, sizeof path, "items/%zu/experts", i);
        if (api_number(&all, path) == 64)
            continue;
        snprintf(path, sizeof path, "items/%zu/tags/sweep", i);
        if (strcmp(api_text(&all, path), "v16") != 0)
            continue;
        snprintf(path, sizeof path, "items/%zu/loss", i);
        want += api_number(&all, path) <= 3.3;
    }
    assert_true(want > 0 && want < SAMPLE_RUNS);
    assert_int_equal(api_count(&some, "items"), want);
    api_drop(&all);
    api_drop(&some);
}

static void a_run_reads_as_the_list_has_it(void **state)
{
    struct api list = api_get(state, "/v1/experiments?study=marin&limit=1");
    struct api one = api_get(state, "/v1/experiments/1");
    const struct reply *reply = &one.asked->call.reply;

    /* the list's only item is the run, byte for byte */
    assert_non_null(memmem(list.asked->call.reply.body, list.asked->call.reply.length, reply->body,
                           reply->length));
    api_drop(&list);
    api_drop(&one);
}

static void a_patch_is_checked_and_stored(void **state)
{
    struct api api;

    api_expect(state, 400, "PATCH", "/v1/experiments/1", "{\"loss\":-1}");
    api_expect(state, 400, "PATCH", "/v1/experiments/1", "{\"loss\":null}");
    api_expect(state, 400, "PATCH", "/v1/experiments/1", "[]");
    api_expect(state, 404, "PATCH", "/v1/experiments/1000", "{\"loss\":1}");
    api_expect(state, 200, "PATCH", "/v1/experiments/1",
               "{\"loss\":1.5,\"tags\":{\"sweep\":null}}");
    api = api_get(state, "/v1/experiments/1");
    assert_true(api_number(&api, "loss") == 1.5);
    assert_int_equal(api_count(&api, "tags"), 2);
    assert_string_equal(api_text(&api, "name"), "marin-00");
    api_drop(&api);
}

static void a_deleted_run_is_gone(void **state)
{
    api_expect(state, 204, "DELETE", "/v1/experiments/1", NULL);
    api_expect(state, 404, "GET", "/v1/experiments/1", NULL);
    api_expect(state, 404, "DELETE", "/v1/experiments/1", NULL);
}

static void ids_that_are_none_are_not_found(void **state)
{
    api_expect(state, 404, "GET", "/v1/experiments/0", NULL);
    api_expect(state, 404, "GET", "/v1/experiments/-1", NULL);
    api_expect(state, 404, "GET", "/v1/experiments/1e0", NULL);
    api_expect(state, 200, "GET", "/v1/experiments/1", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pages_hold_every_run_once_in_order),
        TEST(filters_narrow_the_list),
        TEST(a_run_reads_as_the_list_has_it),
        TEST(a_patch_is_checked_and_stored),
        TEST(a_deleted_run_is_gone),
        TEST(ids_that_are_none_are_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
