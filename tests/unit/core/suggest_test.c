#include "tests/unit/check.h"

#include "tests/unit/core/suggest_simulation.h"

enum { ARENA_BYTES = 1 << 26 };

static struct simulation simulation;

static void suggested_runs_beat_random_ones_twice(void **state)
{
    struct suggest_answer answer;
    struct arena arena;
    struct err err;
    double before, suggested, random;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    simulation_init(&simulation);
    assert_int_equal(suggest_runs(&simulation.question, &arena, &answer, &err), ERR_OK);
    before = simulation_target_variance(&simulation, &simulation.study);
    suggested = simulation_suggested(&simulation, &answer);
    random = simulation_random(&simulation, answer.flops);
    assert_true(random >= 2 * suggested);
    /* What it promises is what the linear theory says, the nearer the less is left unknown: wide
     * draws of exponents are not linear. */
    assert_near(answer.sd_log, sqrt(before), 0.4);
    assert_near(answer.runs[answer.n_runs - 1].sd_log, sqrt(suggested), 0.1);
    arena_release(&arena);
}

static void runs_stay_in_the_box_and_the_budget(void **state)
{
    const struct suggest_question *q = &simulation.question;
    struct suggest_answer answer;
    struct arena arena;
    struct err err;
    double flops = 0, last = INFINITY;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    simulation_init(&simulation);
    assert_int_equal(suggest_runs(q, &arena, &answer, &err), ERR_OK);
    assert_in_range(answer.n_runs, 1, SIMULATION_RUNS);
    for (size_t i = 0; i < answer.n_runs; i++) {
        const struct suggest_run *run = &answer.runs[i];

        assert_true(run->n_active >= q->n_active[0] * (1 - 1e-12));
        assert_true(run->n_active <= q->n_active[1] * (1 + 1e-12));
        assert_true(run->tokens >= q->tokens[0] * (1 - 1e-12));
        assert_true(run->tokens <= q->tokens[1] * (1 + 1e-12));
        assert_near(run->train_flops, 6 * run->n_active * run->tokens, 1e-12);
        assert_true(run->sd_log < last);
        last = run->sd_log;
        flops += run->train_flops;
    }
    assert_true(last < answer.sd_log);
    assert_true(flops <= q->budget_flops);
    assert_near(flops, answer.flops, 1e-12);
    arena_release(&arena);
}

static void what_cannot_be_suggested_is_refused(void **state)
{
    struct suggest_question question;
    struct suggest_answer answer;
    struct arena arena;
    struct err err;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    simulation_init(&simulation);
    question = simulation.question;
    question.budget_flops = 1e15;
    err_init(&err, &arena);
    assert_int_equal(suggest_runs(&question, &arena, &answer, &err), ERR_INFEASIBLE);
    assert_string_equal(err.first->name, "budget");
    question = simulation.question;
    question.model.n_draws = 19;
    err_init(&err, &arena);
    assert_int_equal(suggest_runs(&question, &arena, &answer, &err), ERR_TOO_FEW_EXPERIMENTS);
    arena_release(&arena);
    arena_init(&arena, 1000);
    err_init(&err, NULL);
    assert_int_equal(suggest_runs(&simulation.question, &arena, &answer, &err), ERR_NO_MEMORY);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggested_runs_beat_random_ones_twice),
        cmocka_unit_test(runs_stay_in_the_box_and_the_budget),
        cmocka_unit_test(what_cannot_be_suggested_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
