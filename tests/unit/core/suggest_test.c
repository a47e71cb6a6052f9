#include "tests/unit/check.h"

#include <gsl/gsl_errno.h>

#include "tests/unit/core/suggest_refit.h"
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
    assert_near(answer.sd_log, sqrt(before), 1e-9);
    assert_near(answer.runs[answer.n_runs - 1].sd_log, sqrt(suggested), 1e-9);
    arena_release(&arena);
}

/* By making them: each law's first scenario, fewer repetitions than the benchmark has. */
static void suggested_runs_beat_random_ones_when_made(void **state)
{
    enum { REPETITIONS = 40, REFITS_EACH = 12, REFITS = 150 };
    static const size_t chosen[] = {2, 4};

    (void)state;
    for (size_t i = 0; i < sizeof chosen / sizeof chosen[0]; i++) {
        static struct refit refit;
        struct refit_variance before, after;
        struct err err;
        double promised;

        refit_init(&refit, &refit_scenarios[chosen[i]], 7, &err);
        before = refit_variance(&refit, NULL, 0, REFITS, 2);
        after = refit_suggested(&refit, REFITS);
        promised = refit.answer.runs[refit.answer.n_runs - 1].sd_log / refit.answer.sd_log;
        assert_true(refit_random(&refit, REPETITIONS, REFITS_EACH) >= 2 * after.optimum);
        assert_near(promised, sqrt(after.mean / before.mean), 0.2);
        arena_release(&refit.arena);
    }
}

/* Every run that another could be put in the place of, at no more FLOPs, to know the targets
 * better by theory, is a fault: neighbours on a fine grid are tried. */
static void no_run_can_be_moved_for_the_better(void **state)
{
    const struct suggest_question *q = &simulation.question;
    struct suggest_answer answer;
    struct arena arena;
    struct err err;
    double least;

    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    simulation_init(&simulation);
    assert_int_equal(suggest_runs(q, &arena, &answer, &err), ERR_OK);
    least = simulation_suggested(&simulation, &answer);
    for (size_t i = 0; i < answer.n_runs; i++) {
        const struct suggest_run run = answer.runs[i];

        for (int a = -8; a <= 8; a++) {
            for (size_t e = 0; e < q->n_experts; e++) {
                struct suggest_run *at = &answer.runs[i];

                at->experts = q->experts[e];
                at->n_active = run.n_active * exp(0.25 * a);
                at->tokens = run.tokens * exp(-0.25 * a);
                if (at->n_active >= q->n_active[0] && at->n_active <= q->n_active[1] &&
                    at->tokens >= q->tokens[0] && at->tokens <= q->tokens[1])
                    assert_true(simulation_suggested(&simulation, &answer) >= least * (1 - 1e-3));
            }
        }
        answer.runs[i] = run;
    }
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
    arena_release(&arena);
    arena_init(&arena, 1000);
    err_init(&err, NULL);
    assert_int_equal(suggest_runs(&simulation.question, &arena, &answer, &err), ERR_NO_MEMORY);
    arena_release(&arena);
}

/* Boxes whose cheapest run takes what seven digits do not tell: the budget named is enough as it
 * stands there, and a thousandth less is not. */
static void the_budget_named_in_a_refusal_is_enough(void **state)
{
    static const double fewest[] = {1.000001e9, 1.0000049e9, 1.2345678e9, 3e9, 9.999999e9};
    static const double share[] = {1, 0.999};
    static const enum err_code want[] = {ERR_OK, ERR_INFEASIBLE};

    (void)state;
    simulation_init(&simulation);
    for (size_t i = 0; i < sizeof fewest / sizeof *fewest; i++) {
        struct suggest_question question = simulation.question;
        struct suggest_answer answer;
        struct arena arena;
        struct err err;
        double named;

        arena_init(&arena, ARENA_BYTES);
        err_init(&err, &arena);
        question.tokens[0] = fewest[i];
        question.budget_flops = 1e15;
        assert_int_equal(suggest_runs(&question, &arena, &answer, &err), ERR_INFEASIBLE);
        assert_string_equal(err.first->name, "budget");
        named = strtod(strstr(err.first->detail, "takes ") + strlen("takes "), NULL);
        for (size_t k = 0; k < 2; k++) {
            err_init(&err, &arena);
            question.budget_flops = named * share[k];
            assert_int_equal(suggest_runs(&question, &arena, &answer, &err), want[k]);
        }
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggested_runs_beat_random_ones_twice),
        cmocka_unit_test(suggested_runs_beat_random_ones_when_made),
        cmocka_unit_test(no_run_can_be_moved_for_the_better),
        cmocka_unit_test(runs_stay_in_the_box_and_the_budget),
        cmocka_unit_test(what_cannot_be_suggested_is_refused),
        cmocka_unit_test(the_budget_named_in_a_refusal_is_enough),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
