/* plans: the answers held against the formulas of the contract. */
#include "server/question.h"

#include "tests/unit/server/sample.h"

static double at(const struct api *api, const char *member)
{
    char path[80];

    snprintf(path, sizeof path, "optimum/%s", member);
    return api_number(api, path);
}

/* Counts, costs and memory of the optimum, from d_model by J's arithmetic. */
static void the_optimum_is_one_model_in_all_its_numbers(void **state)
{
    struct api api = api_get(state, "/v1/plan?fit=joint-2025&compute=1e22&memory=80GB&"
                                    "kv_tokens=16384&inference_tokens=1e12&bytes_per_param=1.5");
    double d = at(&api, "d_model"), layers = d / 64, e = at(&api, "experts");
    double n_active = 2 * d * 50257 + 13 * layers * d * d;
    double n_total = 2 * d * 50257 + (4 + 9 * e) * layers * d * d;

    assert_near(at(&api, "n_active"), n_active, 1e-12);
    assert_near(at(&api, "n_total"), n_total, 1e-12);
    assert_near(at(&api, "tokens_per_active_param"), at(&api, "tokens") / n_active, 1e-12);
    assert_near(at(&api, "train_flops"), 6 * n_active * at(&api, "tokens"), 1e-12);
    assert_near(at(&api, "inference_flops"), 2 * n_active * 1e12, 1e-12);
    assert_near(at(&api, "memory_bytes/weights"), 1.5 * n_total, 1e-12);
    assert_near(at(&api, "memory_bytes/kv_cache"), 1.5 * 2 * 16384 * layers * d, 1e-12);
    assert_near(at(&api, "memory_bytes/total"),
                at(&api, "memory_bytes/weights") + at(&api, "memory_bytes/kv_cache"), 1e-12);
    assert_near(at(&api, "train_memory_bytes"), 16 * n_total, 1e-12);
    assert_true(at(&api, "train_flops") + at(&api, "inference_flops") <= 1e22 * (1 + 1e-9));
    assert_true(at(&api, "memory_bytes/total") <= 80e9 * (1 + 1e-9));
    api_drop(&api);
}

static void no_neighbour_of_the_optimum_is_better(void **state)
{
    struct api plan = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&experts=8");
    double n = at(&plan, "n_active");

    for (int sign = -1; sign <= 1; sign += 2) {
        double other = n * (1 + sign * 1e-3);
        char target[200];
        struct api api;

        snprintf(target, sizeof target,
                 "/v1/predict?fit=joint-2025&n_active=%.17g&tokens=%.17g&experts=8", other,
                 1e21 / 6 / other);
        api = api_get(state, target);
        assert_true(api_number(&api, "loss") > at(&plan, "loss"));
        api_drop(&api);
    }
    api_drop(&plan);
}

static void the_optimum_is_the_best_candidate(void **state)
{
    struct api api = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&memory=24GB");
    double best = INFINITY, last = 0;

    assert_int_equal(api_count(&api, "candidates"), 6);
    for (int i = 0; i < 6; i++) {
        char path[60];

        snprintf(path, sizeof path, "candidates/%d/experts", i);
        assert_true(api_number(&api, path) > last);
        last = api_number(&api, path);
        snprintf(path, sizeof path, "candidates/%d/feasible", i);
        if (!json_bool(api_at(&api, path)))
            continue;
        snprintf(path, sizeof path, "candidates/%d/loss", i);
        best = fmin(best, api_number(&api, path));
    }
    assert_true(at(&api, "loss") == best);
    api_drop(&api);
}

static void the_multiplier_is_the_compute_dense_needs(void **state)
{
    struct api api = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21"), dense;
    double multiplier = api_number(&api, "compute_multiplier");
    char target[100];

    assert_true(multiplier > 1);
    snprintf(target, sizeof target, "/v1/plan?fit=joint-2025&experts=1&compute=%.17g",
             multiplier * 1e21);
    dense = api_get(state, target);
    assert_near(at(&dense, "loss"), at(&api, "loss"), 1e-9);
    api_drop(&dense);
    api_drop(&api);
}

static void members_are_the_contracts_in_its_order(void **state)
{
    static const char *const members[] = {"fit",          "law",     "study",
                                          "constraints",  "optimum", "candidates",
                                          "near_optimal", "dense",   "compute_multiplier"};
    struct api api = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21");
    const struct json *member = json_first(api.root);

    for (size_t i = 0; i < sizeof members / sizeof *members; i++, member = json_next(member))
        assert_string_equal(json_key(member), members[i]);
    api_drop(&api);
}

