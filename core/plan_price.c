#include "core/plan_price.h"

#include <math.h>

/* The smallest model is a bound without a name: met like the named ones. */
static const double met_tolerance = 1e-9;

/* One binding bound g <= limit as ln g sees it, and its multiplier. */
struct row {
    int limit;              /* of plan_limit, or -1 for the smallest model */
    double by_d, by_tokens; /* ∂ ln g/∂ ln d_model, ∂ ln g/∂ ln tokens */
    double multiplier;
};

struct point {
    double loss, loss_by_d, loss_by_tokens; /* by logarithms */
    double active, served, total;           /* elasticities by d_model */
    double compute, compute_by_d, compute_by_tokens;
};

static struct point point_at(const struct plan_cell *cell, double d_model, double tokens)
{
    const struct law_slice *slice = &cell->slice;
    struct plan_moments size = plan_poly_moments(&cell->size, d_model);
    struct plan_moments flops = plan_poly_moments(&cell->flops, d_model);
    struct plan_moments active = plan_poly_moments(&cell->active, d_model);
    double train = flops.value * tokens;
    double inference =
        SHAPE_INFERENCE_FLOPS_PER_PARAM * active.value * cell->limits->inference_tokens;
    struct point point = {
        .loss = plan_cell_loss(cell, d_model, tokens),
        .loss_by_tokens = slice->nu * slice->n * pow(tokens, slice->nu),
        .active = active.elasticity,
        .served = plan_poly_moments(&cell->served, d_model).elasticity,
        .total = plan_poly_moments(&cell->total, d_model).elasticity,
        .compute = train + inference,
    };

    for (size_t j = 0; j < slice->n_size_terms; j++)
        point.loss_by_d +=
            slice->mu[j] * slice->m[j] * pow(size.value, slice->mu[j]) * size.elasticity;
    point.compute_by_d = (train * flops.elasticity + inference * active.elasticity) / point.compute;
    point.compute_by_tokens = train / point.compute;
    return point;
}

/* The rows of the limits that bind. The objective's own quantity is no bound on itself. */
static size_t rows_at(const struct plan_question *question, const struct plan_cell *cell,
                      const struct point *at, double d_model, double tokens, unsigned binding,
                      struct row *rows)
{
    const struct row all[PLAN_LIMIT_COUNT] = {
        [PLAN_LIMIT_COMPUTE] = {PLAN_LIMIT_COMPUTE, at->compute_by_d, at->compute_by_tokens, 0},
        [PLAN_LIMIT_MEMORY] = {PLAN_LIMIT_MEMORY, at->served, 0, 0},
        [PLAN_LIMIT_TRAIN_MEMORY] = {PLAN_LIMIT_TRAIN_MEMORY, at->total, 0, 0},
        [PLAN_LIMIT_MAX_TOKENS] = {PLAN_LIMIT_MAX_TOKENS, 0, 1, 0},
        [PLAN_LIMIT_MAX_N_ACTIVE] = {PLAN_LIMIT_MAX_N_ACTIVE, at->active, 0, 0},
        [PLAN_LIMIT_MIN_TOKENS_PER_PARAM] = {PLAN_LIMIT_MIN_TOKENS_PER_PARAM, at->active, -1, 0},
        [PLAN_LIMIT_MAX_TOKENS_PER_PARAM] = {PLAN_LIMIT_MAX_TOKENS_PER_PARAM, -at->active, 1, 0},
        [PLAN_LIMIT_TARGET_LOSS] = {PLAN_LIMIT_TARGET_LOSS, at->loss_by_d / at->loss,
                                    at->loss_by_tokens / at->loss, 0},
    };
    size_t count = 0;

