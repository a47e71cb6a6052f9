/* Loss over size and tokens: a sum of a function of each, so that two rows of powers make a table.
 * Powers come from lanes.h, a vector at a time. */
#include <assert.h>
#include <math.h>
#include <stdint.h>

#include "core/curve_table.h"
#include "core/lanes.h"

/* ret[j] = value[j] + shift */
LANES_CLONES
static void shift_row(const double *restrict value, double shift, size_t count,
                      double *restrict ret)
{
    size_t at = 0;

    for (; at + LANES <= count; at += LANES)
        for (size_t j = 0; j < LANES; j++)
            ret[at + j] = value[at + j] + shift;
    for (; at < count; at++)
        ret[at] = value[at] + shift;
}

/* value[i] log-spaced from low to high, both exact, and ret_ln[i] = ln value[i]. */
static void fill_axis(double low, double high, size_t count, double *value, double *ret_ln)
{
    double ln_low = log(low), step = log(high / low) / (double)(count - 1);

    for (size_t i = 0; i < count; i++)
        ret_ln[i] = ln_low + (double)i * step;
    ret_ln[count - 1] = log(high);
    lanes_exp_steps(ln_low, step, count, value);
    value[0] = low;
    value[count - 1] = high;
}

/* sum[i] += factor·e^(exponent·ln_x[i]), of an x that may be in equal steps of ln x; scratch has
 * room for count. */
static void add_power(const double *ln_x, size_t count, bool in_steps, double factor,
                      double exponent, double *scratch, double *sum)
{
    if (in_steps) {
        double step = (ln_x[count - 1] - ln_x[0]) / (double)(count - 1);

        lanes_exp_steps(exponent * ln_x[0], exponent * step, count, scratch);
    } else {
        for (size_t i = 0; i < count; i++)
            scratch[i] = exponent * ln_x[i];
        lanes_exp_each(scratch, count);
    }
    for (size_t i = 0; i < count; i++)
        sum[i] += factor * scratch[i];
}

/* What fill_table needs besides the table: a row of each for sizes or tokens. */
struct rows {
    double *ln_size, *ln_tokens; /* the N the law reads */
    bool by_width;               /* it is not the active one, or routing costs: no equal steps */
    double *by_size, *by_tokens; /* the loss is the sum of both */
    double *scratch;
};

/* What a token costs to train at each size, by way of d_model. */
static void fill_widths(const struct plan_cell *cell, const struct curve_contour *contour,
                        double *per_token, double *ln_size)
{
    for (size_t i = 0; i < contour->n_sizes; i++) {
        double d = plan_poly_root(&cell->active, contour->n_active[i]);

        ln_size[i] = log(plan_poly_at(&cell->size, d));
        per_token[i] = plan_poly_at(&cell->flops, d);
    }
}

/* The tokens that compute pays for at each size, NAN where inference leaves nothing. */
static void fill_lines(const struct plan_cell *cell, struct curve_contour *contour,
                       const struct rows *rows)
{
    const double per_size = SHAPE_INFERENCE_FLOPS_PER_PARAM * cell->limits->inference_tokens;
    double *tokens = contour->tokens_by_compute;

    for (size_t i = 0; i < contour->n_sizes; i++)
        tokens[i] = SHAPE_TRAIN_FLOPS_PER_PARAM * contour->n_active[i];
    if (rows->by_width)
        fill_widths(cell, contour, tokens, rows->ln_size);
    for (size_t i = 0; i < contour->n_sizes; i++) {
        double left = cell->limits->compute_flops - per_size * contour->n_active[i];
        double paid = left / tokens[i];

        tokens[i] = paid > 0 && paid < INFINITY ? paid : NAN;
    }
}

static void fill_table(const struct law_slice *slice, struct curve_contour *contour,
                       const struct rows *rows)
{
    size_t n_sizes = contour->n_sizes, n_tokens = contour->n_tokens;

    for (size_t j = 0; j < n_tokens; j++)
        rows->by_tokens[j] = slice->c;
    for (size_t i = 0; i < n_sizes; i++)
        rows->by_size[i] = 0;
    add_power(rows->ln_tokens, n_tokens, true, slice->n, slice->nu, rows->scratch, rows->by_tokens);
    for (size_t k = 0; k < slice->n_size_terms; k++)
        add_power(rows->ln_size, n_sizes, !rows->by_width, slice->m[k], slice->mu[k], rows->scratch,
                  rows->by_size);
    for (size_t i = 0; i < n_sizes; i++)
        shift_row(rows->by_tokens, rows->by_size[i], n_tokens, contour->loss + i * n_tokens);
}

