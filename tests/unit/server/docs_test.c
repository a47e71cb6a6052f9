#include "server/route.h"

#include "tests/unit/server/api.h"

static void the_page_has_every_route_parameter_and_code(void **state)
{
    struct api api = api_get(state, "/docs");
    char text[200];

    assert_int_equal(api.status, 200);
    assert_string_equal(api.asked->call.reply.content_type, "text/html; charset=utf-8");
    for (size_t i = 0; i < route_count(); i++) {
        snprintf(text, sizeof text, "%s %s</code>", method_name(route_at(i)->method),
                 route_at(i)->path);
        assert_true(asked_says(api.asked, text));
        for (size_t k = 0; k < route_at(i)->n_query; k++) {
            snprintf(text, sizeof text, "<code>%s</code>", route_at(i)->query[k].name);
            assert_true(asked_says(api.asked, text));
        }
    }
    /* what `type` of a problem document points to */
    for (int code = ERR_OK + 1; code < ERR_CODE_COUNT; code++) {
        snprintf(text, sizeof text, "id=\"%s\"", err_name((enum err_code)code));
        assert_true(asked_says(api.asked, text));
    }
    assert_false(asked_says(api.asked, "<script"));
    api_drop(&api);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_has_every_route_parameter_and_code, served_make,
                                        served_drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
