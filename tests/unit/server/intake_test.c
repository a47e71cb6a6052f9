#include "tests/unit/server/api.h"

#include <stdlib.h>

static const char one[] = "{\"name\":\"one\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":3}";

static double count_of(void **state)
{
    struct api api = api_get(state, "/v1/experiments?limit=1000&fields=id");
    double count = (double)api_count(&api, "items");

    api_drop(&api);
    return count;
}

static void a_run_is_inserted_once(void **state)
{
    struct api api = api_post(state, "/v1/experiments", one);

    assert_int_equal(api.status, 201);
    assert_true(api_number(&api, "inserted") == 1);
    assert_string_equal(asked_reply_header(api.asked, "Location"), "/v1/experiments/1");
    api_drop(&api);
    api = api_post(state, "/v1/experiments", one);
    assert_int_equal(api.status, 200);
    assert_true(api_number(&api, "unchanged") == 1 && api_number(&api, "ids/0") == 1);
    api_drop(&api);
    assert_true(count_of(state) == 1);
}

static void a_bad_row_keeps_its_neighbours_out(void **state)
{
    struct api api = api_post(state, "/v1/experiments",
                              "[{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3},"
                              "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":0}]");

    assert_int_equal(api.status, 400);
    assert_true(api_names(&api, "/1/loss"));
    api_drop(&api);
    assert_true(count_of(state) == 0);
}

static void a_conflict_undoes_what_came_before_it(void **state)
{
    api_expect(state, 201, "POST", "/v1/experiments", one);
    struct api api = api_post(state, "/v1/experiments",
                              "[{\"name\":\"two\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":3},"
                              "{\"name\":\"one\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":4}]");

    assert_int_equal(api.status, 409);
    assert_true(api_names(&api, "/1/name"));
    assert_non_null(strstr(api_text(&api, "detail"), "one"));
    api_drop(&api);
    assert_true(count_of(state) == 1);
}

/* A body of `count` runs, every one different, as an array. */
static char *many(int count)
{
    char *text = malloc((size_t)count * 80 + 3);
    size_t length = 0;

    assert_non_null(text);
    for (int i = 0; i < count; i++)
        length +=
            (size_t)snprintf(text + length, 80, "%c{\"n_active\":1e8,\"tokens\":%d,\"loss\":3.5}",
                             i == 0 ? '[' : ',', 10000000 + i);
    memcpy(text + length, "]", 2);
    return text;
}

static void a_large_body_goes_by_way_of_a_reader(void **state)
{
    char *body = many(900);
    struct api api = api_post(state, "/v1/experiments", body);

    assert_true(strlen(body) > 32 * 1024);
    assert_int_equal(api.status, 201);
    assert_true(api_number(&api, "inserted") == 900 && api_number(&api, "ids/899") == 900);
    api_drop(&api);
    free(body);
    assert_true(count_of(state) == 900);
}

static void names_that_collide_in_the_table_of_names_are_told_apart(void **state)
{
    char *body = many(5000);
    struct api api = api_post(state, "/v1/experiments", body);

    assert_true(api_number(&api, "inserted") == 5000);
    api_drop(&api);
    free(body);
}

static void repeats_are_one_run_or_a_conflict(void **state)
{
    struct api api = api_post(state, "/v1/experiments?on_conflict=replace",
                              "[{\"name\":\"x\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":3},"
                              "{\"name\":\"x\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":3}]");

    assert_int_equal(api.status, 201);
    assert_true(api_number(&api, "inserted") == 1 && api_number(&api, "unchanged") == 1);
    assert_true(api_number(&api, "ids/0") == api_number(&api, "ids/1"));
    api_drop(&api);
    api_expect(state, 409, "POST", "/v1/experiments?on_conflict=replace",
               "[{\"name\":\"y\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":3},"
               "{\"name\":\"y\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":4}]");
    assert_true(count_of(state) == 1);
}

static void an_ignored_name_said_twice_is_ignored_twice(void **state)
{
    api_expect(state, 201, "POST", "/v1/experiments", one);
    struct api api = api_post(state, "/v1/experiments?on_conflict=ignore",
                              "[{\"name\":\"one\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":9},"
                              "{\"name\":\"one\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":9}]");

    assert_int_equal(api.status, 200);
    assert_true(api_number(&api, "ignored") == 2);
    api_drop(&api);
}

static void the_study_is_of_the_query_the_envelope_or_the_rows(void **state)
{
    static const char *const bodies[][2] = {
        {"/v1/experiments?study=s", "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3}"},
        {"/v1/experiments", "{\"study\":\"s\",\"items\":[{\"n_active\":2e8,\"tokens\":1e10,"
                            "\"loss\":3}]}"},
        {"/v1/experiments", "[{\"n_active\":3e8,\"tokens\":1e10,\"loss\":3},{\"study\":\"s\","
                            "\"n_active\":4e8,\"tokens\":1e10,\"loss\":3}]"},
    };

    api_expect(state, 201, "PUT", "/v1/studies/s", "{}");
    for (int i = 0; i < 3; i++) {
        struct api api = api_post(state, bodies[i][0], bodies[i][1]);

        assert_int_equal(api.status, 201);
        assert_string_equal(api_text(&api, "study"), "s");
        api_drop(&api);
    }
    assert_true(count_of(state) == 0); /* in the default study */
}

static void an_unknown_study_stores_nothing(void **state)
{
    api_expect(state, 404, "POST", "/v1/experiments?study=nope", one);
    api_expect(state, 404, "POST", "/v1/experiments?study=nope", "[]");
    assert_true(count_of(state) == 0);
}

static void lines_and_tables_are_read(void **state)
{
    struct api api = api_ask(state, "POST", "/v1/experiments", "application/x-ndjson",
                             "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3}\n\n"
                             "{\"n_active\":2e8,\"tokens\":1e10,\"loss\":3}\n");

    assert_true(api_number(&api, "inserted") == 2);
    api_drop(&api);
    api = api_ask(state, "POST", "/v1/experiments", "text/csv; charset=UTF-8",
                  "loss,tokens,n_active\r\n3,1e10,3e8\r\n3,1e10,4e8");
    assert_true(api_number(&api, "inserted") == 2);
    api_drop(&api);
    api = api_ask(state, "POST", "/v1/experiments", "text/csv", "loss,tokens\n3,1e10\n3,x\n");
    assert_int_equal(api.status, 400);
    assert_true(api_names(&api, "n_active") && api_names(&api, "tokens"));
    api_drop(&api);
    assert_true(count_of(state) == 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_run_is_inserted_once),
        TEST(a_bad_row_keeps_its_neighbours_out),
        TEST(a_conflict_undoes_what_came_before_it),
        TEST(a_large_body_goes_by_way_of_a_reader),
        TEST(names_that_collide_in_the_table_of_names_are_told_apart),
        TEST(repeats_are_one_run_or_a_conflict),
        TEST(an_ignored_name_said_twice_is_ignored_twice),
        TEST(the_study_is_of_the_query_the_envelope_or_the_rows),
        TEST(an_unknown_study_stores_nothing),
        TEST(lines_and_tables_are_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