/* The intervals of a table that has been filled. */
static bool fill_bands(const struct plan_question *question, const struct plan_cell *cell,
                       struct curve_contour *contour, const struct rows *rows, struct arena *arena)
{
    const struct curve_band_axes axes = {contour->n_sizes, contour->n_tokens, rows->ln_size,
                                         rows->ln_tokens};
    size_t points = contour->n_sizes * contour->n_tokens;
    struct curve_band band;

    contour->loss_low = arena_alloc(arena, points * sizeof *contour->loss_low);
    contour->loss_high = arena_alloc(arena, points * sizeof *contour->loss_high);
    if (!contour->loss_low || !contour->loss_high ||
        !curve_band_init(&band, &question->model, question->level, arena))
        return false;
    curve_band_turn(&band, cell->experts, cell->granularity);
    return curve_band_grid(&band, &axes, arena, contour->loss_low, contour->loss_high);
}

/* A table is written whole vectors at a time: a quarter faster where none straddles two lines. */
enum { CACHE_LINE_BYTES = 64 };

/* Memory moved on to the next cache line, less than CACHE_LINE_BYTES away. */
static double *to_cache_line(double *memory)
{
    size_t past = (uintptr_t)memory % CACHE_LINE_BYTES;

    return past > 0 ? memory + (CACHE_LINE_BYTES - past) / sizeof *memory : memory;
}

/* The next count doubles of a block. */
static double *take(double **block, size_t count)
{
    double *taken = *block;

    *block += count;
    return taken;
}

/* A given end of an axis, or one factor of CURVE_REACH from the optimum. */
static double axis_end(double given, double otherwise)
{
    return isnan(given) ? otherwise : given;
}

enum err_code curve_contour(const struct plan_question *question, size_t n_sizes, size_t n_tokens,
                            const double n_active[2], const double tokens[2], struct arena *arena,
                            struct curve_contour *ret_contour, struct err *err)
{
    struct plan_question one = *question;
    struct curve_contour contour = {.n_sizes = n_sizes, .n_tokens = n_tokens};
    struct plan_configuration optimum = {.n_active = NAN};
    size_t longer = n_sizes < n_tokens ? n_tokens : n_sizes;
    enum err_code code =
        plan_check_model(&question->model, question->experts, question->n_experts, err);
    struct plan_cell cell;
    struct rows rows;
    double *block;

    assert(n_sizes >= 2 && n_tokens >= 2 && longer <= CURVE_POINTS_MAX);
    one.n_experts = one.n_granularity = 1;
    if (code == ERR_OK && isnan(n_active[0] + n_active[1] + tokens[0] + tokens[1]))
        code = curve_optimum(&one, arena, &optimum, err);
    if (code != ERR_OK)
        return code;
    block = arena_alloc(arena, CACHE_LINE_BYTES +
                                   (n_sizes * n_tokens + 4 * n_sizes + 3 * n_tokens + longer) *
                                       sizeof *block);
    if (!block)
        return err_set(err, ERR_NO_MEMORY, "no room for a curve of %zu points", n_sizes * n_tokens);
    block = to_cache_line(block);
    contour.loss = take(&block, n_sizes * n_tokens);
    contour.n_active = take(&block, n_sizes);
    contour.tokens_by_compute = take(&block, n_sizes);
    contour.tokens = take(&block, n_tokens);
    rows.ln_size = take(&block, n_sizes);
    rows.by_size = take(&block, n_sizes);
    rows.ln_tokens = take(&block, n_tokens);
    rows.by_tokens = take(&block, n_tokens);
    rows.scratch = take(&block, longer);
    fill_axis(axis_end(n_active[0], optimum.n_active / CURVE_REACH),
              axis_end(n_active[1], optimum.n_active * CURVE_REACH), n_sizes, contour.n_active,
              rows.ln_size);
    fill_axis(axis_end(tokens[0], optimum.tokens / CURVE_REACH),
              axis_end(tokens[1], optimum.tokens * CURVE_REACH), n_tokens, contour.tokens,
              rows.ln_tokens);
    plan_cell_init(&cell, &question->model, &question->limits, question->experts[0],
                   question->granularity[0]);
    rows.by_width = question->model.law->size_variable != LAW_N_ACTIVE || cell.flops.c2 > 0;
    fill_lines(&cell, &contour, &rows);
    fill_table(&cell.slice, &contour, &rows);
    if (question->model.n_draws > 0 && !fill_bands(question, &cell, &contour, &rows, arena))
        return err_set(err, ERR_NO_MEMORY, "no room for the bands of %zu points",
                       n_sizes * n_tokens);
    contour.n_active_by_memory =
        plan_poly_at(&cell.active, plan_poly_root(&cell.served, question->limits.memory_bytes));
    *ret_contour = contour;
    return ERR_OK;
}
