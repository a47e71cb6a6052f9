/* Random limits for every planning preset, against brute force (plan_reference.h). */
#include "tests/unit/check.h"

#include "core/rng.h"
#include "tests/unit/core/plan_question.h"
#include "tests/unit/core/plan_reference.h"

enum { ROUNDS = 24, ARENA_BYTES = 1 << 22 };

static double log_uniform(struct rng *rng, double low, double high)
{
    return low * pow(high / low, rng_uniform(rng));
}

/* A budget, and each other limit with some chance, at a level that bites about half the time: they
 * are set round the configuration that compute alone would choose. */
static void random_limits(struct rng *rng, struct plan_question *question)
{
    struct plan_limits *limits = &question->limits;
    struct reference_point free;

    limits->compute_flops = log_uniform(rng, 1e17, 1e26);
    free = reference_cell(question, question->experts[question->n_experts - 1],
                          question->granularity[0]);
    limits->bytes_per_param = rng_uniform(rng) < 0.5 ? 2 : 1;
    if (rng_uniform(rng) < 0.5)
        limits->kv_tokens = log_uniform(rng, 1e2, 1e6);
    if (rng_uniform(rng) < 0.5)
        limits->memory_bytes = free.n_active * log_uniform(rng, 0.2, 200);
    if (rng_uniform(rng) < 0.3)
        limits->train_memory_bytes = free.n_active * log_uniform(rng, 4, 2000);
    if (rng_uniform(rng) < 0.4)
        limits->inference_tokens = free.tokens * log_uniform(rng, 0.01, 100);
    if (rng_uniform(rng) < 0.4)
        limits->max_tokens = free.tokens * log_uniform(rng, 0.05, 10);
    if (rng_uniform(rng) < 0.3)
        limits->max_n_active = free.n_active * log_uniform(rng, 0.1, 5);
    if (rng_uniform(rng) < 0.3)
        limits->min_tokens_per_param = free.tokens / free.n_active * log_uniform(rng, 0.01, 20);
    if (rng_uniform(rng) < 0.3)
        limits->max_tokens_per_param = free.tokens / free.n_active * log_uniform(rng, 0.1, 50);
}

/* A shape a caller might set, every other time. */
static void random_shape(struct rng *rng, struct shape *shape)
{
    static const double ratios[] = {1, 0.5, 0.25, 0.125};

    if (rng_uniform(rng) < 0.5)
        return;
    shape->moe_layer_freq = 1 + (double)rng_below(rng, 4);
    shape->shared_experts = (double)rng_below(rng, 3);
    shape->kv_ratio = ratios[rng_below(rng, 4)];
    shape->attention = 2 + 2 * shape->kv_ratio;
    shape->ffn_ratio *= 0.5 + rng_uniform(rng);
}

static void check_limits(const struct plan_limits *limits, const struct plan_configuration *c)
{
    const double ulp = 1 + 1e-12;

    assert_true(c->train_flops + c->inference_flops <= limits->compute_flops * ulp);
    assert_true(c->memory_total_bytes <= limits->memory_bytes * ulp);
    assert_true(c->train_memory_bytes <= limits->train_memory_bytes * ulp);
    assert_true(c->tokens <= limits->max_tokens * ulp);
    assert_true(c->n_active <= limits->max_n_active * ulp);
    assert_true(c->tokens_per_active_param >= limits->min_tokens_per_param / ulp);
    assert_true(c->tokens_per_active_param <= limits->max_tokens_per_param * ulp);
}

/* The answers agree. What the grid of the brute force missed it is shown: the neighbourhood of the
 * planner's answer, which it must find feasible for itself. */
static void compare(const struct plan_question *question, struct arena *arena)
{
    struct reference_point want = reference_solve(question), near;
    struct reference_law law;
    struct plan_answer answer;
    struct err err;
    enum err_code code;

    arena_reset(arena);
    err_init(&err, arena);
    code = plan_solve(question, arena, &answer, &err);
    if (code == ERR_INFEASIBLE) {
        assert_true(want.cost == INFINITY);
        return;
    }
    assert_int_equal(code, ERR_OK);
    check_limits(&question->limits, &answer.optimum);
    law = reference_law(&question->model, answer.optimum.experts, answer.optimum.granularity);
    assert_near(answer.optimum.loss,
                reference_loss(&law, answer.optimum.n_active, answer.optimum.n_total,
                               answer.optimum.tokens),
                1e-12);
    if (question->objective != PLAN_LEAST_LOSS)
        assert_true(answer.optimum.loss <= question->target_loss * (1 + 1e-12));
    near = reference_walk(question, answer.optimum.experts, answer.optimum.granularity,
                          answer.optimum.d_model * 0.999, answer.optimum.d_model * 1.001);
    if (near.cost < want.cost)
        want = near;
    /* Another choice of E or G must be a tie. */
    if (answer.optimum.experts != want.experts || answer.optimum.granularity != want.granularity)
        assert_near(near.cost, want.cost, 1e-9);
    switch (question->objective) {
    case PLAN_LEAST_LOSS:
        assert_near(answer.optimum.loss, want.cost, 1e-9);
        break;
    case PLAN_LEAST_COMPUTE:
        assert_near(answer.optimum.train_flops + answer.optimum.inference_flops, want.cost, 1e-9);
        break;
    case PLAN_LEAST_MEMORY:
        assert_near(answer.optimum.memory_total_bytes, want.cost, 1e-9);
        break;
    }
}

