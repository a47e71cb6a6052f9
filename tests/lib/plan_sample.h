/* plan_sample: questions at random, of every preset that can plan, for tests of the planner.
 *
 * Budgets of 1e19 to 1e26 FLOPs, each other limit now and then; lists of E and G as presets have
 * them, or one value. The shape is the law's, or settings at random within what requests can say.
 */
#ifndef MOEPLAN_TESTS_PLAN_SAMPLE_H
#define MOEPLAN_TESTS_PLAN_SAMPLE_H

#include <math.h>

#include "core/rng.h"
#include "tests/unit/core/plan_question.h"

#define PLAN_SAMPLE_PICK(rng, values)                                                              \
    plan_sample_pick((rng), (values), sizeof(values) / sizeof(values)[0])

struct plan_sample {
    struct plan_question question; /* points to the two below: do not copy */
    double experts, granularity;
};

static inline double plan_sample_between(struct rng *rng, double low, double high)
{
    return low * pow(high / low, rng_uniform(rng));
}

static inline double plan_sample_pick(struct rng *rng, const double *values, size_t count)
{
    return values[(size_t)(rng_uniform(rng) * (double)count) % count];
}

static inline void plan_sample_limits(struct rng *rng, struct plan_limits *limits)
{
    limits->compute_flops = plan_sample_between(rng, 1e19, 1e26);
    if (rng_uniform(rng) < 0.3)
        limits->memory_bytes = plan_sample_between(rng, 1e9, 1e13);
    if (rng_uniform(rng) < 0.3)
        limits->kv_tokens = plan_sample_between(rng, 1e3, 1e6);
    if (rng_uniform(rng) < 0.2)
        limits->train_memory_bytes = plan_sample_between(rng, 1e10, 1e14);
    if (rng_uniform(rng) < 0.2)
        limits->max_n_active = plan_sample_between(rng, 1e8, 1e12);
    if (rng_uniform(rng) < 0.2)
        limits->inference_tokens = plan_sample_between(rng, 1e10, 1e14);
    if (rng_uniform(rng) < 0.2)
        limits->max_tokens = plan_sample_between(rng, 1e9, 1e14);
    if (rng_uniform(rng) < 0.2)
        limits->min_tokens_per_param = plan_sample_between(rng, 1, 1000);
    if (rng_uniform(rng) < 0.1)
        limits->max_tokens_per_param =
            fmax(plan_sample_between(rng, 10, 1000), limits->min_tokens_per_param);
}

static inline void plan_sample_shape(struct rng *rng, struct shape *shape)
{
    static const double kv_ratios[] = {1, 1, 1, 0.5, 0.25, 0.125};
    static const double head_dims[] = {64, 64, 64, 128, 96, 32};
    static const double vocabularies[] = {50257, 32000, 128256, 262144};
    static const double widths_per_layer[] = {64, 64, 64, 64, 128, 96, 32};

    shape->kv_ratio = PLAN_SAMPLE_PICK(rng, kv_ratios);
    shape->attention = 2 + 2 * shape->kv_ratio;
    shape->head_dim = PLAN_SAMPLE_PICK(rng, head_dims);
    shape->vocabulary = PLAN_SAMPLE_PICK(rng, vocabularies);
    shape->d_per_layer = PLAN_SAMPLE_PICK(rng, widths_per_layer);
    if (rng_uniform(rng) < 0.3)
        shape->ffn_ratio = 1.5 + 3.5 * rng_uniform(rng);
    if (shape->embeddings > 0 && rng_uniform(rng) < 0.3)
        shape->embeddings = 1;
    if (rng_uniform(rng) < 0.15)
        shape->active_embeddings = false;
    shape->moe_layer_freq = 1 + floor(rng_uniform(rng) * rng_uniform(rng) * 4);
    if (rng_uniform(rng) < 0.3)
        shape->shared_experts = 1 + floor(2 * rng_uniform(rng));
}

static inline void plan_sample_init(struct plan_sample *sample, struct rng *rng, bool own_shape)
{
    static const double experts[] = {1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256};
    static const double granularity[] = {1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128};
    size_t preset = (size_t)(rng_uniform(rng) * PLANNING_PRESETS) % PLANNING_PRESETS;
    struct plan_question *question = &sample->question;

    *question = question_of(planning_presets[preset]);
    if (question->model.fixed_experts == 0 && rng_uniform(rng) < 0.5) {
        sample->experts = PLAN_SAMPLE_PICK(rng, experts);
        question->experts = &sample->experts;
        question->n_experts = 1;
    }
    if (question->n_granularity > 1 && rng_uniform(rng) < 0.7) {
        sample->granularity = PLAN_SAMPLE_PICK(rng, granularity);
        question->granularity = &sample->granularity;
        question->n_granularity = 1;
    }
    if (own_shape)
        plan_sample_shape(rng, &question->model.shape);
    plan_sample_limits(rng, &question->limits);
    question->parts = PLAN_CANDIDATES | PLAN_ARCHITECTURE;
}

#undef PLAN_SAMPLE_PICK

#endif
