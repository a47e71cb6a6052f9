/* suggest_refit: suggested runs against random ones, by making them: a study is simulated from
 * published coefficients, fitted with draws, planned for and asked what to run next; then the new
 * runs' losses are simulated too and the law is fitted again, many times over. The variance of the
 * predicted loss at the target over those fits is what a design is judged by: no theory in it, and
 * nothing of core/suggest.
 *
 * Random runs are log-uniform in the same box, E and G even among those allowed; their tokens are
 * scaled to take the same total, and draws that leave the box are made anew.
 */
#ifndef MOEPLAN_TESTS_SUGGEST_REFIT_H
#define MOEPLAN_TESTS_SUGGEST_REFIT_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "core/suggest.h"
#include "tests/unit/core/plan_question.h"
#include "tests/unit/core/suggest_scenarios.h"

enum { REFIT_RUNS_MAX = 160, REFIT_TARGETS = 3, REFITS_MAX = 2000 };

struct refit {
    const struct refit_scenario *scenario;
    struct arena arena; /* the fit's and the answer's */
    struct plan_model truth;
    struct fit_options options;
    size_t n_runs;
    struct obs run[REFIT_RUNS_MAX];
    struct fit_result fit;
    struct plan_configuration target[REFIT_TARGETS]; /* the optimum first */
    struct suggest_question question;
    struct suggest_answer answer;
};

/* What the fits say at the targets. */
struct refit_variance {
    double optimum; /* of ln loss at the first target */
    double mean;    /* over all */
};

/* For programs without a test runner, too. */
static inline void refit_must(enum err_code code, const struct err *err)
{
    if (code == ERR_OK)
        return;
    fprintf(stderr, "%s\n", err->detail);
    abort();
}

static inline struct obs refit_obs(const struct refit *refit, double experts, double granularity,
                                   double n_active, double tokens)
{
    const struct shape *shape = &refit->truth.shape;

    return (struct obs){
        .n_active = n_active,
        .n_total = shape_n_total(shape, shape_d_from_n_active(shape, n_active), experts),
        .tokens = tokens,
        .experts = experts,
        .granularity = granularity,
        .loss = 1,
        .weight = 1,
        .train_flops = NAN,
    };
}

static inline double refit_flops(const struct refit *refit, const struct obs *obs)
{
    const struct shape *shape = &refit->truth.shape;

    return obs->tokens * shape_flops_per_token(shape, shape_d_from_n_active(shape, obs->n_active),
                                               obs->experts, obs->granularity,
                                               refit->truth.law->routing_flops);
}

/* Gives runs the losses of the truth with noise. */
static inline void refit_measure(const struct refit *refit, struct obs *obs, size_t count,
                                 struct rng *rng)
{
    for (size_t i = 0; i < count; i++) {
        const struct law_x x = law_x_from_obs(&obs[i]);

        obs[i].loss = law_loss(refit->truth.law, refit->truth.coefficient, &x) *
                      exp(refit->scenario->noise * rng_normal(rng));
    }
}

static inline void refit_study(struct refit *refit)
{
    const struct refit_scenario *s = refit->scenario;

    for (size_t e = 0; e < s->n_experts; e++)
        for (size_t g = 0; g < s->n_granularity && (g == 0 || s->experts[e] > 1); g++)
            for (size_t i = 0; i < s->n_sizes; i++)
                for (size_t j = 0; j < s->n_ratios; j++)
                    refit->run[refit->n_runs++] =
                        refit_obs(refit, s->experts[e], s->experts[e] > 1 ? s->granularity[g] : 1,
                                  s->sizes[i], s->sizes[i] * s->ratios[j]);
}

/* The optimum of the fit, and half and twice its size at its compute. */
static inline void refit_targets(struct refit *refit, struct plan_question *plan, struct err *err)
{
    static const double size[REFIT_TARGETS] = {1, 0.5, 2};
    struct plan_answer answer;

    plan->limits.compute_flops = refit->scenario->compute_flops;
    plan->model.coefficient = refit->fit.coefficient;
    plan->n_experts = refit->scenario->n_experts;
    plan->experts = refit->scenario->experts;
    plan->n_granularity = refit->scenario->n_granularity;
    plan->granularity = refit->scenario->granularity;
    refit_must(plan_solve(plan, &refit->arena, &answer, err), err);
    for (size_t t = 0; t < REFIT_TARGETS; t++)
        plan_evaluate(plan, answer.optimum.experts, answer.optimum.granularity,
                      shape_d_from_n_active(&plan->model.shape, answer.optimum.n_active * size[t]),
                      answer.optimum.tokens / size[t], &refit->target[t]);
}

