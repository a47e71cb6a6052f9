/* footprint: where the bytes of an architecture go, by a training recipe.
 *
 * The rows are those of plans and architectures; sizes that are not given are NAN.
 */
#ifndef MOEPLAN_SERVER_FOOTPRINT_H
#define MOEPLAN_SERVER_FOOTPRINT_H

#include <stdint.h>

#include "core/memory.h"
#include "server/field.h"
#include "server/out.h"

#define FOOTPRINT_SEQUENCE 4096
#define FOOTPRINT_TOKENS_MAX 1e9
#define FOOTPRINT_RANKS_MAX 1e9

/* The recipes of core/memory.h, in their order. */
extern const char *const footprint_optimizers[];

struct footprint_query {
    int optimizer; /* index of a recipe */
    int64_t zero_stage;
    double data_parallel, sequence, micro_batch;
    bool recompute;
};

#define FOOTPRINT_FIELDS(type, member)                                                             \
    {.name = "optimizer",                                                                          \
     .kind = FIELD_CHOICE,                                                                         \
     .offset = offsetof(type, member.optimizer),                                                   \
     .choices = footprint_optimizers,                                                              \
     .fallback = "adam-bf16",                                                                      \
     .help = "The training recipe, which also gives train_bytes_per_param its default."},          \
        {.name = "zero_stage",                                                                     \
         .kind = FIELD_INTEGER,                                                                    \
         .offset = offsetof(type, member.zero_stage),                                              \
         .max = 3,                                                                                 \
         .fallback = "0",                                                                          \
         .help = "ZeRO stage: 1 shards optimizer states, 2 gradients, 3 weights."},                \
        {.name = "data_parallel",                                                                  \
         .kind = FIELD_COUNT,                                                                      \
         .offset = offsetof(type, member.data_parallel),                                           \
         .min = 1,                                                                                 \
         .max = FOOTPRINT_RANKS_MAX,                                                               \
         .whole = true,                                                                            \
         .unit = "ranks",                                                                          \
         .help = "Data-parallel ranks; by default gpus, else 1."},                                 \
        {.name = "sequence",                                                                       \
         .kind = FIELD_COUNT,                                                                      \
         .offset = offsetof(type, member.sequence),                                                \
         .min = 1,                                                                                 \
         .max = FOOTPRINT_TOKENS_MAX,                                                              \
         .whole = true,                                                                            \
         .unit = "tokens",                                                                         \
         .fallback = "4096",                                                                       \
         .help = "Tokens of a training sequence."},                                                \
        {.name = "micro_batch",                                                                    \
         .kind = FIELD_COUNT,                                                                      \
         .offset = offsetof(type, member.micro_batch),                                             \
         .min = 1,                                                                                 \
         .max = FOOTPRINT_TOKENS_MAX,                                                              \
         .whole = true,                                                                            \
         .unit = "sequences",                                                                      \
         .fallback = "1",                                                                          \
         .help = "Sequences in flight on one device."},                                            \
    {                                                                                              \
        .name = "recompute", .kind = FIELD_BOOL, .offset = offsetof(type, member.recompute),       \
        .fallback = "false",                                                                       \
        .help = "Layers keep their input alone and are computed again backwards."                  \
    }

/* The defaults. */
struct footprint_query footprint_default(void);

/* Weights, gradients and optimizer states of the recipe together. */
double footprint_bytes_per_param(const struct footprint_query *query);

/* The member `memory` of a transformer: what serving holds, and one training device. n_total: its
 * parameters, as the caller counts them. gpus: the default of data_parallel, NAN when unknown. */
void footprint_write(struct out *out, const struct footprint_query *query, double gpus,
                     double bytes_per_param, double kv_tokens,
                     const struct transformer *transformer, double n_total);

#endif
