#include "core/curve.h"

#include <assert.h>
#include <math.h>

#include "core/curve_table.h"

/* Numbers of experts closer than this, relative, are one. */
static const double same = 1e-9;

static enum err_code no_room(struct err *err, size_t points)
{
    return err_set(err, ERR_NO_MEMORY, "no room for a curve of %zu points", points);
}

static enum err_code check(const struct plan_question *question, size_t points, struct err *err)
{
    assert(points >= 2 && points <= CURVE_POINTS_MAX);
    return plan_check_model(&question->model, question->experts, question->n_experts, err);
}

enum err_code curve_optimum(const struct plan_question *question, struct arena *arena,
                            struct plan_configuration *ret_optimum, struct err *err)
{
    struct plan_question bare = *question;
    struct plan_answer answer;
    enum err_code code;

    bare.parts = 0;
    bare.objective = PLAN_LEAST_LOSS;
    code = plan_solve(&bare, arena, &answer, err);
    if (code == ERR_OK)
        *ret_optimum = answer.optimum;
    return code;
}

/* ---- Loss over model size ---------------------------------------------------------------------
 */

static struct plan_limits compute_alone(const struct plan_limits *limits)
{
    struct plan_limits alone = plan_limits_none();

    alone.compute_flops = limits->compute_flops;
    alone.inference_tokens = limits->inference_tokens;
    return alone;
}

static void isoflop_rows(struct curve_table *table, double experts, size_t points, double low,
                         double high)
{
    const struct plan_question *question = table->question;
    const struct plan_limits *limits = &question->limits;
    struct plan_limits compute_only = compute_alone(limits);
    struct curve_cell at;
    double centre, optimum = INFINITY;

    if (curve_best_cell(question, limits, experts, &at)) {
        optimum = at.point.d_model;
    } else if (curve_best_cell(question, &compute_only, experts, &at)) {
        plan_cell_init(&at.cell, &question->model, limits, experts, at.cell.granularity);
    } else {
        at.point.d_model = at.cell.d_min;
    }
    centre = plan_poly_at(&at.cell.active, at.point.d_model);
    low = isnan(low) ? centre / CURVE_REACH : low;
    high = isnan(high) ? centre * CURVE_REACH : high;
    for (size_t i = 0; i < points; i++) {
        double n_active = curve_log_point(low, high, i, points);
        double d = plan_poly_root(&at.cell.active, n_active);

        if (d >= optimum) {
            curve_table_row(table, &at, optimum, NAN, at.point.tokens, true);
            optimum = INFINITY;
        }
        curve_table_row(table, &at, d, n_active, plan_cell_tokens_by_compute(&at.cell, d), false);
    }
    if (optimum < INFINITY)
        curve_table_row(table, &at, optimum, NAN, at.point.tokens, true);
}

enum err_code curve_isoflop(const struct plan_question *question, size_t points,
                            double n_active_min, double n_active_max, struct arena *arena,
                            struct curve *ret_curve, struct err *err)
{
    enum err_code code = check(question, points, err);
    struct plan_question by_compute = *question;
    struct plan_configuration ignored;
    struct curve_table table;

    if (code != ERR_OK)
        return code;
    if (question->limits.compute_flops == INFINITY)
        return err_add(err, ERR_UNBOUNDED, ERR_AT_PARAMETER, "compute", 0,
                       "a curve of equal compute needs compute");
    /* Beyond other limits rows are marked; beyond compute there are none. */
    by_compute.limits = compute_alone(&question->limits);
    code = curve_optimum(&by_compute, arena, &ignored, err);
    if (code != ERR_OK)
        return code;
    if (!curve_table_init(&table, question, arena, question->n_experts * (points + 1)))
        return no_room(err, points);
    for (size_t i = 0; i < question->n_experts; i++)
        isoflop_rows(&table, question->experts[i], points, n_active_min, n_active_max);
    *ret_curve = table.curve;
    return ERR_OK;
}

/* ---- Loss over tokens -------------------------------------------------------------------------
 */

static void tokens_rows(struct curve_table *table, const struct curve_cell *at, size_t points,
                        double low, double high)
{
    double optimum = at->point.tokens;

    low = isnan(low) ? optimum / CURVE_REACH : low;
    high = isnan(high) ? optimum * CURVE_REACH : high;
    for (size_t i = 0; i < points; i++) {
        double tokens = curve_log_point(low, high, i, points);

        if (tokens >= optimum) {
            curve_table_row(table, at, at->point.d_model, NAN, optimum, true);
            optimum = INFINITY;
        }
        curve_table_row(table, at, at->point.d_model, NAN, tokens, false);
    }
    if (optimum < INFINITY)
        curve_table_row(table, at, at->point.d_model, NAN, optimum, true);
}

enum err_code curve_tokens(const struct plan_question *question, size_t points, double tokens_min,
                           double tokens_max, struct arena *arena, struct curve *ret_curve,
                           struct err *err)
{
    struct plan_configuration optimum;
    enum err_code code = check(question, points, err);
    struct curve_table table;

