#include "tests/unit/check.h"

#include <string.h>

#include "server/route.h"

struct found {
    const struct route *route;
    const char *params[CALL_PATH_PARAMS_MAX], *allow;
    size_t n_params;
};

static struct found find(struct arena *arena, enum method method, const char *path)
{
    struct found found = {.route = NULL};

    found.route = route_find(method, path, arena, found.params, &found.n_params, &found.allow);
    return found;
}

static int make_arena(void **state)
{
    static struct arena arena;

    arena_init(&arena, 1 << 20);
    *state = &arena;
    return 0;
}

static int drop_arena(void **state)
{
    arena_release(*state);
    return 0;
}

static void a_literal_path_finds_its_row(void **state)
{
    struct found found = find(*state, METHOD_GET, "/livez");

    assert_non_null(found.route);
    assert_string_equal(found.route->path, "/livez");
    assert_int_equal(found.n_params, 0);
}

static void a_parameter_takes_one_segment_decoded(void **state)
{
    struct found found = find(*state, METHOD_GET, "/v1/studies/a%20b%2Fc");

    assert_non_null(found.route);
    assert_string_equal(found.route->path, "/v1/studies/{study}");
    assert_int_equal(found.n_params, 1);
    assert_string_equal(found.params[0], "a b/c");
}

static void a_parameter_is_never_empty_and_never_spans_segments(void **state)
{
    assert_null(find(*state, METHOD_GET, "/v1/studies/").route);
    assert_null(find(*state, METHOD_GET, "/v1/studies/a/b").route);
    assert_null(find(*state, METHOD_GET, "/v1/studies/a/").route);
}

static void what_is_nowhere_has_no_methods(void **state)
{
    static const char *const paths[] = {"/nothing", "/livez/", "/livezz", "/live",
                                        "//livez",  "",        "/v1",     "/v1/"};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        struct found found = find(*state, METHOD_GET, paths[i]);

        assert_null(found.route);
        assert_null(found.allow);
    }
}

static void another_method_gives_the_methods_there_are(void **state)
{
    struct found found = find(*state, METHOD_PUT, "/v1/experiments");

    assert_null(found.route);
    assert_string_equal(found.allow, "GET, HEAD, POST, OPTIONS");
    assert_string_equal(find(*state, METHOD_OPTIONS, "/livez").allow, "GET, HEAD, OPTIONS");
    assert_string_equal(find(*state, METHOD_OTHER, "/v1/backup").allow, "POST, OPTIONS");
}

static void head_finds_the_row_of_get(void **state)
{
    assert_ptr_equal(find(*state, METHOD_HEAD, "/livez").route,
                     find(*state, METHOD_GET, "/livez").route);
    assert_null(find(*state, METHOD_HEAD, "/v1/backup").route);
}

static void literals_may_be_percent_encoded_but_not_their_slashes(void **state)
{
    assert_non_null(find(*state, METHOD_GET, "/%6C%69vez").route);
    assert_non_null(find(*state, METHOD_GET, "/v1/%76ersion").route);
    assert_null(find(*state, METHOD_GET, "/v1%2Fversion").route);
    assert_null(find(*state, METHOD_GET, "%2Flivez").route);
}

/* Each row is found by a path made from its own pattern: no row hides another. */
static void every_row_is_reachable(void **state)
{
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i);
        char path[200];
        size_t length = 0;
        struct found found;

        for (const char *c = route->path; *c != '\0'; c++) {
            if (*c != '{') {
                path[length++] = *c;
                continue;
            }
            path[length++] = '7';
            c = strchr(c, '}');
        }
        path[length] = '\0';
        found = find(*state, route->method, path);
        assert_ptr_equal(found.route, route);
        assert_int_equal(route_index(route), i);
    }
}

static void every_row_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++) {
        const struct route *route = route_at(i);

        assert_non_null(route->handler);
        assert_true(strlen(route->operation) > 0 && strlen(route->help) > 0);
        assert_true(strlen(route->statuses) > 0);
        assert_true(route->method == METHOD_GET || route->scope != SCOPE_NONE);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(route->operation, route_at(k)->operation);
    }
    assert_int_equal(route_index(NULL), route_count());
}

static void paths_that_begin_like_versioned_ones_are(void **state)
{
    (void)state;
    for (size_t i = 0; i < route_count(); i++)
        if (strncmp(route_at(i)->path, "/v", 2) == 0)
            assert_memory_equal(route_at(i)->path, "/v1/", 4);
}

static void method_names_read_back(void **state)
{
    (void)state;
    for (int m = METHOD_GET; m < METHOD_OTHER; m++)
        assert_int_equal(method_find(method_name((enum method)m)), m);
    assert_int_equal(method_find("get"), METHOD_OTHER);
    assert_int_equal(method_find(""), METHOD_OTHER);
    assert_string_equal(method_name(METHOD_OTHER), "");
}

static void without_memory_nothing_is_found(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 0);
    assert_null(find(&arena, METHOD_GET, "/v1/studies/a").route);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_literal_path_finds_its_row),
        cmocka_unit_test(a_parameter_takes_one_segment_decoded),
        cmocka_unit_test(a_parameter_is_never_empty_and_never_spans_segments),
        cmocka_unit_test(what_is_nowhere_has_no_methods),
        cmocka_unit_test(another_method_gives_the_methods_there_are),
        cmocka_unit_test(head_finds_the_row_of_get),
        cmocka_unit_test(literals_may_be_percent_encoded_but_not_their_slashes),
        cmocka_unit_test(every_row_is_reachable),
        cmocka_unit_test(every_row_says_what_it_is),
        cmocka_unit_test(paths_that_begin_like_versioned_ones_are),
        cmocka_unit_test(method_names_read_back),
        cmocka_unit_test(without_memory_nothing_is_found),
    };

    return cmocka_run_group_tests(tests, make_arena, drop_arena);
}
