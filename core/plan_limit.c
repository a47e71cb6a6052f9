#include "core/plan_limit.h"

#include <assert.h>
#include <math.h>

/* Of rounding in a division, so that 30 is not named 30.00001. */
static const double rounding = 1e-14;

const struct plan_limit_row plan_limit_rows[PLAN_LIMIT_ROWS] = {
    {PLAN_LIMIT_COMPUTE, offsetof(struct plan_limits, compute_flops), "FLOPs", false},
    {PLAN_LIMIT_MEMORY, offsetof(struct plan_limits, memory_bytes), "bytes", false},
    {PLAN_LIMIT_TRAIN_MEMORY, offsetof(struct plan_limits, train_memory_bytes), "bytes", false},
    {PLAN_LIMIT_MAX_TOKENS, offsetof(struct plan_limits, max_tokens), "tokens", false},
    {PLAN_LIMIT_MAX_N_ACTIVE, offsetof(struct plan_limits, max_n_active), "parameters", false},
    {PLAN_LIMIT_MIN_TOKENS_PER_PARAM, offsetof(struct plan_limits, min_tokens_per_param),
     "tokens per active parameter", true},
    {PLAN_LIMIT_MAX_TOKENS_PER_PARAM, offsetof(struct plan_limits, max_tokens_per_param),
     "tokens per active parameter", false},
};

double *plan_limit_at(struct plan_limits *limits, const struct plan_limit_row *row)
{
    return (double *)(void *)((char *)limits + row->offset);
}

/* The unit of the last digit. */
static double digit_of(double value)
{
    return pow(10, floor(log10(value)) - (PLAN_LIMIT_DIGITS - 1));
}

double plan_limit_round(double value, bool up)
{
    double digit = digit_of(value), count = value / digit;

    return digit * (up ? ceil(count * (1 - rounding)) : floor(count * (1 + rounding)));
}

double plan_limit_next(double rounded)
{
    double digit = digit_of(rounded * (1 + rounding));

    return digit * (round(rounded / digit) + 1);
}

const char *plan_limit_name(enum plan_limit limit)
{
    static const char *const names[PLAN_LIMIT_COUNT] = {
        [PLAN_LIMIT_COMPUTE] = "compute",
        [PLAN_LIMIT_MEMORY] = "memory",
        [PLAN_LIMIT_TRAIN_MEMORY] = "train_memory",
        [PLAN_LIMIT_MAX_TOKENS] = "max_tokens",
        [PLAN_LIMIT_MAX_N_ACTIVE] = "max_n_active",
        [PLAN_LIMIT_MIN_TOKENS_PER_PARAM] = "min_tokens_per_param",
        [PLAN_LIMIT_MAX_TOKENS_PER_PARAM] = "max_tokens_per_param",
        [PLAN_LIMIT_TARGET_LOSS] = "target_loss",
    };

    assert(limit < PLAN_LIMIT_COUNT);
    return names[limit];
}

struct plan_limits plan_limits_none(void)
{
    return (struct plan_limits){
        .compute_flops = INFINITY,
        .memory_bytes = INFINITY,
        .bytes_per_param = 2,
        .train_memory_bytes = INFINITY,
        .train_bytes_per_param = 16,
        .max_tokens = INFINITY,
        .max_n_active = INFINITY,
        .max_tokens_per_param = INFINITY,
    };
}
