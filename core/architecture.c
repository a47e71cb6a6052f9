#include "core/architecture.h"

#include <math.h>

struct architecture_parts architecture_parts(const struct shape *shape,
                                             const struct architecture *architecture)
{
    const struct architecture *a = architecture;
    double attention = 2 * a->d_model * a->head_dim * (a->heads + a->kv_heads);
    double expert = shape->ffn_matrices * a->d_model * a->expert_hidden;
    double embedding = 0;

    if (shape->embeddings > 0)
        embedding = (a->tied_embeddings ? 1 : 2) * a->vocabulary * a->d_model;
    return (struct architecture_parts){
        .active = shape->active_embeddings ? embedding : 0,
        .active_layer = attention + expert * (a->top_k + a->shared_experts),
        .total = embedding,
        .total_layer = attention + expert * (a->experts + a->shared_experts),
    };
}

void architecture_count(const struct shape *shape, struct architecture *architecture)
{
    struct architecture_parts parts = architecture_parts(shape, architecture);

    architecture->n_active = architecture->layers * parts.active_layer + parts.active;
    architecture->n_total = architecture->layers * parts.total_layer + parts.total;
}

bool architecture_is_whole(double experts, double granularity)
{
    double routed = experts * granularity;

    if (experts == 1)
        return granularity == 1;
    return experts > 1 && granularity >= 1 && granularity == floor(granularity) &&
           routed == floor(routed);
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

struct architecture architecture_make(const struct shape *shape, double d_model, double layers,
                                      double expert_hidden, double experts, double granularity)
{
    /* Query heads in whole groups, one KV head each: any number of heads would have few divisors.
     */
    double group = fmax(1, round(1 / shape->kv_ratio));
    double kv_heads = fmax(1, round(d_model / (shape->head_dim * group)));
    struct architecture a = {
        .layers = layers,
        .d_model = d_model,
        .heads = kv_heads * group,
        .kv_heads = kv_heads,
        .head_dim = shape->head_dim,
        .expert_hidden = expert_hidden,
        .experts = experts * granularity,
        .top_k = granularity,
        .vocabulary = shape->vocabulary,
        .tied_embeddings = shape->embeddings == 1,
    };

    architecture_count(shape, &a);
    return a;
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
                 architecture->layers;
    return flops;
}