static void random_limits_for(enum plan_objective objective, uint64_t seed)
{
    struct arena arena;

    arena_init(&arena, ARENA_BYTES);
    for (size_t p = 0; p < PLANNING_PRESETS; p++) {
        struct rng rng = rng_stream(seed, p);

        if (!preset_find(planning_presets[p]))
            continue;
        for (int round = 0; round < ROUNDS; round++) {
            struct plan_question question = question_of(planning_presets[p]);

            random_shape(&rng, &question.model.shape);
            random_limits(&rng, &question);
            if (objective != PLAN_LEAST_LOSS) {
                struct reference_point best = reference_solve(&question);

                if (best.cost == INFINITY)
                    continue;
                /* Mostly above what is reachable, sometimes below. */
                question.objective = objective;
                question.target_loss = best.loss * log_uniform(&rng, 0.998, 1.1);
                if (objective == PLAN_LEAST_COMPUTE && rng_uniform(&rng) < 0.5)
                    question.limits.compute_flops = INFINITY;
            }
            compare(&question, &arena);
        }
    }
    arena_release(&arena);
}

static void least_loss_agrees_with_brute_force(void **state)
{
    (void)state;
    random_limits_for(PLAN_LEAST_LOSS, 1);
}

static void least_compute_agrees_with_brute_force(void **state)
{
    (void)state;
    random_limits_for(PLAN_LEAST_COMPUTE, 2);
}

static void least_memory_agrees_with_brute_force(void **state)
{
    (void)state;
    random_limits_for(PLAN_LEAST_MEMORY, 3);
}

/* Coefficients no paper would print: any sign, tiny and zero amplitudes. */
static void ill_signed_coefficients_agree_with_brute_force(void **state)
{
    struct rng rng = rng_stream(4, 0);
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    for (int round = 0; round < 10 * ROUNDS; round++) {
        struct plan_question question = question_of("joint-2025");
        double coefficient[LAW_MAX_COEFFICIENTS];
        const struct law *law = question.model.law;
        struct reference_point want;
        struct plan_answer answer;
        struct err err;

        memcpy(coefficient, question.model.coefficient, sizeof coefficient);
        coefficient[law_coefficient_index(law, "alpha")] = -0.3 + 0.5 * rng_uniform(&rng);
        coefficient[law_coefficient_index(law, "beta")] = -0.3 + 0.5 * rng_uniform(&rng);
        if (rng_uniform(&rng) < 0.2)
            coefficient[law_coefficient_index(law, "a")] = 0;
        if (rng_uniform(&rng) < 0.2)
            coefficient[law_coefficient_index(law, "b")] = 0;
        question.model.coefficient = coefficient;
        question.limits.compute_flops = log_uniform(&rng, 1e17, 1e24);
        if (rng_uniform(&rng) < 0.5)
            question.limits.memory_bytes = log_uniform(&rng, 1e8, 1e12);
        if (rng_uniform(&rng) < 0.5)
            question.limits.min_tokens_per_param = log_uniform(&rng, 0.1, 100);
        want = reference_solve(&question);

        arena_reset(&arena);
        err_init(&err, &arena);
        if (want.cost == INFINITY) {
            assert_int_equal(plan_solve(&question, &arena, &answer, &err), ERR_INFEASIBLE);
            continue;
        }
        assert_int_equal(plan_solve(&question, &arena, &answer, &err), ERR_OK);
        check_limits(&question.limits, &answer.optimum);
        assert_near(answer.optimum.loss, want.cost, 1e-9);
    }
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_loss_agrees_with_brute_force),
        cmocka_unit_test(least_compute_agrees_with_brute_force),
        cmocka_unit_test(least_memory_agrees_with_brute_force),
        cmocka_unit_test(ill_signed_coefficients_agree_with_brute_force),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
