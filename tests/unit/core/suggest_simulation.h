/* suggest_simulation: suggested runs against random ones, by linear theory.
 *
 * A study of small runs of the joint law with 0.5 % noise, a plan at 1e22 FLOPs, and a budget of
 * five times the study's dearest run for five more. Random runs are log-uniform in the same box and
 * take the same total: sizes and E drawn, then tokens scaled to fit.
 */
#ifndef MOEPLAN_TESTS_SUGGEST_SIMULATION_H
#define MOEPLAN_TESTS_SUGGEST_SIMULATION_H

#include <stdlib.h>

#include "core/rng.h"
#include "core/suggest.h"
#include "tests/unit/core/fisher.h"
#include "tests/unit/core/plan_question.h"

enum { SIMULATION_REPETITIONS = 200, SIMULATION_RUNS = 5, SIMULATION_STUDY = 90 };

struct simulation {
    struct fisher study;
    double noise_log;
    struct fit_options options; /* least squares, E_start and E_max known */
    struct obs made[SIMULATION_STUDY];
    struct plan_configuration target;
    struct suggest_question question;
};

static inline struct obs simulation_obs(double experts, double n_active, double tokens)
{
    return (struct obs){.n_active = n_active,
                        .n_total = NAN,
                        .tokens = tokens,
                        .experts = experts,
                        .granularity = 1,
                        .loss = 1,
                        .weight = 1,
                        .train_flops = NAN};
}

static inline void simulation_init(struct simulation *s)
{
    static const double sizes[] = {5e7, 1e8, 2e8, 4e8, 8e8}, ratios[] = {5, 20, 80};
    static const double one[] = {1};
    struct plan_question plan = question_of("joint-2025");
    size_t count = 0;

    s->noise_log = 0.005;
    s->study = fisher_make(plan.model.law, plan.model.coefficient);
    for (size_t e = 0; e < 6; e++) {
        for (size_t i = 0; i < 5; i++) {
            for (size_t j = 0; j < 3; j++) {
                struct obs obs = simulation_obs(six_experts[e], sizes[i], sizes[i] * ratios[j]);

                fisher_add(&s->study, &obs, s->noise_log);
                s->made[count++] = obs;
            }
        }
    }
    s->options = fit_options_default(plan.model.law);
    s->options.robust.kind = ROBUST_SQUARED;
    for (size_t k = 0; k < plan.model.law->n_coefficients; k++)
        if (plan.model.law->coefficients[k].role == LAW_SATURATION)
            s->options.hold[k] = FIT_FIXED;
    plan_evaluate(&plan, 8, 1, 4106.58, 1.151e11, &s->target); /* J Table 1 at 1e22 */
    s->question = (struct suggest_question){
        .model = plan.model,
        .options = &s->options,
        .made = s->made,
        .n_made = SIMULATION_STUDY,
        .n_experts = 6,
        .n_granularity = 1,
        .experts = six_experts,
        .granularity = one,
        .n_active = {5e7, 4e9},
        .tokens = {1e9, 3e11},
        .budget_flops = 5 * 6 * 8e8 * 8e8 * 20,
        .runs = SIMULATION_RUNS,
        .noise_log = s->noise_log,
        .n_targets = 1,
        .targets = &s->target,
    };
}

static inline double simulation_target_variance(const struct simulation *s,
                                                const struct fisher *fisher)
{
    struct obs obs = simulation_obs(s->target.experts, s->target.n_active, s->target.tokens);

    return fisher_variance(fisher, &obs);
}

/* The target's variance once the suggested runs are in. */
static inline double simulation_suggested(const struct simulation *s,
                                          const struct suggest_answer *answer)
{
    struct fisher fisher = s->study;

    for (size_t i = 0; i < answer->n_runs; i++) {
        const struct suggest_run *run = &answer->runs[i];
        struct obs obs = simulation_obs(run->experts, run->n_active, run->tokens);

        fisher_add(&fisher, &obs, s->noise_log);
    }
    return simulation_target_variance(s, &fisher);
}

static inline int simulation_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median over repetitions of the target's variance with as many random runs, of as many FLOPs
 * together. */
static inline double simulation_random(const struct simulation *s, double flops)
{
    const struct suggest_question *q = &s->question;
    static double variance[SIMULATION_REPETITIONS];
    struct rng rng = rng_stream(52, 0);

    for (size_t r = 0; r < SIMULATION_REPETITIONS;) {
        struct fisher fisher = s->study;
        struct obs obs[SIMULATION_RUNS];
        double total = 0, scale;
        size_t inside = 0;

        for (size_t i = 0; i < SIMULATION_RUNS; i++) {
            obs[i] = simulation_obs(
                q->experts[rng_below(&rng, q->n_experts)],
                q->n_active[0] * pow(q->n_active[1] / q->n_active[0], rng_uniform(&rng)),
                q->tokens[0] * pow(q->tokens[1] / q->tokens[0], rng_uniform(&rng)));
            total += 6 * obs[i].n_active * obs[i].tokens;
        }
        scale = flops / total;
        for (size_t i = 0; i < SIMULATION_RUNS; i++) {
            obs[i].tokens *= scale;
            inside += obs[i].tokens >= q->tokens[0] && obs[i].tokens <= q->tokens[1];
            fisher_add(&fisher, &obs[i], s->noise_log);
        }
        if (inside == SIMULATION_RUNS) /* within the box, or drawn anew */
            variance[r++] = simulation_target_variance(s, &fisher);
    }
    qsort(variance, SIMULATION_REPETITIONS, sizeof *variance, simulation_ascending);
    return variance[SIMULATION_REPETITIONS / 2];
}

#endif
