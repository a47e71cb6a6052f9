/* slow_build: architectures of whole sizes by trying them all, counted here from their parts.
 *
 * Shares nothing with core/plan_build*, plan_trial and architecture but what a build is: widths in
 * steps of 8, layers from half to twice the shape's, experts in steps of 8 from half to twice as
 * wide as the shape has them, heads as architecture_draft says. Of well-signed laws: as many
 * tokens as the limits allow.
 */
#ifndef MOEPLAN_TESTS_SLOW_BUILD_H
#define MOEPLAN_TESTS_SLOW_BUILD_H

#include <math.h>

#include "core/plan.h"

struct slow_build {
    double d_model, layers, expert_hidden;
    double tokens, loss; /* INFINITY: the limits leave no room */
};

/* left_out: max_n_active, min_tokens_per_param and inference count no norms and routers. */
static inline struct slow_build slow_build_make(const struct plan_question *question,
                                                double experts, double granularity, bool left_out,
                                                double d_model, double layers, double expert_hidden)
{
    const struct shape *shape = &question->model.shape;
    const struct plan_limits *limits = &question->limits;
    const struct law *law = question->model.law;
    struct slow_build build = {d_model, layers, expert_hidden, 0, INFINITY};
    double shared = experts > 1 ? shape->shared_experts : 0;
    double moe_layers = experts > 1 ? layers / shape->moe_layer_freq : 0;
    double routed = moe_layers * (experts * granularity - shared);
    double group = fmax(1, round(1 / shape->kv_ratio));
    double kv_heads = fmax(1, round(d_model / shape->head_dim / group));
    double heads =
        kv_heads > 1 ? kv_heads * group : fmin(group, fmax(1, round(d_model / shape->head_dim)));
    double attention = 2 * d_model * shape->head_dim * (heads + kv_heads);
    double expert = shape->ffn_matrices * d_model * expert_hidden;
    double embedding = shape->embeddings * shape->vocabulary * d_model;
    double working = layers * (attention + granularity * expert);
    double n_active = working + (shape->active_embeddings ? embedding : 0);
    double n_total = working + embedding + moe_layers * (experts - 1) * granularity * expert;
    double beside = (2 * layers + 1) * d_model + routed * d_model;
    double cache = 2 * kv_heads * shape->head_dim * layers * limits->kv_tokens;
    double counted, per_token, least;

    if (experts > 1)
        beside += shared > 0 ? moe_layers * d_model : 2 * layers * shape->head_dim;
    counted = n_active + (left_out ? 0 : beside);
    per_token = 6 * n_active + (law->routing_flops && experts > 1 ? 14 * d_model * routed : 0);
    per_token = fmax(per_token, 6 * (n_active + beside));
    if ((n_total + beside + cache) * limits->bytes_per_param > limits->memory_bytes ||
        (n_total + beside) * limits->train_bytes_per_param > limits->train_memory_bytes ||
        counted > limits->max_n_active)
        return build;
    build.tokens = fmin(limits->max_tokens, limits->max_tokens_per_param * n_active);
    build.tokens = fmin(
        build.tokens, (limits->compute_flops - 2 * counted * limits->inference_tokens) / per_token);
    least = limits->min_tokens_per_param * counted;
    if (least > limits->max_tokens_per_param * n_active)
        least = limits->min_tokens_per_param * n_active;
    if (build.tokens >= fmax(1, least)) {
        const struct law_x x = law_x_from_obs(&(struct obs){.n_active = n_active,
                                                            .n_total = n_total,
                                                            .tokens = build.tokens,
                                                            .experts = experts,
                                                            .granularity = granularity});

        build.loss = law_loss(law, question->model.coefficient, &x);
    }
    return build;
}

/* The least loss there is near a configuration, between 2/3 and 3/2 of its width. */
static inline struct slow_build slow_build_best(const struct plan_question *question,
                                                const struct plan_configuration *c, bool left_out)
{
    const struct shape *shape = &question->model.shape;
    double group = c->experts > 1 ? shape->moe_layer_freq : 1;
    struct slow_build best = {.loss = INFINITY};

    for (double d = 8 * ceil(c->d_model / 12); d <= c->d_model * 1.5; d += 8) {
        double depth = d / shape->d_per_layer, hidden = shape->ffn_ratio * d / c->granularity;

        for (double layers = group * ceil(depth / 2 / group); layers <= 2 * depth; layers += group)
            for (double h = 8 * fmax(1, floor(hidden / 16)); h < 2 * hidden + 8; h += 8) {
                struct slow_build build =
                    slow_build_make(question, c->experts, c->granularity, left_out, d, layers, h);

                if (build.loss < best.loss)
                    best = build;
            }
    }
    return best;
}

#endif
