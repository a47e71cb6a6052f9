#include "core/curve.h"

#include <assert.h>
#include <math.h>

#include "core/plan_draws.h"
#include "core/plan_least.h"

/* The decades shown to either side of the least loss. */
static const double isoflop_decades = 1;

enum isoflop_column {
    ISOFLOP_EXPERTS,
    ISOFLOP_GRANULARITY,
    ISOFLOP_N_ACTIVE,
    ISOFLOP_N_TOTAL,
    ISOFLOP_D_MODEL,
    ISOFLOP_TOKENS,
    ISOFLOP_LOSS,
    ISOFLOP_LOSS_LOW,
    ISOFLOP_LOSS_HIGH,
    ISOFLOP_FEASIBLE,
    ISOFLOP_OPTIMUM,
    ISOFLOP_EXTRAPOLATES,
    ISOFLOP_COLUMNS
};

static const char *const isoflop_names[ISOFLOP_COLUMNS] = {
    "experts", "granularity", "n_active",  "n_total",  "d_model", "tokens",
    "loss",    "loss_low",    "loss_high", "feasible", "optimum", "extrapolates",
};

/* Columns of up to n_rows rows; n_rows is then counted up as they are filled. */
static bool curve_alloc(struct curve *curve, struct arena *arena, size_t n_rows,
                        const char *const *names, size_t n_columns)
{
    double *block = arena_alloc(arena, n_rows * n_columns * sizeof *block);

    assert(n_columns <= CURVE_COLUMNS_MAX);
    if (!block)
        return false;
    *curve = (struct curve){.n_columns = n_columns};
    for (size_t k = 0; k < n_columns; k++) {
        curve->column[k] = names[k];
        curve->value[k] = block + k * n_rows;
    }
    return true;
}

static bool is_outside(const struct plan_model *model, const struct plan_configuration *c)
{
    struct plan_extrapolation ignored[LAW_VARIABLE_COUNT];
    const double value[LAW_VARIABLE_COUNT] = {
        [LAW_N_ACTIVE] = c->n_active, [LAW_N_TOTAL] = c->n_total,         [LAW_TOKENS] = c->tokens,
        [LAW_EXPERTS] = c->experts,   [LAW_GRANULARITY] = c->granularity,
    };

    return plan_extrapolates(model->range, value, ignored) > 0;
}

/* One row: the configuration at d_model with these tokens. */
static void isoflop_row(const struct plan_question *question, const struct plan_cell *cell,
                        struct plan_draws *draws, double d_model, double tokens, bool optimum,
                        struct curve *curve)
{
    size_t row = curve->n_rows++;
    double used[PLAN_LIMIT_COUNT], interval[2] = {NAN, NAN};
    struct plan_configuration c = {
        .experts = cell->experts,
        .granularity = cell->granularity,
        .n_active = plan_poly_at(&cell->active, d_model),
        .n_total = plan_poly_at(&cell->total, d_model),
        .d_model = d_model,
        .tokens = tokens > 0 ? tokens : NAN,
    };
    bool feasible = tokens >= 1 && plan_cell_broken(cell, d_model, tokens, used) == 0;

    c.loss = tokens > 0 ? plan_cell_loss(cell, d_model, tokens) : NAN;
    if (tokens > 0 && draws->count > 0)
        plan_draws_interval(draws, plan_poly_at(&cell->size, d_model), tokens, question->level,
                            interval);
    curve->value[ISOFLOP_EXPERTS][row] = c.experts;
    curve->value[ISOFLOP_GRANULARITY][row] = c.granularity;
    curve->value[ISOFLOP_N_ACTIVE][row] = c.n_active;
    curve->value[ISOFLOP_N_TOTAL][row] = c.n_total;
    curve->value[ISOFLOP_D_MODEL][row] = c.d_model;
    curve->value[ISOFLOP_TOKENS][row] = c.tokens;
    curve->value[ISOFLOP_LOSS][row] = isfinite(c.loss) ? c.loss : NAN;
    curve->value[ISOFLOP_LOSS_LOW][row] = interval[0];
    curve->value[ISOFLOP_LOSS_HIGH][row] = interval[1];
    curve->value[ISOFLOP_FEASIBLE][row] = feasible || optimum;
    curve->value[ISOFLOP_OPTIMUM][row] = optimum;
    curve->value[ISOFLOP_EXTRAPOLATES][row] = is_outside(&question->model, &c);
}