    if (question->objective == PLAN_LEAST_COMPUTE)
        binding &= ~(1U << PLAN_LIMIT_COMPUTE);
    if (question->objective == PLAN_LEAST_MEMORY)
        binding &= ~(1U << PLAN_LIMIT_MEMORY);
    for (size_t k = 0; k < PLAN_LIMIT_COUNT; k++)
        if (binding & 1U << k)
            rows[count++] = all[k];
    if (d_model <= cell->d_min * (1 + met_tolerance))
        rows[count++] = (struct row){-1, -1, 0, 0};
    if (tokens <= 1 + met_tolerance)
        rows[count++] = (struct row){-1, 0, -1, 0};
    return count;
}

/* Multipliers >= 0 with gradient + Σ multiplier·row = 0. One row: by least squares, exact at a
 * stationary point. More: two independent ones carry it all. */
static void solve_multipliers(double by_d, double by_tokens, struct row *rows, size_t count)
{
    if (count == 1) {
        double square = rows[0].by_d * rows[0].by_d + rows[0].by_tokens * rows[0].by_tokens;

        rows[0].multiplier = -(by_d * rows[0].by_d + by_tokens * rows[0].by_tokens) / square;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            const struct row *a = &rows[i], *b = &rows[j];
            double det = a->by_d * b->by_tokens - a->by_tokens * b->by_d;
            double x = (by_tokens * b->by_d - by_d * b->by_tokens) / det;
            double y = (by_d * a->by_tokens - by_tokens * a->by_d) / det;
            double slack = -1e-6 * (fabs(by_d) + fabs(by_tokens));

            if (fabs(det) > 1e-9 && x >= slack && y >= slack) {
                rows[i].multiplier = fmax(0, x);
                rows[j].multiplier = fmax(0, y);
                return;
            }
        }
    }
}

void plan_price(const struct plan_question *question, const struct plan_cell *cell, double d_model,
                double tokens, unsigned binding, double ret_price[PLAN_LIMIT_COUNT])
{
    const struct plan_limits *limits = &question->limits;
    const double value[PLAN_LIMIT_COUNT] = {
        [PLAN_LIMIT_COMPUTE] = limits->compute_flops,
        [PLAN_LIMIT_MEMORY] = limits->memory_bytes,
        [PLAN_LIMIT_TRAIN_MEMORY] = limits->train_memory_bytes,
        [PLAN_LIMIT_MAX_TOKENS] = limits->max_tokens,
        [PLAN_LIMIT_MAX_N_ACTIVE] = limits->max_n_active,
        [PLAN_LIMIT_MIN_TOKENS_PER_PARAM] =
            limits->min_tokens_per_param > 0 ? limits->min_tokens_per_param : INFINITY,
        [PLAN_LIMIT_MAX_TOKENS_PER_PARAM] = limits->max_tokens_per_param,
        [PLAN_LIMIT_TARGET_LOSS] =
            question->objective == PLAN_LEAST_LOSS ? INFINITY : question->target_loss,
    };
    struct point at = point_at(cell, d_model, tokens);
    struct row rows[PLAN_LIMIT_COUNT + 2];
    size_t count = rows_at(question, cell, &at, d_model, tokens, binding, rows);
    double by_d = at.loss_by_d, by_tokens = at.loss_by_tokens, scale = 1;

    if (question->objective == PLAN_LEAST_COMPUTE) {
        by_d = at.compute_by_d;
        by_tokens = at.compute_by_tokens;
        scale = at.compute;
    } else if (question->objective == PLAN_LEAST_MEMORY) {
        by_d = at.served;
        by_tokens = 0;
        scale = plan_poly_at(&cell->served, d_model);
    }
    solve_multipliers(by_d, by_tokens, rows, count);
    for (size_t k = 0; k < PLAN_LIMIT_COUNT; k++)
        ret_price[k] = value[k] < INFINITY ? 0 : NAN;
    for (size_t i = 0; i < count; i++) {
        /* Only a floor gets dearer the higher it stands. */
        double sign = rows[i].limit == PLAN_LIMIT_MIN_TOKENS_PER_PARAM ? 1 : -1;

        if (rows[i].limit >= 0 && rows[i].multiplier > 0)
            ret_price[rows[i].limit] = sign * rows[i].multiplier * scale / value[rows[i].limit];
    }
}
