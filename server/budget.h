/* budget: limits as people have them: accelerators and days, or money, for FLOPs; accelerators for
 * bytes.
 *
 *     compute = gpus · peak · mfu · seconds      memory = memory_gpus · memory of one
 *     compute = peak · mfu · 3600 · cost/price_per_gpu_hour
 *
 * The rows are shared by plans and curves. Numbers that are not given are NAN.
 */
#ifndef MOEPLAN_SERVER_BUDGET_H
#define MOEPLAN_SERVER_BUDGET_H

#include "core/gpu.h"
#include "core/plan.h"
#include "server/call.h"
#include "server/field.h"
#include "server/out.h"

/* Utilisation where none is given; and bounds beyond any use, so that no product overflows. */
#define BUDGET_MFU 0.4
#define BUDGET_GPUS_MAX 1e9
#define BUDGET_DAYS_MAX 1e6
#define BUDGET_PRICE_MAX 1e9
#define BUDGET_COST_MAX 1e30

struct budget_query {
    const char *gpu, *memory_gpu;
    double gpus, days, hours, mfu, price_per_gpu_hour, cost, memory_gpus, train_memory_gpus;
};

/* What it comes to; all NAN and NULL where no accelerator was named. */
struct budget {
    const struct gpu *gpu, *server; /* that trains; that serves, where memory_gpus is given */
    double gpus, seconds, mfu, price_per_gpu_hour, cost;
};

#define BUDGET_FIELDS(type, member)                                                                \
    {.name = "gpu",                                                                                \
     .kind = FIELD_TEXT,                                                                           \
     .offset = offsetof(type, member.gpu),                                                         \
     .max = 64,                                                                                    \
     .help = "An accelerator of GET /v1/gpus; with gpus and days or hours instead of compute."},   \
        {.name = "gpus",                                                                           \
         .kind = FIELD_COUNT,                                                                      \
         .offset = offsetof(type, member.gpus),                                                    \
         .min_exclusive = true,                                                                    \
         .max = BUDGET_GPUS_MAX,                                                                   \
         .unit = "accelerators",                                                                   \
         .help = "How many of gpu train."},                                                        \
        {.name = "days",                                                                           \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = offsetof(type, member.days),                                                    \
         .min_exclusive = true,                                                                    \
         .max = BUDGET_DAYS_MAX,                                                                   \
         .unit = "days",                                                                           \
         .help = "How long they train."},                                                          \
        {.name = "hours",                                                                          \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = offsetof(type, member.hours),                                                   \
         .min_exclusive = true,                                                                    \
         .max = 24 * BUDGET_DAYS_MAX,                                                              \
         .unit = "hours",                                                                          \
         .help = "The same in hours."},                                                            \
        {.name = "mfu",                                                                            \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = offsetof(type, member.mfu),                                                     \
         .min_exclusive = true,                                                                    \
         .max = 1,                                                                                 \
         .fallback = "0.4",                                                                        \
         .help = "Model FLOPs utilisation: the part of the peak that training reaches."},          \
        {.name = "price_per_gpu_hour",                                                             \
         .kind = FIELD_NUMBER,                                                                     \
         .offset = offsetof(type, member.price_per_gpu_hour),                                      \
         .min_exclusive = true,                                                                    \
         .max = BUDGET_PRICE_MAX,                                                                  \
         .unit = "any currency",                                                                   \
         .help = "What an hour of one gpu costs; the answer's cost is in the same money."},        \
        {.name = "cost",                                                                           \
         .kind = FIELD_COUNT,                                                                      \
         .offset = offsetof(type, member.cost),                                                    \
         .min_exclusive = true,                                                                    \
         .max = BUDGET_COST_MAX,                                                                   \
         .unit = "the money of price_per_gpu_hour",                                                \
         .help = "What training may cost: with gpu and price_per_gpu_hour instead of compute."},   \
        {.name = "memory_gpus",                                                                    \
         .kind = FIELD_COUNT,                                                                      \
         .offset = offsetof(type, member.memory_gpus),                                             \
         .min_exclusive = true,                                                                    \
         .max = BUDGET_GPUS_MAX,                                                                   \
         .unit = "accelerators",                                                                   \
         .help = "Serving memory as that of so many memory_gpu, instead of memory."},              \
        {.name = "memory_gpu",                                                                     \
         .kind = FIELD_TEXT,                                                                       \
         .offset = offsetof(type, member.memory_gpu),                                              \
         .max = 64,                                                                                \
         .help = "The accelerator that serves; by default gpu."},                                  \
    {                                                                                              \
        .name = "train_memory_gpus", .kind = FIELD_COUNT,                                          \
        .offset = offsetof(type, member.train_memory_gpus), .min_exclusive = true,                 \
        .max = BUDGET_GPUS_MAX, .unit = "accelerators",                                            \
        .help = "Training memory as that of so many gpu, instead of train_memory."                 \
    }

/* Nothing given. */
struct budget_query budget_default(void);

/* Fills the limits that the query gives and *ret. needs_compute: a budget must come to FLOPs.
 * Faults go to call->err: what is given twice names both, a partner that lacks is named. Returns
 * whether there is a budget, faulty or not. */
bool budget_apply(struct call *call, const struct budget_query *query, bool needs_compute,
                  struct plan_limits *limits, struct budget *ret);

/* The limits in the words of the query, for refusals, in the arena; NULL where all are in base
 * units, or it is full. */
const struct plan_wording *budget_wording(const struct budget_query *query,
                                          const struct budget *budget, struct arena *arena);

/* The members gpu, gpus, seconds, mfu, price_per_gpu_hour, cost into `constraints`, where given. */
void budget_write(struct out *out, const struct budget *budget);

/* The member `training`: what training this many FLOPs takes: gpu_hours, and days and cost where
 * gpus and a price are known; null without a gpu. */
void budget_write_training(struct out *out, const struct budget *budget, double train_flops);

#endif
