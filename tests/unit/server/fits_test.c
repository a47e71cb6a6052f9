#include "server/fits.h"

#include "tests/unit/server/sample.h"

static void every_preset_is_a_fit_with_the_contracts_members(void **state)
{
    for (size_t p = 0; p < preset_count(); p++) {
        const struct preset *preset = preset_at(p);
        const struct law *law = law_find(preset->law);
        char target[100];
        struct api api;
        size_t i = 0;

        snprintf(target, sizeof target, "/v1/fits/%s", preset->id);
        api = api_get(state, target);
        assert_int_equal(api.status, 200);
        for (const struct json *at = json_first(api.root); at != NULL; at = json_next(at), i++)
            assert_string_equal(json_key(at), fit_members[i]);
        assert_null(fit_members[i]);
        for (size_t k = 0; k < law->n_coefficients; k++) {
            snprintf(target, sizeof target, "coefficients/%s", law->coefficients[k].name);
            assert_true(api_number(&api, target) == preset->coefficient[k]);
        }
        assert_string_equal(api_text(&api, "provenance"), preset->provenance);
        api_drop(&api);
    }
}

static void presets_cannot_be_deleted(void **state)
{
    for (size_t p = 0; p < preset_count(); p++) {
        char target[100];

        snprintf(target, sizeof target, "/v1/fits/%s", preset_at(p)->id);
        api_expect(state, 403, "DELETE", target, NULL);
        api_expect(state, 200, "GET", target, NULL);
    }
}

static void fits_are_listed_by_study_and_law(void **state)
{
    int a = sample_fit(state, "{\"study\":\"marin\",\"law\":\"chinchilla\"}");
    int b = sample_fit(state, "{\"study\":\"marin\",\"law\":\"joint\"}");
    struct api api = api_get(state, "/v1/fits?study=marin&fields=id");

    assert_int_equal(api_count(&api, "items"), 2);
    assert_true(api_number(&api, "items/0/id") == a && api_number(&api, "items/1/id") == b);
    api_drop(&api);
    api = api_get(state, "/v1/fits?study=marin&law=joint");
    assert_int_equal(api_count(&api, "items"), 1);
    api_drop(&api);
    api = api_get(state, "/v1/fits");
    assert_int_equal(api_count(&api, "items"), 0);
    api_drop(&api);
}

static void a_listed_fit_is_the_fit_read_alone(void **state)
{
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"joint\",\"label\":\"l\"}");
    char target[40];
    struct api list = api_get(state, "/v1/fits?study=marin"), one;

    snprintf(target, sizeof target, "/v1/fits/%d", id);
    one = api_get(state, target);
    assert_non_null(memmem(list.asked->call.reply.body, list.asked->call.reply.length,
                           one.asked->call.reply.body, one.asked->call.reply.length));
    assert_null(json_member(one.root, "noise_log")); /* kept, not shown */
    api_drop(&list);
    api_drop(&one);
}

static void a_deleted_fit_answers_no_more(void **state)
{
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"joint\"}");
    char target[100];
    struct api api;

    snprintf(target, sizeof target, "/v1/fits/%d", id);
    api_expect(state, 204, "DELETE", target, NULL);
    api_expect(state, 404, "GET", target, NULL);
    api_expect(state, 404, "DELETE", target, NULL);
    api = api_get(state, "/v1/predict?study=marin&n_active=1e9&tokens=1e10");
    assert_string_equal(api_text(&api, "fit"), "joint-2025");
    assert_string_equal(api_text(&api, "warnings/0/code"), "published_coefficients");
    api_drop(&api);
}

static void a_studys_default_cannot_be_deleted(void **state)
{
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"joint\"}");
    char text[100];

    snprintf(text, sizeof text, "{\"default_fit\":%d}", id);
    api_expect(state, 200, "PUT", "/v1/studies/marin", text);
    snprintf(text, sizeof text, "/v1/fits/%d", id);
    api_expect(state, 409, "DELETE", text, NULL);
    api_expect(state, 200, "PUT", "/v1/studies/marin", "{}");
    api_expect(state, 204, "DELETE", text, NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_preset_is_a_fit_with_the_contracts_members),
        TEST(presets_cannot_be_deleted),
        TEST(fits_are_listed_by_study_and_law),
        TEST(a_listed_fit_is_the_fit_read_alone),
        TEST(a_deleted_fit_answers_no_more),
        TEST(a_studys_default_cannot_be_deleted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