/* The study as one team would have it, its fit, and the answer. `seed` makes the study's noise. */
static inline void refit_init(struct refit *refit, const struct refit_scenario *scenario,
                              uint64_t seed, struct err *err)
{
    const struct refit_scenario *s = scenario;
    struct plan_question plan = question_of(s->preset);
    struct rng rng = rng_stream(seed, 0);
    struct obs run[REFIT_RUNS_MAX], dear;

    *refit = (struct refit){.scenario = s, .truth = plan.model};
    arena_init(&refit->arena, (size_t)1 << 28);
    err_init(err, &refit->arena);
    refit->options = fit_options_default(refit->truth.law);
    refit->options.start = refit->truth.coefficient;
    refit->options.starts = 1;
    for (size_t k = 0; k < refit->truth.law->n_coefficients; k++) {
        if (refit->truth.law->coefficients[k].role == LAW_SATURATION) {
            refit->options.hold[k] = FIT_FIXED;
            refit->options.fixed[k] = refit->truth.coefficient[k];
        }
    }
    refit_study(refit);
    memcpy(run, refit->run, sizeof run);
    refit_measure(refit, run, refit->n_runs, &rng);
    refit_must(fit_run(&refit->options, run, refit->n_runs, &refit->arena, &refit->fit, err), err);
    refit_targets(refit, &plan, err);
    dear = refit_obs(refit, s->experts[s->n_experts - 1], 1, s->sizes[s->n_sizes - 1],
                     20 * s->sizes[s->n_sizes - 1]);
    refit->question = (struct suggest_question){
        .model = plan.model,
        .options = &refit->options,
        .made = refit->run,
        .n_made = refit->n_runs,
        .n_experts = s->n_experts,
        .n_granularity = s->n_granularity,
        .experts = s->experts,
        .granularity = s->granularity,
        .n_active = {s->sizes[0], 4 * s->sizes[s->n_sizes - 1]},
        .tokens = {s->sizes[0] * s->ratios[0],
                   4 * s->sizes[s->n_sizes - 1] * s->ratios[s->n_ratios - 1]},
        .budget_flops = s->budget * refit_flops(refit, &dear),
        .runs = s->runs,
        .noise_log = refit->fit.noise_log,
        .n_targets = REFIT_TARGETS,
        .targets = refit->target,
    };
    refit_must(suggest_runs(&refit->question, &refit->arena, &refit->answer, err), err);
}

/* Variances over `refits` fits of the study and `count` runs more, all measured anew. The study's
 * noise is the same for every design, the new runs' is of `seed`. */
static inline struct refit_variance refit_variance(const struct refit *refit,
                                                   const struct obs *more, size_t count,
                                                   size_t refits, uint64_t seed)
{
    struct refit_variance ret = {0};
    double sum[REFIT_TARGETS] = {0}, square[REFIT_TARGETS] = {0}, n = 0;
    struct arena arena;

    arena_init(&arena, (size_t)1 << 26);
    for (size_t r = 0; r < refits; r++) {
        struct obs run[REFIT_RUNS_MAX + SUGGEST_RUNS_MAX];
        struct rng of_study = rng_stream(1, r), of_more = rng_stream(seed, r);
        struct fit_result fit;
        struct err err;

        memcpy(run, refit->run, refit->n_runs * sizeof *run);
        for (size_t i = 0; i < count; i++)
            run[refit->n_runs + i] = more[i];
        refit_measure(refit, run, refit->n_runs, &of_study);
        refit_measure(refit, run + refit->n_runs, count, &of_more);
        arena_reset(&arena);
        err_init(&err, &arena);
        refit_must(fit_run(&refit->options, run, refit->n_runs + count, &arena, &fit, &err), &err);
        n++;
        for (size_t t = 0; t < REFIT_TARGETS; t++) {
            const struct plan_configuration *c = &refit->target[t];
            const struct obs at =
                refit_obs(refit, c->experts, c->granularity, c->n_active, c->tokens);
            const struct law_x x = law_x_from_obs(&at);
            double by = log(law_loss(refit->truth.law, fit.coefficient, &x) / c->loss);

            sum[t] += by;
            square[t] += by * by;
        }
    }
    arena_release(&arena);
    for (size_t t = 0; t < REFIT_TARGETS; t++) {
        double variance = (square[t] - sum[t] * sum[t] / n) / (n - 1);

        ret.optimum = t == 0 ? variance : ret.optimum;
        ret.mean += variance / REFIT_TARGETS;
    }
    return ret;
}

static inline struct refit_variance refit_suggested(const struct refit *refit, size_t refits)
{
    struct obs more[SUGGEST_RUNS_MAX];

    for (size_t i = 0; i < refit->answer.n_runs; i++) {
        const struct suggest_run *run = &refit->answer.runs[i];

        more[i] = refit_obs(refit, run->experts, run->granularity, run->n_active, run->tokens);
    }
    return refit_variance(refit, more, refit->answer.n_runs, refits, 2);
}

/* As many random runs, of as many FLOPs together. */
static inline void refit_random_runs(const struct refit *refit, struct rng *rng, struct obs *ret)
{
    const struct suggest_question *q = &refit->question;
    size_t count = refit->answer.n_runs, inside = 0;

    while (inside < count) {
        double flops = 0;

        for (size_t i = 0; i < count; i++) {
            double experts = q->experts[rng_below(rng, q->n_experts)];
            double granularity = experts > 1 ? q->granularity[rng_below(rng, q->n_granularity)] : 1;
            double size = q->n_active[0] * pow(q->n_active[1] / q->n_active[0], rng_uniform(rng));
            double tokens = q->tokens[0] * pow(q->tokens[1] / q->tokens[0], rng_uniform(rng));

            ret[i] = refit_obs(refit, experts, granularity, size, tokens);
            flops += refit_flops(refit, &ret[i]);
        }
        inside = 0;
        for (size_t i = 0; i < count; i++) {
            ret[i].tokens *= refit->answer.flops / flops;
            inside += ret[i].tokens >= q->tokens[0] && ret[i].tokens <= q->tokens[1];
        }
    }
}

static inline int refit_ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median over repetitions of the variance at the optimum with random runs. */
static inline double refit_random(const struct refit *refit, size_t repetitions, size_t refits)
{
    double variance[REFITS_MAX];
    struct rng rng = rng_stream(3, 0);

    for (size_t r = 0; r < repetitions; r++) {
        struct obs more[SUGGEST_RUNS_MAX];

        refit_random_runs(refit, &rng, more);
        variance[r] = refit_variance(refit, more, refit->answer.n_runs, refits, 100 + r).optimum;
    }
    qsort(variance, repetitions, sizeof *variance, refit_ascending);
    return variance[repetitions / 2];
}

#endif
