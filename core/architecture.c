#include "core/architecture.h"

void architecture_count(const struct shape *shape, struct architecture *architecture)
{
    const struct architecture *a = architecture;
    double attention = 2 * a->d_model * a->head_dim * (a->heads + a->kv_heads);
    double expert = shape->ffn_matrices * a->d_model * a->expert_hidden;
    double embedding = 0;

    if (shape->embeddings > 0)
        embedding = (a->tied_embeddings ? 1 : 2) * a->vocabulary * a->d_model;
    architecture->n_active = a->layers * (attention + expert * (a->top_k + a->shared_experts)) +
                             (shape->active_embeddings ? embedding : 0);
    architecture->n_total =
        a->layers * (attention + expert * (a->experts + a->shared_experts)) + embedding;
}
