#include "core/law.h"

#include "tests/unit/server/api.h"

static void every_law_is_told_as_the_registry_has_it(void **state)
{
    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_at(i);
        char target[100];
        struct api api;

        snprintf(target, sizeof target, "/v1/laws/%s", law->name);
        api = api_get(state, target);
        assert_int_equal(api.status, 200);
        assert_string_equal(api_text(&api, "formula"), law->formula);
        assert_string_equal(api_text(&api, "latex"), law->latex);
        assert_int_equal(api_count(&api, "coefficients"), law->n_coefficients);
        for (size_t k = 0; k < law->n_coefficients; k++) {
            const struct law_coefficient *c = &law->coefficients[k];

            snprintf(target, sizeof target, "coefficients/%zu/name", k);
            assert_string_equal(api_text(&api, target), c->name);
            snprintf(target, sizeof target, "coefficients/%zu/lower", k);
            assert_true(isinf(c->lower) ? api_null(&api, target)
                                        : api_number(&api, target) == c->lower);
            snprintf(target, sizeof target, "coefficients/%zu/upper", k);
            assert_true(isinf(c->upper) ? api_null(&api, target)
                                        : api_number(&api, target) == c->upper);
        }
        assert_int_equal(json_bool(api_at(&api, "plans")), law->slice != NULL);
        api_drop(&api);
    }
}

static void the_list_has_every_law_by_name(void **state)
{
    struct api api = api_get(state, "/v1/laws");
    const char *last = "";

    assert_int_equal(api_count(&api, "items"), law_count());
    for (size_t i = 0; i < law_count(); i++) {
        char path[40];

        snprintf(path, sizeof path, "items/%zu/name", i);
        assert_true(strcmp(last, api_text(&api, path)) < 0);
        last = api_text(&api, path);
        assert_non_null(law_find(last));
    }
    api_drop(&api);
}

static void every_preset_is_named_by_its_law_and_by_no_other(void **state)
{
    struct api api = api_get(state, "/v1/laws");
    size_t named = 0;

    for (size_t i = 0; i < law_count(); i++) {
        char path[60];
        size_t count;

        snprintf(path, sizeof path, "items/%zu/presets", i);
        count = api_count(&api, path);
        for (size_t k = 0; k < count; k++) {
            const struct preset *preset;

            snprintf(path, sizeof path, "items/%zu/presets/%zu", i, k);
            preset = preset_find(api_text(&api, path));
            assert_non_null(preset);
            snprintf(path, sizeof path, "items/%zu/name", i);
            assert_string_equal(preset->law, api_text(&api, path));
            named++;
        }
    }
    assert_int_equal(named, preset_count());
    api_drop(&api);
}

static void an_unknown_law_is_not_found(void **state)
{
    api_expect(state, 404, "GET", "/v1/laws/newton", NULL);
    api_expect(state, 404, "GET", "/v1/laws/Joint", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_law_is_told_as_the_registry_has_it),
        TEST(the_list_has_every_law_by_name),
        TEST(every_preset_is_named_by_its_law_and_by_no_other),
        TEST(an_unknown_law_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
