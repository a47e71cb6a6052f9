/* Prices against finite differences of whole plans; the spread against plans of each draw. */
#include "tests/unit/check.h"

#include "core/rng.h"
#include "tests/unit/core/plan_question.h"

enum { ARENA_BYTES = 1 << 22, ROUNDS = 60 };

static double log_uniform(struct rng *rng, double low, double high)
{
    return low * pow(high / low, rng_uniform(rng));
}

static double *limit_of(struct plan_question *question, enum plan_limit limit)
{
    struct plan_limits *limits = &question->limits;
    double *const at[PLAN_LIMIT_COUNT] = {
        [PLAN_LIMIT_COMPUTE] = &limits->compute_flops,
        [PLAN_LIMIT_MEMORY] = &limits->memory_bytes,
        [PLAN_LIMIT_TRAIN_MEMORY] = &limits->train_memory_bytes,
        [PLAN_LIMIT_MAX_TOKENS] = &limits->max_tokens,
        [PLAN_LIMIT_MAX_N_ACTIVE] = &limits->max_n_active,
        [PLAN_LIMIT_MIN_TOKENS_PER_PARAM] = &limits->min_tokens_per_param,
        [PLAN_LIMIT_MAX_TOKENS_PER_PARAM] = &limits->max_tokens_per_param,
        [PLAN_LIMIT_TARGET_LOSS] = &question->target_loss,
    };

    return at[limit];
}

static bool solve(const struct plan_question *question, struct arena *arena,
                  struct plan_answer *ret_answer)
{
    struct err err;

    arena_reset(arena);
    err_init(&err, arena);
    return plan_solve(question, arena, ret_answer, &err) == ERR_OK;
}

static double cost(const struct plan_question *question, const struct plan_configuration *c)
{
    return question->objective == PLAN_LEAST_LOSS      ? c->loss
           : question->objective == PLAN_LEAST_COMPUTE ? c->train_flops + c->inference_flops
                                                       : c->memory_total_bytes;
}

/* The derivative of the optimum by one limit, E and G held; NAN next to a kink, where the two
 * one-sided ones differ. */
static double difference(struct plan_question question, enum plan_limit limit, struct arena *arena)
{
    const double h = limit == PLAN_LIMIT_TARGET_LOSS ? 1e-5 : 1e-4;
    double *at = limit_of(&question, limit), value = *at, middle, up, down;
    struct plan_answer answer;

    if (!solve(&question, arena, &answer))
        return NAN;
    middle = cost(&question, &answer.optimum);
    *at = value * (1 + h);
    if (!solve(&question, arena, &answer))
        return NAN;
    up = cost(&question, &answer.optimum);
    *at = value * (1 - h);
    if (!solve(&question, arena, &answer))
        return NAN;
    down = cost(&question, &answer.optimum);
    if (fabs(up + down - 2 * middle) > 0.01 * fabs(up - down))
        return NAN;
    return (up - down) / (2 * h * value);
}

static void random_limits(struct rng *rng, struct plan_question *question)
{
    struct plan_limits *limits = &question->limits;

    limits->compute_flops = log_uniform(rng, 1e19, 1e25);
    if (rng_uniform(rng) < 0.5)
        limits->memory_bytes = log_uniform(rng, 1e10, 1e12);
    if (rng_uniform(rng) < 0.3)
        limits->kv_tokens = 1e5;
    if (rng_uniform(rng) < 0.3)
        limits->train_memory_bytes = log_uniform(rng, 1e11, 1e13);
    if (rng_uniform(rng) < 0.3)
        limits->inference_tokens = log_uniform(rng, 1e10, 1e13);
    if (rng_uniform(rng) < 0.3)
        limits->max_tokens = log_uniform(rng, 1e10, 1e12);
    if (rng_uniform(rng) < 0.3)
        limits->max_n_active = log_uniform(rng, 1e9, 1e11);
    if (rng_uniform(rng) < 0.3)
        limits->min_tokens_per_param = log_uniform(rng, 10, 100);
    if (rng_uniform(rng) < 0.3)
        limits->max_tokens_per_param = log_uniform(rng, 100, 1000);
}