static void fields_leave_the_rest_uncomputed_and_the_same(void **state)
{
    struct api whole = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21");
    struct api part = api_get(state, "/v1/plan?fit=joint-2025&compute=1e21&fields=dense");
    const struct reply *reply = &part.asked->call.reply;

    assert_int_equal(reply->body[0], '{');
    assert_non_null(memmem(whole.asked->call.reply.body, whole.asked->call.reply.length,
                           reply->body + 1, reply->length - 2));
    api_drop(&whole);
    api_drop(&part);
}

static void get_and_post_answer_alike(void **state)
{
    struct api get = api_get(state, "/v1/plan?fit=joint-2025&compute=1e22&memory=80GB&experts=4,8&"
                                    "max_tokens=500B&slack=0.01");
    struct api post = api_post(state, "/v1/plan",
                               "{\"fit\":\"joint-2025\",\"compute\":1e22,\"memory\":8e10,"
                               "\"experts\":[4,8],\"max_tokens\":5e11,\"slack\":0.01}");

    assert_int_equal(get.status, 200);
    assert_int_equal(get.asked->call.reply.length, post.asked->call.reply.length);
    assert_memory_equal(get.asked->call.reply.body, post.asked->call.reply.body,
                        get.asked->call.reply.length);
    api_drop(&get);
    api_drop(&post);
}

static void the_same_plan_on_another_lane_is_the_same(void **state)
{
    /* as many values as take it off the event thread; the answer's E is among both */
    static const char few[] = "/v1/plan?fit=joint-granular-composed&compute=1e21&experts=8&"
                              "granularity=4&fields=optimum";
    char many[1500] = "/v1/plan?fit=joint-granular-composed&compute=1e21&experts=8&fields=optimum,"
                      "candidates&granularity=1";
    struct api a = api_get(state, few), b;

    for (int i = 0; i < 63; i++) {
        size_t length = strlen(many);

        snprintf(many + length, sizeof many - length, ",%.4f", 1 + (i + 1) * 0.001);
    }
    b = api_get(state, many);
    assert_int_equal(a.status, 200);
    assert_int_equal(b.status, 200);
    assert_true(at(&b, "granularity") > 1);
    api_drop(&a);
    api_drop(&b);
}

static void a_fit_of_runs_plans_over_the_values_it_has_seen(void **state)
{
    int id = sample_fit(state, "{\"study\":\"marin\",\"law\":\"joint\"}");
    char target[100];
    struct api api;

    snprintf(target, sizeof target, "/v1/plan?fit=%d&compute=1e20", id);
    api = api_get(state, target);
    assert_int_equal(api_count(&api, "constraints/experts"), 3);
    assert_true(api_number(&api, "constraints/experts/0") == 16);
    assert_true(api_number(&api, "constraints/experts/2") == 64);
    assert_true(api_number(&api, "constraints/granularity/0") == 4);
    assert_string_equal(api_text(&api, "warnings/0/code"), "shape_assumed");
    api_drop(&api);
    snprintf(target, sizeof target, "/v1/plan?fit=%d&compute=1e20&shape=joint", id);
    api = api_get(state, target);
    assert_null(
        memmem(api.asked->call.reply.body, api.asked->call.reply.length, "shape_assumed", 13));
    api_drop(&api);
}

static void refusals_name_what_was_asked(void **state)
{
    static const struct {
        int status;
        const char *query, *name;
    } cases[] = {
        {400, "", "compute"},
        {400, "compute=x", "compute"},
        {400, "compute=1e21&memory=80G", "memory"},
        {400, "compute=1e21&experts=0", "experts"},
        {400, "compute=1e21&target_loss=2", "target_loss"},
        {400, "objective=compute", "target_loss"},
        {400, "objective=memory&target_loss=2", "compute"},
        {400, "compute=1e21&fields=nope", "fields"},
        {400, "compute=1e21&shape=round", "shape"},
        {422, "compute=1e22&memory=1kB", "memory"},
        {422, "fit=fine-grained-e64-2024&compute=1e20&experts=8", "experts"},
        {422, "objective=compute&target_loss=1.3", "target_loss"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char target[200];
        struct api api;

        snprintf(target, sizeof target, "/v1/plan?%s", cases[i].query);
        api = api_get(state, target);
        if (api.status != cases[i].status || !api_names(&api, cases[i].name))
            fail_msg("%s: %d %.500s", cases[i].query, api.status, api.asked->call.reply.body);
        api_drop(&api);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sample_make, served_drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_optimum_is_one_model_in_all_its_numbers),
        TEST(no_neighbour_of_the_optimum_is_better),
        TEST(the_optimum_is_the_best_candidate),
        TEST(the_multiplier_is_the_compute_dense_needs),
        TEST(members_are_the_contracts_in_its_order),
        TEST(fields_leave_the_rest_uncomputed_and_the_same),
        TEST(get_and_post_answer_alike),
        TEST(the_same_plan_on_another_lane_is_the_same),
        TEST(a_fit_of_runs_plans_over_the_values_it_has_seen),
        TEST(refusals_name_what_was_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
