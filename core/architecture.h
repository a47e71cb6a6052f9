/* architecture: a transformer one can launch, rounded to what hardware likes.
 *
 * Integer layers and sizes, counted exactly: embedding, attention, router, experts, shared experts,
 * norms. Copyable values, no allocation.
 */
#ifndef MOEPLAN_CORE_ARCHITECTURE_H
#define MOEPLAN_CORE_ARCHITECTURE_H

#include <stdbool.h>

#include "core/shape.h"

struct architecture {
    double layers, d_model, heads, kv_heads, head_dim, expert_hidden;
    double experts; /* routed experts in a layer, E·G; 1 when dense */
    double top_k;   /* routed experts a token goes to, G; 1 when dense */
    double shared_experts;
    double vocabulary;
    bool tied_embeddings;
    double n_active, n_total; /* the shape's counting convention, from the integers above */
    double tokens, loss;      /* re-evaluated at these counts */
};

/* n_active and n_total of the integers, as the shape counts (router neglected, like the laws). */
void architecture_count(const struct shape *shape, struct architecture *architecture);

#endif