static void prices_are_derivatives(enum plan_objective objective)
{
    struct rng rng = rng_stream(31, (uint64_t)objective);
    struct arena arena;
    size_t compared[PLAN_LIMIT_COUNT] = {0}, total = 0;

    arena_init(&arena, ARENA_BYTES);
    for (int round = 0; round < ROUNDS * PLANNING_PRESETS; round++) {
        struct plan_question question = question_of(planning_presets[round % PLANNING_PRESETS]);
        struct plan_answer answer;
        double price[PLAN_LIMIT_COUNT], experts, granularity;

        random_limits(&rng, &question);
        if (!solve(&question, &arena, &answer))
            continue;
        if (objective != PLAN_LEAST_LOSS) {
            question.objective = objective;
            question.target_loss = answer.optimum.loss * (1 + 0.05 * rng_uniform(&rng));
        }
        question.parts = PLAN_PRICES;
        if (!solve(&question, &arena, &answer))
            continue;
        memcpy(price, answer.price, sizeof price);
        experts = answer.optimum.experts;
        granularity = answer.optimum.granularity;
        question.n_experts = question.n_granularity = 1;
        question.experts = &experts;
        question.granularity = &granularity;
        for (enum plan_limit k = 0; k < PLAN_LIMIT_COUNT; k++) {
            double slope;

            if (isnan(price[k])) {
                assert_false(isfinite(*limit_of(&question, k)) && *limit_of(&question, k) > 0);
                continue;
            }
            slope = difference(question, k, &arena);
            if (isnan(slope))
                continue;
            if (price[k] == 0)
                assert_true(fabs(slope * *limit_of(&question, k)) <
                            1e-6 * cost(&question, &answer.optimum));
            else
                assert_near(price[k], slope, 1e-4);
            compared[k] += price[k] != 0;
            total++;
        }
    }
    arena_release(&arena);
    assert_true(total > 300);
    for (enum plan_limit k = 0; k < PLAN_LIMIT_COUNT && objective == PLAN_LEAST_LOSS; k++)
        if (k != PLAN_LIMIT_TARGET_LOSS)
            assert_true(compared[k] > 0);
    if (objective != PLAN_LEAST_LOSS)
        assert_true(compared[PLAN_LIMIT_TARGET_LOSS] > 20);
}

static void prices_of_loss_are_derivatives(void **state)
{
    (void)state;
    prices_are_derivatives(PLAN_LEAST_LOSS);
}

static void prices_of_compute_are_derivatives(void **state)
{
    (void)state;
    prices_are_derivatives(PLAN_LEAST_COMPUTE);
}

static void prices_of_memory_are_derivatives(void **state)
{
    (void)state;
    prices_are_derivatives(PLAN_LEAST_MEMORY);
}

/* Every draw planned for by itself, and all its candidates, so that none is left out. */
static void spread_is_that_of_optima(const char *preset, double wide, double memory_bytes)
{
    enum { DRAWS = 41 };
    struct plan_question question = question_of(preset), one;
    size_t n = question.model.law->n_coefficients;
    double draws[DRAWS * LAW_MAX_COEFFICIENTS], smallest = INFINITY, largest = 0;
    double experts[DRAWS], granularity[DRAWS], shares = 0;
    struct rng rng = rng_stream(41, 0);
    struct plan_answer answer;
    struct arena arena;

    arena_init(&arena, ARENA_BYTES);
    for (size_t i = 0; i < DRAWS; i++)
        for (size_t k = 0; k < n; k++)
            draws[i * n + k] = question.model.coefficient[k] * (1 + wide * rng_normal(&rng));
    question.limits.compute_flops = 1e22;
    question.limits.memory_bytes = memory_bytes;
    one = question;
    one.parts = PLAN_CANDIDATES;
    for (size_t i = 0; i < DRAWS; i++) {
        one.model.coefficient = draws + i * n;
        assert_true(solve(&one, &arena, &answer));
        smallest = fmin(smallest, answer.optimum.n_active);
        largest = fmax(largest, answer.optimum.n_active);
        experts[i] = answer.optimum.experts;
        granularity[i] = answer.optimum.granularity;
    }
    question.model.draws = draws;
    question.model.n_draws = DRAWS;
    question.level = 1; /* the extremes */
    question.parts = PLAN_SPREAD;
    assert_true(solve(&question, &arena, &answer));
    assert_int_equal(answer.spread.answered, DRAWS);
    assert_near(answer.spread.n_active[0], smallest, 1e-12);
    assert_near(answer.spread.n_active[1], largest, 1e-12);
    for (size_t i = 0; i < answer.spread.n_choices; i++) {
        const struct plan_choice *choice = &answer.spread.choice[i];
        size_t with = 0;

        for (size_t k = 0; k < DRAWS; k++)
            with += experts[k] == choice->experts && granularity[k] == choice->granularity;
        assert_near(choice->share, (double)with / DRAWS, 1e-12);
        shares += choice->share;
    }
    assert_near(shares, 1, 1e-12);
    arena_release(&arena);
}

static void the_spread_is_that_of_the_draws_own_optima(void **state)
{
    (void)state;
    spread_is_that_of_optima("joint-2025", 0.02, 100e9);
    spread_is_that_of_optima("joint-2025", 0.1, INFINITY);
    spread_is_that_of_optima("joint-granular-composed", 0.02, 100e9);
    spread_is_that_of_optima("joint-granular-composed", 0.1, 20e9);
    spread_is_that_of_optima("fine-grained-e64-2024", 0.05, INFINITY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prices_of_loss_are_derivatives),
        cmocka_unit_test(prices_of_compute_are_derivatives),
        cmocka_unit_test(prices_of_memory_are_derivatives),
        cmocka_unit_test(the_spread_is_that_of_the_draws_own_optima),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
