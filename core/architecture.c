#include "core/architecture.h"

#include <math.h>
#include <stddef.h>

struct architecture_parts architecture_parts(const struct shape *shape,
                                             const struct architecture *architecture)
{
    const struct architecture *a = architecture;
    double attention = 2 * a->d_model * a->head_dim * (a->heads + a->kv_heads);
    double expert = shape->ffn_matrices * a->d_model * a->expert_hidden;
    double used = expert * (a->top_k + a->shared_experts);
    double idle = expert * (a->experts - a->top_k);
    double group = a->moe_layer_freq * (attention + used);
    double norms = architecture_qk_norm(a) ? 2 * a->d_model + 2 * a->head_dim : 2 * a->d_model;
    double router = a->experts > 1 ? a->experts + (a->shared_experts > 0 ? 1 : 0) : 0;
    double embedding = 0;

    if (shape->embeddings > 0)
        embedding = (a->tied_embeddings ? 1 : 2) * a->vocabulary * a->d_model;
    return (struct architecture_parts){
        .active = shape->active_embeddings ? embedding : 0,
        .active_group = group,
        .total = embedding,
        .total_group = group + idle,
        .uncounted = a->d_model,
        .uncounted_group = a->moe_layer_freq * norms + router * a->d_model,
    };
}

void architecture_count(const struct shape *shape, struct architecture *architecture)
{
    struct architecture_parts parts = architecture_parts(shape, architecture);

    double groups = architecture->layers / architecture->moe_layer_freq;

    architecture->n_active = groups * parts.active_group + parts.active;
    architecture->n_total = groups * parts.total_group + parts.total;
}

const char *architecture_fault(const struct shape *shape, double experts, double granularity)
{
    double all = experts * granularity;

    if (experts == 1 && granularity == 1)
        return NULL;
    if (!(experts > 1) || !(granularity >= 1) || granularity != floor(granularity) ||
        all != floor(all))
        return "E·G experts, G of them at work, are not whole numbers";
    return granularity > shape->shared_experts
               ? NULL
               : "shared_experts leave none of the G experts at work for the router to choose";
}

double architecture_multiple(double width)
{
    return width >= 8192 ? 256 : width >= 4096 ? 128 : width >= 256 ? 64 : 8;
}

double architecture_expert_hidden(const struct shape *shape, double d_model, double granularity)
{
    double width = shape->ffn_ratio * d_model / granularity;
    double multiple = architecture_multiple(width);

    return fmax(multiple, multiple * round(width / multiple));
}

struct architecture architecture_draft(const struct shape *shape, double d_model, double layers,
                                       double expert_hidden, double experts, double granularity)
{
    /* Query heads in whole groups, one KV head each: any number of heads would have few divisors.
     * A width without room for a whole group has what it has room for. */
    double group = fmax(1, round(1 / shape->kv_ratio));
    double kv_heads = fmax(1, round(d_model / (shape->head_dim * group)));
    double heads = fmax(1, round(d_model / shape->head_dim));
    bool dense = experts == 1;
    double shared = dense ? 0 : shape->shared_experts;

    return (struct architecture){
        .layers = layers,
        .d_model = d_model,
        .heads = kv_heads == 1 ? fmin(group, heads) : kv_heads * group,
        .kv_heads = kv_heads,
        .head_dim = shape->head_dim,
        .expert_hidden = expert_hidden,
        .experts = experts * granularity - shared,
        .top_k = granularity - shared,
        .shared_experts = shared,
        .moe_layer_freq = dense ? 1 : shape->moe_layer_freq,
        .vocabulary = shape->vocabulary,
        .tied_embeddings = shape->embeddings == 1,
    };
}

struct architecture architecture_make(const struct shape *shape, double d_model, double layers,
                                      double expert_hidden, double experts, double granularity)
{
    struct architecture a =
        architecture_draft(shape, d_model, layers, expert_hidden, experts, granularity);

    architecture_count(shape, &a);
    return a;
}

bool architecture_qk_norm(const struct architecture *architecture)
{
    return architecture->experts > 1 && architecture->shared_experts == 0;
}

double architecture_dense_hidden(const struct architecture *architecture)
{
    return architecture->expert_hidden * (architecture->top_k + architecture->shared_experts);
}

double architecture_kv_elements(const struct architecture *architecture, double kv_tokens)
{
    return 2 * architecture->kv_heads * architecture->head_dim * architecture->layers * kv_tokens;
}

double architecture_flops_per_token(const struct architecture *architecture, bool routing)
{
    double flops = SHAPE_TRAIN_FLOPS_PER_PARAM * architecture->n_active;

    if (routing && architecture->experts > 1)
        flops += SHAPE_ROUTING_FLOPS * architecture->d_model * architecture->experts *
                 (architecture->layers / architecture->moe_layer_freq);
    return flops;
}
