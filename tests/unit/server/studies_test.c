#include "tests/unit/server/api.h"

static void what_put_said_get_answers(void **state)
{
    struct api api = api_put(state, "/v1/studies/a",
                             "{\"description\":\"d\",\"loss_unit\":"
                             "\"bits_per_byte\"}");

    assert_int_equal(api.status, 201);
    assert_string_equal(asked_reply_header(api.asked, "Location"), "/v1/studies/a");
    api_drop(&api);
    api = api_get(state, "/v1/studies/a");
    assert_int_equal(api.status, 200);
    assert_string_equal(api_text(&api, "description"), "d");
    assert_string_equal(api_text(&api, "loss_unit"), "bits_per_byte");
    assert_true(api_null(&api, "default_fit"));
    api_drop(&api);
}

static void a_put_is_seen_by_the_next_request(void **state)
{
    for (int i = 0; i < 20; i++) {
        char target[40];

        snprintf(target, sizeof target, "/v1/studies/s%d", i);
        api_expect(state, 201, "PUT", target, "{}");
        api_expect(state, 200, "GET", target, NULL);
        api_expect(state, 204, "DELETE", target, NULL);
        api_expect(state, 404, "GET", target, NULL);
    }
}

static void the_default_study_stays(void **state)
{
    api_expect(state, 403, "DELETE", "/v1/studies/default?force=true", NULL);
    api_expect(state, 200, "GET", "/v1/studies/default", NULL);
    api_expect(state, 200, "PUT", "/v1/studies/default", "{\"description\":\"ours\"}");
}

static void a_default_fit_is_a_preset_or_a_finished_fit_of_the_study(void **state)
{
    struct api api;

    api_expect(state, 200, "PUT", "/v1/studies/default", "{\"default_fit\":\"joint-2025\"}");
    api = api_put(state, "/v1/studies/default", "{\"default_fit\":12}");
    assert_int_equal(api.status, 400);
    assert_true(api_names(&api, "/default_fit"));
    api_drop(&api);
    api = api_get(state, "/v1/studies/default");
    assert_string_equal(api_text(&api, "default_fit"), "joint-2025");
    api_drop(&api);
}

static void a_refused_put_changes_nothing(void **state)
{
    api_expect(state, 201, "PUT", "/v1/studies/a", "{\"description\":\"d\"}");
    api_expect(state, 400, "PUT", "/v1/studies/a", "{\"description\":\"e\",\"x\":1}");
    api_expect(state, 400, "PUT", "/v1/studies/B", "{}");
    struct api api = api_get(state, "/v1/studies?fields=id,description");
    assert_int_equal(api_count(&api, "items"), 2);
    assert_string_equal(api_text(&api, "items/0/description"), "d");
    api_drop(&api);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_put_said_get_answers),
        TEST(a_put_is_seen_by_the_next_request),
        TEST(the_default_study_stays),
        TEST(a_default_fit_is_a_preset_or_a_finished_fit_of_the_study),
        TEST(a_refused_put_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
