/* What spares cells: that bounds are below what cells reach, met where nothing but compute limits,
 * and that an optimum asked for alone is the one among its candidates. */
#include "core/plan_bound.h"

#include "core/plan_cell.h"
#include "core/rng.h"
#include "tests/unit/check.h"
#include "tests/unit/core/plan_question.h"

enum { ARENA = 16 << 20, TRIALS = 300, CELLS_MAX = 64 };

static double between(struct rng *rng, double low, double high)
{
    return low * pow(high / low, rng_uniform(rng));
}

/* One in three of the limits that may be there. */
static void limit_at_random(struct plan_limits *limits, struct rng *rng)
{
    limits->compute_flops = between(rng, 1e18, 1e26);
    if (rng_below(rng, 3) == 0)
        limits->memory_bytes = between(rng, 1e8, 1e13);
    if (rng_below(rng, 3) == 0)
        limits->inference_tokens = between(rng, 1e9, 1e14);
    if (rng_below(rng, 3) == 0)
        limits->max_tokens = between(rng, 1e9, 1e13);
    if (rng_below(rng, 3) == 0)
        limits->min_tokens_per_param = between(rng, 1, 100);
}

/* The losses of an answer's cells by plan_solve, E by E. */
static double loss_of(struct plan_question question, size_t i, struct arena *arena)
{
    struct plan_answer answer;
    struct err err;

    err_init(&err, NULL);
    question.experts += i;
    question.n_experts = 1;
    question.parts = PLAN_CANDIDATES;
    return plan_solve(&question, arena, &answer, &err) == ERR_OK ? answer.optimum.loss : INFINITY;
}

static void no_cell_is_below_its_bound(void **state)
{
    struct rng rng = rng_stream(21, 0);
    struct arena arena;
    size_t bounded = 0;

    (void)state;
    arena_init(&arena, ARENA);
    for (size_t p = 0; p < PLANNING_PRESETS; p++)
        for (int trial = 0; trial < TRIALS / 10; trial++) {
            struct plan_question question = question_of(planning_presets[p]);
            struct plan_slices slices =
                plan_slices_make(question.model.law, question.model.coefficient);
            double bound[CELLS_MAX];
            size_t least;

            limit_at_random(&question.limits, &rng);
            question.n_granularity = 1;
            if (trial % 2 == 0)
                question.model.slices = &slices;
            least = plan_bound_cells(&question, bound);
            for (size_t i = 0; i < question.n_experts; i++) {
                assert_true(bound[least] <= bound[i]);
                assert_true(loss_of(question, i, &arena) >= bound[i] * (1 - 1e-12));
                bounded += bound[i] > 0 ? 1 : 0;
            }
            arena_reset(&arena);
        }
    assert_true(bounded > 200);
    arena_release(&arena);
}

static void compute_alone_is_spent_down_to_the_bound(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, ARENA);
    for (double compute = 1e19; compute < 1e26; compute *= 10) {
        struct plan_question question = question_of("joint-2025");
        struct plan_slices slices =
            plan_slices_make(question.model.law, question.model.coefficient);
        double bound[CELLS_MAX], ready[CELLS_MAX];

        question.limits.compute_flops = compute;
        plan_bound_cells(&question, bound);
        question.model.slices = &slices;
        plan_bound_cells(&question, ready);
        for (size_t i = 0; i < question.n_experts; i++) {
            assert_near(bound[i], loss_of(question, i, &arena), 1e-12);
            assert_near(ready[i], bound[i], 1e-13);
        }
    }
    arena_release(&arena);
}

/* N_total may grow without FLOPs. */
static void losses_by_the_total_have_no_bound(void **state)
{
    struct plan_question question = question_of("sparsity-2025");
    double bound[CELLS_MAX];

    (void)state;
    question.limits.compute_flops = 1e22;
    plan_bound_cells(&question, bound);
    for (size_t i = 0; i < question.n_experts * question.n_granularity; i++)
        assert_true(bound[i] == -INFINITY);
}

static void an_optimum_alone_is_the_one_among_candidates(void **state)
{
    struct rng rng = rng_stream(22, 0);
    struct arena arena;
    size_t solved = 0;

    (void)state;
    arena_init(&arena, ARENA);
    for (size_t p = 0; p < PLANNING_PRESETS; p++)
        for (int trial = 0; trial < TRIALS; trial++) {
            struct plan_question question = question_of(planning_presets[p]);
            struct plan_answer alone, among;
            enum err_code code;
            struct err err;

            err_init(&err, &arena);
            limit_at_random(&question.limits, &rng);
            code = plan_solve(&question, &arena, &alone, &err);
            err_init(&err, &arena);
            question.parts = PLAN_CANDIDATES;
            assert_int_equal(plan_solve(&question, &arena, &among, &err), code);
            if (code == ERR_OK) {
                assert_true(alone.optimum.experts == among.optimum.experts);
                assert_true(alone.optimum.granularity == among.optimum.granularity);
                assert_true(alone.optimum.d_model == among.optimum.d_model);
                assert_true(alone.optimum.tokens == among.optimum.tokens);
                assert_true(alone.optimum.loss == among.optimum.loss);
                assert_int_equal(alone.n_warnings, among.n_warnings);
                solved++;
            }
            arena_reset(&arena);
        }
    assert_true(solved > PLANNING_PRESETS * TRIALS / 2);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_cell_is_below_its_bound),
        cmocka_unit_test(compute_alone_is_spent_down_to_the_bound),
        cmocka_unit_test(losses_by_the_total_have_no_bound),
        cmocka_unit_test(an_optimum_alone_is_the_one_among_candidates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
