#include "core/curve_band.h"

#include <math.h>
#include <stdint.h>

#include "core/lanes.h"
#include "core/near.h"
#include "core/plan_quantile.h"

/* A sum of two floats, each rounded once, is within 2^-22 of that of the doubles while they are
 * positive and far from overflow. */
static const double error = 0x1p-22;
static const double least_near = 1e-30, most_near = 1e30;

/* A row of draws at one size or one number of tokens, exactly and nearly. */
struct row {
    double *exact;
    float *near;
    bool is_near; /* near holds what `error` promises */
};

struct band {
    const struct plan_draws *draws;
    size_t stride; /* of near: draws->count made a multiple of NEAR_LANES, filled with INFINITY */
    double level;
    struct row size, *tokens; /* tokens: a row for each */
    float *sum;               /* scratch, a row of each */
    double *scratch;
    uint8_t *room; /* of plan_quantile_find */
};

static void begin_row(const struct band *band, const double *first, struct row *row)
{
    for (size_t i = 0; i < band->draws->count; i++)
        row->exact[i] = first != NULL ? first[i] : 0;
}

/* exact[i] += factor[i]·e^(exponent[i]·ln_x) */
static void add_power(const struct band *band, const double *factor, const double *exponent,
                      double ln_x, struct row *row)
{
    size_t count = band->draws->count;

    for (size_t i = 0; i < count; i++)
        band->scratch[i] = exponent[i] * ln_x;
    lanes_exp_each(band->scratch, count);
    for (size_t i = 0; i < count; i++)
        row->exact[i] += factor[i] * band->scratch[i];
}

static void end_row(const struct band *band, struct row *row)
{
    size_t count = band->draws->count;

    row->is_near = true;
    for (size_t i = 0; i < count; i++) {
        double value = row->exact[i];

        row->is_near = row->is_near && value > least_near && value < most_near;
        row->near[i] = row->is_near ? (float)value : 0;
    }
    for (size_t i = count; i < band->stride; i++)
        row->near[i] = INFINITY;
}

LANES_CLONES
static void add_rows(const float *restrict a, const float *restrict b, size_t stride,
                     float *restrict ret)
{
    for (size_t at = 0; at < stride; at += NEAR_LANES)
        for (size_t i = 0; i < NEAR_LANES; i++)
            ret[at + i] = a[at + i] + b[at + i];
}

static void interval_exactly(const struct band *band, const struct row *tokens, double ret[2])
{
    size_t count = band->draws->count;

    for (size_t i = 0; i < count; i++)
        band->scratch[i] = band->size.exact[i] + tokens->exact[i];
    plan_draws_quantiles(band->scratch, count, band->level, ret);
}

static bool interval_nearly(const struct band *band, const struct row *tokens,
                            struct plan_quantile q[2], double ret[2])
{
    if (!band->size.is_near || !tokens->is_near)
        return false;
    add_rows(band->size.near, tokens->near, band->stride, band->sum);
    if (!plan_quantile_find(band->sum, band->draws->count, error, band->room, q))
        return false;
    for (int i = 0; i < 2; i++) {
        double value[PLAN_QUANTILE_MANY];

        for (size_t k = 0; k < q[i].n; k++)
            value[k] = band->size.exact[q[i].place[k]] + tokens->exact[q[i].place[k]];
        ret[i] = plan_draws_between(value, q[i].n, q[i].k - q[i].under, q[i].fraction);
    }
    return true;
}

static bool row_init(struct row *row, const struct band *band, struct arena *arena)
{
    row->exact = arena_alloc(arena, band->draws->count * sizeof *row->exact);
    row->near = arena_alloc(arena, band->stride * sizeof *row->near);
    return row->exact && row->near;
}

static bool band_init(struct band *band, size_t n_tokens, struct arena *arena)
{
    bool ok = row_init(&band->size, band, arena);

    band->tokens = arena_calloc(arena, n_tokens, sizeof *band->tokens);
    for (size_t j = 0; ok && band->tokens && j < n_tokens; j++)
        ok = row_init(&band->tokens[j], band, arena);
    band->sum = arena_alloc(arena, band->stride * sizeof *band->sum);
    band->scratch = arena_alloc(arena, band->draws->count * sizeof *band->scratch);
    band->room = arena_alloc(arena, plan_quantile_room(band->draws->count));
    return ok && band->tokens && band->sum && band->scratch && band->room;
}

static void fill_size(struct band *band, double ln_size)
{
    const struct plan_draws *draws = band->draws;

    begin_row(band, NULL, &band->size);
    for (size_t k = 0; k < draws->n_size_terms; k++)
        add_power(band, draws->m[k], draws->mu[k], ln_size, &band->size);
    end_row(band, &band->size);
}

static void fill_tokens(struct band *band, const struct curve_band_axes *axes)
{
    const struct plan_draws *draws = band->draws;

    for (size_t j = 0; j < axes->n_tokens; j++) {
        begin_row(band, draws->c, &band->tokens[j]);
        add_power(band, draws->n, draws->nu, axes->ln_tokens[j], &band->tokens[j]);
        end_row(band, &band->tokens[j]);
    }
}

bool curve_band_fill(const struct plan_draws *draws, const struct curve_band_axes *axes,
                     double level, struct arena *arena, double *ret_low, double *ret_high)
{
    const double low = (1 - level) / 2;
    size_t points = axes->n_sizes * axes->n_tokens, count = draws->count;
    size_t stride = (count + NEAR_LANES - 1) / NEAR_LANES * NEAR_LANES;
    bool few = count <= PLAN_QUANTILE_MANY;
    struct plan_quantile q[2] = {{0}, {0}};
    struct band band = {.draws = draws, .stride = stride, .level = level};

    for (size_t i = 0; count < 2 && i < points; i++)
        ret_low[i] = ret_high[i] = NAN;
    if (count < 2)
        return true;
    if (!band_init(&band, axes->n_tokens, arena))
        return false;
    if (!few) {
        q[0] = plan_quantile_at(low, count);
        q[1] = plan_quantile_at(1 - low, count);
    }
    fill_tokens(&band, axes);
    for (size_t i = 0; i < axes->n_sizes; i++) {
        fill_size(&band, axes->ln_size[i]);
        for (size_t j = 0; j < axes->n_tokens; j++) {
            const struct row *tokens = &band.tokens[j];
            double interval[2];

            if (few || !interval_nearly(&band, tokens, q, interval))
                interval_exactly(&band, tokens, interval);
            ret_low[i * axes->n_tokens + j] = interval[0];
            ret_high[i * axes->n_tokens + j] = interval[1];
        }
    }
    return true;
}
