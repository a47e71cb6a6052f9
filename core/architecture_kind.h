/* architecture_kind: what all sizes of a shape, E and G have in common, so that one is counted by a
 * few products.
 *
 * Copyable values, no allocation. What is called for every size that is tried is inline.
 */
#ifndef MOEPLAN_CORE_ARCHITECTURE_KIND_H
#define MOEPLAN_CORE_ARCHITECTURE_KIND_H

#include <stdint.h>

#include "core/architecture.h"

struct architecture_kind {
    double head_dim, group_heads; /* query heads that share one for keys and values */
    double experts, top_k, shared_experts, moe_layer_freq, vocabulary; /* as in architecture */
    bool tied_embeddings;
    double active_width, total_width; /* parameters outside the layers, a unit of d_model */
    double used, idle;                /* of a group's experts, a unit of d_model·expert_hidden */
    double beside_width, beside;      /* uncounted of a group: a unit of d_model, and constant */
};
void architecture_kind_init(struct architecture_kind *kind, const struct shape *shape,
                            double experts, double granularity);

/* The same of an architecture's own numbers, but for the heads in a group. */
void architecture_kind_of(struct architecture_kind *kind, const struct shape *shape,
                          const struct architecture *architecture);

/* A size of it, counted. */
struct architecture architecture_kind_size(const struct architecture_kind *kind, double d_model,
                                           double layers, double expert_hidden);

/* Heads of head_dim for a whole d_model: in groups of the whole number nearest the shape's
 * 1/kv_ratio, each with one head for keys and values; any number of heads would have few divisors.
 * A width without room for a whole group has what it has room for. */
struct architecture_heads {
    double query, kv;
};

/* The whole number nearest to x >= 0, at least 1. */
static inline double architecture_whole(double x)
{
    return x < 1.5 ? 1 : (double)(int64_t)(x + 0.5);
}

static inline struct architecture_heads architecture_heads(const struct architecture_kind *kind,
                                                           double d_model)
{
    double group = kind->group_heads;
    double kv = architecture_whole(d_model / (kind->head_dim * group));
    double query = kv * group;

    if (kv == 1 && group > 1) {
        double room = architecture_whole(d_model / kind->head_dim);

        query = room < group ? room : group;
    }
    return (struct architecture_heads){.query = query, .kv = kv};
}

static inline struct architecture_parts
architecture_kind_parts(const struct architecture_kind *kind, double d_model,
                        struct architecture_heads heads, double expert_hidden)
{
    double attention = 2 * d_model * kind->head_dim * (heads.query + heads.kv);
    double area = d_model * expert_hidden;
    double group = kind->moe_layer_freq * attention + kind->used * area;

    return (struct architecture_parts){
        .active = kind->active_width * d_model,
        .active_group = group,
        .total = kind->total_width * d_model,
        .total_group = group + kind->idle * area,
        .uncounted = d_model,
        .uncounted_group = kind->beside_width * d_model + kind->beside,
    };
}

#endif