/* The cell of the best G of one E under the limits, and its point. */
static bool best_granularity(const struct plan_question *question, const struct plan_limits *limits,
                             double experts, struct plan_cell *ret_cell,
                             struct plan_point *ret_point)
{
    bool any = false;

    for (size_t j = 0; j < question->n_granularity && (j == 0 || experts > 1); j++) {
        struct plan_cell cell;
        struct plan_point point;

        plan_cell_init(&cell, &question->model, limits, experts, question->granularity[j]);
        if (j == 0)
            *ret_cell = cell;
        if (plan_least_loss(&cell, &point) != PLAN_FOUND || (any && point.loss >= ret_point->loss))
            continue;
        *ret_cell = cell;
        *ret_point = point;
        any = true;
    }
    return any;
}

/* The rows of one E. */
static enum err_code isoflop_experts(const struct plan_question *question, double experts,
                                     size_t points, double low, double high, struct arena *arena,
                                     struct curve *curve, struct err *err)
{
    const struct plan_limits *limits = &question->limits;
    struct plan_limits compute_only = plan_limits_none();
    struct plan_point point = {.d_model = question->model.shape.d_per_layer};
    struct plan_cell cell;
    struct plan_draws draws;
    double centre, optimum = INFINITY;

    compute_only.compute_flops = limits->compute_flops;
    compute_only.inference_tokens = limits->inference_tokens;
    if (best_granularity(question, limits, experts, &cell, &point))
        optimum = point.d_model;
    else if (best_granularity(question, &compute_only, experts, &cell, &point))
        plan_cell_init(&cell, &question->model, limits, experts, cell.granularity);
    if (!plan_draws_init(&draws, &question->model, experts, cell.granularity, arena))
        return err_set(err, ERR_NO_MEMORY, "no room for the draws of one curve");

    centre = plan_poly_at(&cell.active, point.d_model);
    low = isnan(low) ? centre * pow(10, -isoflop_decades) : low;
    high = isnan(high) ? centre * pow(10, isoflop_decades) : high;
    for (size_t i = 0; i < points; i++) {
        double n = low * pow(high / low, (double)i / (double)(points - 1));
        double d = plan_poly_root(&cell.active, n);

        if (d >= optimum) {
            isoflop_row(question, &cell, &draws, optimum, point.tokens, true, curve);
            optimum = INFINITY;
        }
        isoflop_row(question, &cell, &draws, d, plan_cell_tokens_by_compute(&cell, d), false,
                    curve);
    }
    if (optimum < INFINITY)
        isoflop_row(question, &cell, &draws, optimum, point.tokens, true, curve);
    return ERR_OK;
}

enum err_code curve_isoflop(const struct plan_question *question, size_t points,
                            double n_active_min, double n_active_max, struct arena *arena,
                            struct curve *ret_curve, struct err *err)
{
    struct curve curve;
    enum err_code code =
        plan_check_model(&question->model, question->experts, question->n_experts, err);

    assert(points >= 2 && points <= CURVE_POINTS_MAX);
    if (code != ERR_OK)
        return code;
    if (question->limits.compute_flops == INFINITY)
        return err_add(err, ERR_UNBOUNDED, ERR_AT_PARAMETER, "compute", 0,
                       "a curve of equal compute needs compute");
    if (!curve_alloc(&curve, arena, question->n_experts * (points + 1), isoflop_names,
                     ISOFLOP_COLUMNS))
        return err_set(err, ERR_NO_MEMORY, "no room for %zu points", points);
    for (size_t i = 0; i < question->n_experts && code == ERR_OK; i++)
        code = isoflop_experts(question, question->experts[i], points, n_active_min, n_active_max,
                               arena, &curve, err);
    if (code == ERR_OK)
        *ret_curve = curve;
    return code;
}
