#include "tests/unit/server/sample.h"

#include "core/law.h"

/* Each row against the law's own formula at the coefficients the API shows. */
static void rows_are_what_the_law_says_of_each_run(void **state)
{
    const struct law *law = law_find("chinchilla");
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"chinchilla\"}");
    double c[5], delta = 1e-3;
    char target[80];
    struct api fit, rows, runs = api_get(state, "/v1/experiments?study=marin&limit=1000");

    snprintf(target, sizeof target, "/v1/fits/%d", id);
    fit = api_get(state, target);
    for (size_t i = 0; i < 5; i++) {
        snprintf(target, sizeof target, "coefficients/%s", law->coefficients[i].name);
        c[i] = api_number(&fit, target);
    }
    snprintf(target, sizeof target, "/v1/fits/%d/residuals?limit=1000", id);
    rows = api_get(state, target);
    assert_int_equal(api_count(&rows, "items"), SAMPLE_RUNS);
    for (size_t i = 0; i < SAMPLE_RUNS; i++) {
        double n, d, loss, predicted, r;

        snprintf(target, sizeof target, "items/%zu/n_active", i);
        n = api_number(&runs, target);
        snprintf(target, sizeof target, "items/%zu/tokens", i);
        d = api_number(&runs, target);
        snprintf(target, sizeof target, "items/%zu/loss", i);
        loss = api_number(&runs, target);
        assert_true(api_number(&rows, target) == loss);
        predicted = c[0] + c[1] * pow(n, -c[3]) + c[2] * pow(d, -c[4]);
        r = log(loss / predicted);
        snprintf(target, sizeof target, "items/%zu/predicted", i);
        assert_near(api_number(&rows, target), predicted, 1e-12);
        snprintf(target, sizeof target, "items/%zu/residual", i);
        assert_true(fabs(api_number(&rows, target) - r) < 1e-12);
        snprintf(target, sizeof target, "items/%zu/effective_weight", i);
        assert_near(api_number(&rows, target), fmin(1, delta / fabs(r)), 1e-6);
    }
    api_drop(&fit);
    api_drop(&rows);
    api_drop(&runs);
}

static void a_gross_run_is_an_outlier_on_every_page(void **state)
{
    char target[100];
    int id;

    api_expect(state, 200, "PATCH", "/v1/experiments/64", "{\"loss\":9}");
    id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"chinchilla\"}");
    for (int limit = 1; limit <= 64; limit += 63) {
        struct api api;
        int outliers = 0;

        snprintf(target, sizeof target, "/v1/fits/%d/residuals?limit=64&fields=id,outlier", id);
        api = api_get(state, target);
        for (int i = 0; i < SAMPLE_RUNS; i++) {
            snprintf(target, sizeof target, "items/%d/outlier", i);
            outliers += json_bool(api_at(&api, target));
        }
        assert_true(json_bool(api_at(&api, "items/63/outlier")));
        assert_true(outliers < 10);
        api_drop(&api);
    }
}

static void deleted_runs_are_gone_and_pages_go_on(void **state)
{
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"chinchilla\"}");
    char target[300];
    struct api api;
    size_t count = 0;

    api_expect(state, 204, "DELETE", "/v1/experiments/2", NULL);
    snprintf(target, sizeof target, "/v1/fits/%d/residuals?limit=10", id);
    for (bool more = true; more;) {
        api = api_get(state, target);
        assert_int_equal(api.status, 200);
        count += api_count(&api, "items");
        more = !api_null(&api, "next_cursor");
        if (more)
            snprintf(target, sizeof target, "/v1/fits/%d/residuals?limit=10&cursor=%s", id,
                     api_text(&api, "next_cursor"));
        api_drop(&api);
    }
    assert_int_equal(count, SAMPLE_RUNS - 1);
}

static void the_table_has_every_run(void **state)
{
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"chinchilla\"}");
    char target[100];
    struct api api;
    size_t lines = 0;

    snprintf(target, sizeof target, "/v1/fits/%d/residuals?format=csv", id);
    api = api_get(state, target);
    for (size_t i = 0; i < api.asked->call.reply.length; i++)
        lines += api.asked->call.reply.body[i] == '\n';
    assert_int_equal(lines, SAMPLE_RUNS + 1);
    assert_int_equal(strncmp(api.asked->call.reply.body,
                             "id,name,loss,predicted,residual,effective_weight,outlier\r\n", 58),
                     0);
    api_drop(&api);
}

static void presets_and_strangers_have_none(void **state)
{
    api_expect(state, 422, "GET", "/v1/fits/joint-2025/residuals", NULL);
    api_expect(state, 404, "GET", "/v1/fits/77/residuals", NULL);
    api_expect(state, 404, "GET", "/v1/fits/x/residuals", NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_what_the_law_says_of_each_run), TEST(a_gross_run_is_an_outlier_on_every_page),
        TEST(deleted_runs_are_gone_and_pages_go_on),  TEST(the_table_has_every_run),
        TEST(presets_and_strangers_have_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
