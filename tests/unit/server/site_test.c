#include "tests/unit/check.h"

#include "server/site.h"

static void names_of_this_machine_are_local(void **state)
{
    static const char *const local[] = {"localhost",    "LocalHost:8080", "127.0.0.1",
                                        "127.9.8.7:80", "[::1]",          "[::1]:65535"};

    (void)state;
    for (size_t i = 0; i < sizeof local / sizeof local[0]; i++)
        assert_true(site_is_local_host(local[i], NULL));
}

static void names_that_only_look_local_are_not(void **state)
{
    static const char *const foreign[] = {"",
                                          "evil.example",
                                          "localhost.evil.example",
                                          "127.0.0.1.evil.example",
                                          "127.evil",
                                          "128.0.0.1",
                                          "[::2]:80",
                                          "[::1]evil",
                                          "localhost:80x",
                                          "localhost:123456",
                                          "evil.example:127",
                                          "localhost evil.example"};

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++)
        assert_false(site_is_local_host(foreign[i], NULL));
}

static void further_names_can_be_allowed(void **state)
{
    static const char allowed[] = "plan.example,moe.example";

    (void)state;
    assert_true(site_is_local_host("plan.example:8443", allowed));
    assert_true(site_is_local_host("MOE.example", allowed));
    assert_false(site_is_local_host("example", allowed));
    assert_false(site_is_local_host("plan.example,moe.example", allowed));
    assert_false(site_is_local_host("plan.example.evil", allowed));
}

static void tools_without_these_headers_are_not_cross_site(void **state)
{
    (void)state;
    assert_false(site_is_cross("localhost:8080", NULL, NULL, NULL));
    assert_false(site_is_cross("localhost:8080", NULL, "none", NULL));
}

static void the_same_origin_may_write(void **state)
{
    (void)state;
    assert_false(site_is_cross("localhost:8080", "http://localhost:8080", "same-origin", NULL));
    assert_false(site_is_cross("plan.example", "https://PLAN.example", NULL, NULL));
}

static void other_origins_may_not(void **state)
{
    (void)state;
    assert_true(site_is_cross("localhost:8080", "http://localhost:8081", NULL, NULL));
    assert_true(site_is_cross("localhost:8080", "https://evil.example", NULL, NULL));
    assert_true(site_is_cross("localhost:8080", "null", NULL, NULL));
    assert_true(site_is_cross("localhost:8080", NULL, "cross-site", NULL));
    assert_true(site_is_cross("localhost:8080", NULL, "same-site", NULL));
    assert_true(site_is_cross("localhost:8080", "http://localhost:8080", "cross-site", NULL));
    assert_true(site_is_cross(NULL, "http://localhost:8080", NULL, NULL));
}

static void one_origin_can_be_allowed(void **state)
{
    static const char allowed[] = "https://grafana.example";

    (void)state;
    assert_false(site_is_cross("localhost", allowed, "cross-site", allowed));
    assert_true(site_is_cross("localhost", "http://grafana.example", "cross-site", allowed));
    assert_true(site_is_cross("localhost", NULL, "cross-site", allowed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_this_machine_are_local),
        cmocka_unit_test(names_that_only_look_local_are_not),
        cmocka_unit_test(further_names_can_be_allowed),
        cmocka_unit_test(tools_without_these_headers_are_not_cross_site),
        cmocka_unit_test(the_same_origin_may_write),
        cmocka_unit_test(other_origins_may_not),
        cmocka_unit_test(one_origin_can_be_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
