#include "server/question.h"

#include "tests/unit/server/sample.h"

/* The values of a list in the answer's constraints, as "1,2,4". */
static void list_of(const struct api *api, const char *name, char *ret, size_t size)
{
    char path[60];
    size_t length = 0;

    snprintf(path, sizeof path, "constraints/%s", name);
    ret[0] = '\0';
    for (const struct json *at = json_first(api_at(api, path)); at != NULL; at = json_next(at))
        length += (size_t)snprintf(ret + length, size - length, "%s%g", length > 0 ? "," : "",
                                   json_number(at));
}

static void lists_left_out_follow_from_the_fit(void **state)
{
    static const struct {
        const char *fit, *experts, *granularity;
    } cases[] = {
        {"joint-2025", "1,2,4,8,16,32", "1"},
        {"joint-granular-composed", "1,2,4,8,16,32", "1,2,4,8,16"},
        {"fine-grained-e64-2024", "64", "1,2,4,8,16"},
        {"fine-grained-e16-2024", "16", "1,2,4,8,16"},
        {"fine-grained-dense-2024", "1", "1"},
        {"chinchilla-2022", "1", "1"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[100], list[200];
        struct api api;

        snprintf(target, sizeof target, "/v1/plan?fit=%s&compute=1e21&fields=constraints",
                 cases[i].fit);
        api = api_get(state, target);
        assert_int_equal(api.status, 200);
        list_of(&api, "experts", list, sizeof list);
        assert_string_equal(list, cases[i].experts);
        list_of(&api, "granularity", list, sizeof list);
        if (strcmp(cases[i].fit, "fine-grained-dense-2024") != 0) /* E = 1 means G = 1 anyway */
            assert_string_equal(list, cases[i].granularity);
        api_drop(&api);
    }
}

static void lists_given_are_sorted_and_distinct(void **state)
{
    struct api api = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&experts=8,2,8,1.5&"
                                    "fields=constraints");
    char list[100];

    list_of(&api, "experts", list, sizeof list);
    assert_string_equal(list, "1.5,2,8");
    api_drop(&api);
}

static void limits_left_out_are_null_and_factors_have_defaults(void **state)
{
    struct api api = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&fields=constraints");

    assert_true(api_number(&api, "constraints/compute") == 1e21);
    assert_true(api_null(&api, "constraints/memory") && api_null(&api, "constraints/max_tokens"));
    assert_true(api_null(&api, "constraints/target_loss"));
    assert_true(api_number(&api, "constraints/bytes_per_param") == 2);
    assert_true(api_number(&api, "constraints/train_bytes_per_param") == 16);
    assert_true(api_number(&api, "constraints/slack") == 0.005);
    assert_true(api_number(&api, "constraints/level") == 0.9);
    api_drop(&api);
}

static void suffixes_are_base_units_to_the_last_bit(void **state)
{
    struct api api =
        api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&memory=80.3GB&train_memory=1.5TiB&"
                       "kv_tokens=16K&max_tokens=0.7T&max_n_active=1300M&fields=constraints");

    assert_true(api_number(&api, "constraints/memory") == 80.3e9);
    assert_true(api_number(&api, "constraints/train_memory") == 1.5 * 0x1p40);
    assert_true(api_number(&api, "constraints/kv_tokens") == 16000);
    assert_true(api_number(&api, "constraints/max_tokens") == 0.7e12);
    assert_true(api_number(&api, "constraints/max_n_active") == 1.3e9);
    api_drop(&api);
}

static void a_shape_counts_as_its_fit_counts(void **state)
{
    /* the preset's numbers leave the embedding out of N_act, so J's shape must do so here */
    struct api api = api_get(state, "/v1/plan?fit=fine-grained-e64-2024&compute=1e21&shape=joint&"
                                    "fields=optimum");
    double d = api_number(&api, "optimum/d_model"), blocks = 13 * d / 64 * d * d;

    assert_near(api_number(&api, "optimum/n_active"), blocks, 1e-9);
    api_drop(&api);
    api = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&shape=joint&fields=optimum");
    d = api_number(&api, "optimum/d_model");
    assert_near(api_number(&api, "optimum/n_active"), 2 * d * 50257 + 13 * d / 64 * d * d, 1e-9);
    api_drop(&api);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, served_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_left_out_follow_from_the_fit),
        TEST(lists_given_are_sorted_and_distinct),
        TEST(limits_left_out_are_null_and_factors_have_defaults),
        TEST(suffixes_are_base_units_to_the_last_bit),
        TEST(a_shape_counts_as_its_fit_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