    if (code == ERR_OK)
        code = curve_optimum(question, arena, &optimum, err);
    if (code != ERR_OK)
        return code;
    if (!curve_table_init(&table, question, arena, question->n_experts * (points + 1)))
        return no_room(err, points);
    for (size_t i = 0; i < question->n_experts; i++) {
        struct curve_cell at;

        if (curve_best_cell(question, &question->limits, question->experts[i], &at))
            tokens_rows(&table, &at, points, tokens_min, tokens_max);
    }
    *ret_curve = table.curve;
    return ERR_OK;
}

/* ---- Loss over experts ------------------------------------------------------------------------
 */

static void experts_row(struct curve_table *table, double experts,
                        const struct plan_configuration *optimum)
{
    struct curve_cell at;

    if (curve_best_cell(table->question, &table->question->limits, experts, &at))
        curve_table_row(table, &at, at.point.d_model, NAN, at.point.tokens,
                        experts == optimum->experts);
}

enum err_code curve_experts(const struct plan_question *question, size_t points,
                            struct arena *arena, struct curve *ret_curve, struct err *err)
{
    double low = question->experts[0], high = question->experts[question->n_experts - 1];
    struct plan_configuration optimum;
    enum err_code code = check(question, points, err);
    struct curve_table table;
    size_t next = 0;

    if (code == ERR_OK)
        code = curve_optimum(question, arena, &optimum, err);
    if (code != ERR_OK)
        return code;
    if (!curve_table_init(&table, question, arena, question->n_experts + points))
        return no_room(err, points);
    /* Both lists ascend and are merged; what is in both, but for rounding, is shown once. */
    for (size_t i = 0; i < points; i++) {
        double experts = curve_log_point(low, high, i, points);

        for (; next < question->n_experts && question->experts[next] <= experts * (1 + same);
             next++)
            experts_row(&table, question->experts[next], &optimum);
        if (question->experts[next - 1] < experts * (1 - same))
            experts_row(&table, experts, &optimum);
    }
    *ret_curve = table.curve;
    return ERR_OK;
}

/* ---- The optimum over compute -----------------------------------------------------------------
 */

static void frontier_row(struct curve_table *table, const struct plan_limits *limits)
{
    const struct plan_question *question = table->question;
    struct curve_cell best = {.point = {.loss = INFINITY}};

    for (size_t i = 0; i < question->n_experts; i++) {
        struct curve_cell at;

        if (curve_best_cell(question, limits, question->experts[i], &at) &&
            at.point.loss < best.point.loss)
            best = at;
    }
    if (best.point.loss < INFINITY)
        curve_table_row(table, &best, best.point.d_model, NAN, best.point.tokens, true);
}

/* Why not even the greatest budget, with the most memory, has a row. */
static enum err_code refuse_frontier(const struct plan_question *question, double compute_flops,
                                     double memory_bytes, struct arena *arena, struct err *err)
{
    struct plan_question greatest = *question;
    struct plan_configuration ignored;

    greatest.limits.compute_flops = compute_flops;
    greatest.limits.memory_bytes = memory_bytes;
    return curve_optimum(&greatest, arena, &ignored, err);
}

enum err_code curve_frontier(const struct plan_question *question, size_t points,
                             double compute_min, double compute_max, const double *memory_bytes,
                             size_t n_memory, struct arena *arena, struct curve *ret_curve,
                             struct err *err)
{
    enum err_code code = check(question, points, err);
    double given = question->limits.compute_flops;
    size_t runs = n_memory > 0 ? n_memory : 1;
    double *limit_of_row = NULL;
    struct curve_table table;

    if (code != ERR_OK)
        return code;
    if (given == INFINITY && (isnan(compute_min) || isnan(compute_max)))
        return err_add(err, ERR_UNBOUNDED, ERR_AT_PARAMETER, "compute", 0,
                       "a frontier over compute needs compute, or the range to draw");
    compute_min = isnan(compute_min) ? given / CURVE_REACH : compute_min;
    compute_max = isnan(compute_max) ? given * CURVE_REACH : compute_max;
    if (!curve_table_init(&table, question, arena, runs * points))
        return no_room(err, points);
    if (n_memory > 0) {
        limit_of_row = curve_table_column(&table, arena, "memory_limit", runs * points);
        if (!limit_of_row)
            return no_room(err, points);
    }
    for (size_t k = 0; k < runs; k++) {
        struct plan_limits limits = question->limits;
        size_t first = table.curve.n_rows;

        if (n_memory > 0)
            limits.memory_bytes = memory_bytes[k];
        for (size_t i = 0; i < points; i++) {
            limits.compute_flops = curve_log_point(compute_min, compute_max, i, points);
            frontier_row(&table, &limits);
        }
        for (size_t row = first; n_memory > 0 && row < table.curve.n_rows; row++)
            limit_of_row[row] = memory_bytes[k];
    }
    if (table.curve.n_rows == 0)
        code = refuse_frontier(
            question, compute_max,
            n_memory > 0 ? memory_bytes[n_memory - 1] : question->limits.memory_bytes, arena, err);
    *ret_curve = table.curve;
    return code;
}
