/* memory: where a model's bytes go, bucket by bucket, each with its formula and source.
 *
 * Serving: weights and KV cache. Training: weights, gradients and optimizer states by recipe,
 * sharded by ZeRO stage over data-parallel ranks, and activations. Pure values.
 */
#ifndef MOEPLAN_CORE_MEMORY_H
#define MOEPLAN_CORE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/transformer.h"

/* Bytes per parameter of an optimizer recipe. */
struct memory_recipe {
    const char *id;
    double weights, gradients, states; /* states: master copy and moments */
    const char *formula, *source;      /* of the states */
};

size_t memory_recipe_count(void);
const struct memory_recipe *memory_recipe_at(size_t index);
const struct memory_recipe *memory_recipe_find(const char *id); /* NULL when unknown */

/* What a training step is like on one device. */
struct memory_training {
    const struct memory_recipe *recipe;
    double ranks;    /* data-parallel, >= 1 */
    int zero_stage;  /* 0: replicated; 1: states, 2: and gradients, 3: and weights sharded */
    double sequence; /* tokens of a sequence */
    double batch;    /* sequences in flight on one device */
    bool recompute;  /* layers keep their input alone and are computed again backwards */
};

struct memory_bucket {
    const char *name;
    double bytes;
    const char *formula, *source;
};

enum { MEMORY_SERVING_BUCKETS = 2, MEMORY_TRAINING_BUCKETS = 4 };

/* weights = N_total·bytes_per_param; kv_cache = elements of one token·kv_tokens·bytes_per_element.
 */
void memory_serving(const struct transformer_count *count, double bytes_per_param, double kv_tokens,
                    double bytes_per_element, struct memory_bucket ret[MEMORY_SERVING_BUCKETS]);

/* Of one device: weights, gradients, optimizer, activations. */
void memory_train(const struct transformer *transformer, const struct transformer_count *count,
                  const struct memory_training *training,
                  struct memory_bucket ret[MEMORY_TRAINING_BUCKETS]);

/* Bytes one token leaves behind in one layer for the backward pass, in 16-bit activations. */
double memory_activation_bytes(const struct transformer *transformer, bool has_experts);

#endif
