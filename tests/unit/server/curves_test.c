#include "tests/unit/server/sample.h"

static void every_row_of_an_isoflop_costs_the_same(void **state)
{
    struct api api = api_get(state, "/v1/curves/isoflop?fit=joint-2025&compute=1e21&points=5");
    size_t rows = api_count(&api, "columns/n_active");

    assert_true(api_number(&api, "rows") == (double)rows);
    assert_true(rows >= 6 * 5);
    for (size_t i = 0; i < rows; i++) {
        char n[60], d[60];

        snprintf(n, sizeof n, "columns/n_active/%zu", i);
        snprintf(d, sizeof d, "columns/tokens/%zu", i);
        assert_near(6 * api_number(&api, n) * api_number(&api, d), 1e21, 1e-9);
    }
    api_drop(&api);
}

static void the_marked_row_is_the_plans_optimum(void **state)
{
    struct api curve = api_get(state, "/v1/curves/isoflop?fit=joint-2025&compute=1e21&experts=8");
    struct api plan = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&experts=8");
    size_t marked = 0;

    for (size_t i = 0; i < (size_t)api_number(&curve, "rows"); i++) {
        char path[60];

        snprintf(path, sizeof path, "columns/optimum/%zu", i);
        if (!json_bool(api_at(&curve, path)))
            continue;
        snprintf(path, sizeof path, "columns/loss/%zu", i);
        assert_near(api_number(&curve, path), api_number(&plan, "optimum/loss"), 1e-12);
        marked++;
    }
    assert_int_equal(marked, 1);
    api_drop(&curve);
    api_drop(&plan);
}

static void bands_are_null_without_draws_and_hold_the_loss_with_them(void **state)
{
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"chinchilla\",\"bootstrap\":20}");
    char target[100];
    struct api api = api_get(state, "/v1/curves/isoflop?fit=joint-2025&compute=1e21&points=2");

    assert_true(api_null(&api, "columns/loss_low/0") && api_null(&api, "columns/loss_high/0"));
    api_drop(&api);
    snprintf(target, sizeof target, "/v1/curves/isoflop?fit=%d&compute=1e20&points=3", id);
    api = api_get(state, target);
    assert_true(api_number(&api, "columns/loss_low/1") <= api_number(&api, "columns/loss/1"));
    assert_true(api_number(&api, "columns/loss_high/1") >= api_number(&api, "columns/loss/1"));
    api_drop(&api);
}

static void the_table_has_the_columns(void **state)
{
    struct api json = api_get(state, "/v1/curves/isoflop?fit=joint-2025&compute=1e21&points=4");
    struct api csv =
        api_get(state, "/v1/curves/isoflop?fit=joint-2025&compute=1e21&points=4&format=csv");
    const char *at = csv.asked->call.reply.body;
    size_t lines = 0;

    for (const struct json *column = json_first(api_at(&json, "columns")); column != NULL;
         column = json_next(column)) {
        size_t length = strlen(json_key(column));

        assert_memory_equal(at, json_key(column), length);
        at += length + 1;
    }
    for (at = csv.asked->call.reply.body; *at != '\0'; at++)
        lines += *at == '\n';
    assert_true((double)lines == 1 + api_number(&json, "rows"));
    api_drop(&json);
    api_drop(&csv);
}

static void a_range_of_another_kind_is_refused(void **state)
{
    struct api api = api_get(state, "/v1/curves/isoflop?compute=1e21&tokens_min=1B&tokens_max=2B");

    assert_int_equal(api.status, 400);
    assert_true(api_names(&api, "tokens_min") && api_names(&api, "tokens_max"));
    api_drop(&api);
    api_expect(state, 404, "GET", "/v1/curves/circle?compute=1e21", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_row_of_an_isoflop_costs_the_same),
        TEST(the_marked_row_is_the_plans_optimum),
        TEST(bands_are_null_without_draws_and_hold_the_loss_with_them),
        TEST(the_table_has_the_columns),
        TEST(a_range_of_another_kind_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
