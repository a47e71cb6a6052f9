#include "server/fit_request.h"

#include "tests/unit/server/sample.h"

/* Posts {"study":"marin","law":…,"options…"} and gives back the reply. */
static struct api fit(void **state, const char *law, const char *options)
{
    char body[2000];

    snprintf(body, sizeof body, "{\"study\":\"marin\",\"law\":\"%s\"%s%s}", law,
             *options != '\0' ? "," : "", options);
    return api_post(state, "/v1/fits", body);
}

/* The members of the reply's `options`, without the braces. */
static char *echoed(const struct api *api)
{
    const char *from = strstr(api->asked->call.reply.body, "\"options\":{") + 11;
    const char *to = strstr(from, ",\"coefficients\":");

    return strndup(from, (size_t)(to - from) - 1);
}

static void what_is_echoed_can_be_said_again(void **state)
{
    static const char *const options[] = {
        "",
        "\"loss\":\"squared\",\"starts\":16,\"seed\":5,\"level\":0.5",
        "\"delta\":0.01,\"where\":{\"tag.sweep\":[\"v16\",\"may\"],\"experts_max\":64,\"final\":"
        "true}",
        "\"fixed\":{\"E_start\":2.5,\"E_max\":null}",
        "\"prior\":{\"c\":{\"mean\":2,\"sd\":0.1}},\"holdout\":{\"fraction\":0.1},\"bootstrap\":5",
        "\"holdout\":{\"min_flops\":1e19}",
    };

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        struct api first = fit(state, "joint", options[i]), second;
        char *said, *again;

        assert_int_equal(first.status, 201);
        said = echoed(&first);
        second = fit(state, "joint", said);
        if (second.status != 201)
            print_error("%s\n%.1000s\n", said, second.asked->call.reply.body);
        assert_int_equal(second.status, 201);
        again = echoed(&second);
        assert_string_equal(said, again);
        assert_true(api_number(&first, "objective") == api_number(&second, "objective"));
        assert_true(api_number(&first, "coefficients/c") == api_number(&second, "coefficients/c"));
        free(said);
        free(again);
        api_drop(&first);
        api_drop(&second);
    }
}

static void every_fault_is_named(void **state)
{
    static const struct {
        const char *law, *options, *name;
    } cases[] = {
        {"joint", "\"loss\":\"l1\"", "/loss"},
        {"joint", "\"delta\":0", "/delta"},
        {"joint", "\"delta\":0.1,\"loss\":\"squared\"", "/delta"},
        {"joint", "\"starts\":0", "/starts"},
        {"joint", "\"starts\":100001", "/starts"},
        {"joint", "\"seed\":-1", "/seed"},
        {"joint", "\"bootstrap\":10001", "/bootstrap"},
        {"joint", "\"level\":1", "/level"},
        {"joint", "\"level\":0", "/level"},
        {"joint", "\"where\":[]", "/where"},
        {"joint", "\"where\":{\"colour\":1}", "/where/colour"},
        {"joint", "\"where\":{\"experts\":\"two\"}", "/where/experts"},
        {"joint", "\"fixed\":{\"alfa\":1}", "/fixed/alfa"},
        {"joint", "\"fixed\":{\"a\":-1}", "/fixed/a"},
        {"joint", "\"fixed\":{\"a\":null}", "/fixed/a"},
        {"joint", "\"fixed\":{\"E_start\":0.5}", "/fixed/E_start"},
        {"joint", "\"fixed\":5", "/fixed"},
        {"joint", "\"free\":[\"alfa\"]", "/free/0"},
        {"joint", "\"free\":{}", "/free"},
        {"joint", "\"free\":[\"c\"],\"fixed\":{\"c\":1}", "/free/0"},
        {"joint", "\"prior\":{\"alfa\":{\"mean\":1,\"sd\":1}}", "/prior/alfa"},
        {"joint", "\"prior\":{\"c\":{\"mean\":1,\"sd\":0}}", "/prior/c/sd"},
        {"joint", "\"prior\":{\"c\":{\"sd\":1}}", "/prior/c/mean"},
        {"joint", "\"prior\":{\"c\":{\"mean\":1,\"sd\":1,\"x\":1}}", "/prior/c/x"},
        {"joint", "\"prior\":{\"c\":1}", "/prior/c"},
        {"joint", "\"prior\":{\"c\":{\"mean\":1,\"sd\":1}},\"fixed\":{\"c\":1}", "/prior/c"},
        {"joint", "\"holdout\":{}", "/holdout"},
        {"joint", "\"holdout\":{\"fraction\":0.1,\"min_flops\":1}", "/holdout"},
        {"joint", "\"holdout\":{\"fraction\":0}", "/holdout/fraction"},
        {"joint", "\"label\":5", "/label"},
        {"joint", "\"colour\":\"red\"", "/colour"},
        {"chinchilla", "\"fixed\":{\"gamma\":0.1}", "/fixed/gamma"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct api api = fit(state, cases[i].law, cases[i].options);

        if (api.status != 400 || !api_names(&api, cases[i].name))
            fail_msg("%s: %d %.500s", cases[i].options, api.status, api.asked->call.reply.body);
        api_drop(&api);
    }
}

static void a_law_is_named_and_known(void **state)
{
    struct api api = api_post(state, "/v1/fits", "{\"study\":\"marin\"}");

    assert_int_equal(api.status, 400);
    assert_true(api_names(&api, "/law"));
    api_drop(&api);
    api_expect(state, 404, "POST", "/v1/fits", "{\"study\":\"marin\",\"law\":\"newton\"}");
    api_expect(state, 404, "POST", "/v1/fits", "{\"study\":\"nope\",\"law\":\"joint\"}");
}

static void a_null_is_an_absent_option(void **state)
{
    struct api plain = fit(state, "chinchilla", "");
    struct api nulls = fit(state, "chinchilla",
                           "\"loss\":null,\"delta\":null,\"starts\":null,\"seed\":null,"
                           "\"where\":null,\"fixed\":null,\"free\":null,\"prior\":null,"
                           "\"holdout\":null,\"bootstrap\":null,\"level\":null,\"label\":null");
    char *a = echoed(&plain), *b;

    assert_int_equal(nulls.status, 201);
    b = echoed(&nulls);
    assert_string_equal(a, b);
    free(a);
    free(b);
    api_drop(&plain);
    api_drop(&nulls);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_echoed_can_be_said_again),
        TEST(every_fault_is_named),
        TEST(a_law_is_named_and_known),
        TEST(a_null_is_an_absent_option),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
