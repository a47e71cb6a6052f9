#include "core/curve_band.h"

#include <math.h>

#include "core/lanes.h"

/* A sum of two floats, each rounded once, is within 2^-22 of that of the doubles while they are
 * positive and far from overflow. */
static const double error = 0x1p-22;
static const double least_near = 1e-30, most_near = 1e30;

LANES_CLONES
static void multiply(const double *restrict a, double b, size_t count, double *restrict ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = a[i] * b;
}

/* ret = base + a·b, of each; base NULL: 0 */
LANES_CLONES
static void multiply_add(const double *base, const double *restrict a, const double *restrict b,
                         size_t count, double *ret)
{
    if (base == NULL)
        for (size_t i = 0; i < count; i++)
            ret[i] = a[i] * b[i];
    else
        for (size_t i = 0; i < count; i++)
            ret[i] = base[i] + a[i] * b[i];
}

/* Rounds each to a float; false where any had better not be: positive doubles are ordered as their
 * bits are, which vectors compare sooner. */
LANES_CLONES
static bool round_each(const double *restrict value, size_t count, float *restrict ret)
{
    const uint64_t least = lanes_bits(least_near), most = lanes_bits(most_near);
    uint64_t beyond = 0; /* its top bit */

    for (size_t i = 0; i < count; i++) {
        uint64_t bits = lanes_bits(value[i]);

        beyond |= (bits - least) | (most - bits);
        ret[i] = (float)value[i];
    }
    return beyond >> 63 == 0;
}

/* row = base + factor·e^(exponent·ln_x) of each draw */
static void add_power(const struct curve_band *band, const double *base, const double *factor,
                      const double *exponent, double ln_x, struct curve_band_row *row)
{
    multiply(exponent, ln_x, band->count, band->scratch);
    lanes_exp_each(band->scratch, band->count);
    multiply_add(base, factor, band->scratch, band->count, row->exact);
}

static void end_row(const struct curve_band *band, struct curve_band_row *row)
{
    row->is_near = round_each(row->exact, band->count, row->near);
}

static void fill_size(struct curve_band *band, double ln_size)
{
    const struct plan_draws *draws = &band->draws;

    for (size_t k = 0; k < draws->n_size_terms; k++)
        add_power(band, k == 0 ? NULL : band->size.exact, draws->m[k], draws->mu[k], ln_size,
                  &band->size);
    end_row(band, &band->size);
}

static void fill_tokens(const struct curve_band *band, double ln_tokens,
                        struct curve_band_row *tokens)
{
    const struct plan_draws *draws = &band->draws;

    add_power(band, draws->c, draws->n, draws->nu, ln_tokens, tokens);
    end_row(band, tokens);
}

LANES_CLONES
static void add_rows(const float *restrict a, const float *restrict b, size_t count,
                     float *restrict ret)
{
    for (size_t i = 0; i < count; i++)
        ret[i] = a[i] + b[i];
}

static void interval_exactly(const struct curve_band *band, const struct curve_band_row *tokens,
                             double ret[2])
{
    for (size_t i = 0; i < band->count; i++)
        band->scratch[i] = band->size.exact[i] + tokens->exact[i];
    plan_draws_quantiles(band->scratch, band->count, band->level, ret);
}

static bool interval_nearly(struct curve_band *band, const struct curve_band_row *tokens,
                            double ret[2])
{
    struct plan_quantile *q = band->q;

    if (!band->size.is_near || !tokens->is_near)
        return false;
    add_rows(band->size.near, tokens->near, band->count, band->sum);
    if (!plan_quantile_find(band->sum, band->count, error, band->room, q))
        return false;
    for (int i = 0; i < 2; i++) {
        double value[PLAN_QUANTILE_MANY];

        for (size_t k = 0; k < q[i].n; k++)
            value[k] = band->size.exact[q[i].place[k]] + tokens->exact[q[i].place[k]];
        ret[i] = plan_draws_between(value, q[i].n, q[i].k - q[i].under, q[i].fraction);
    }
    return true;
}

static void interval(struct curve_band *band, const struct curve_band_row *tokens, double ret[2])
{
    if (band->count <= PLAN_QUANTILE_MANY || !interval_nearly(band, tokens, ret))
        interval_exactly(band, tokens, ret);
}

static bool row_init(struct curve_band_row *row, size_t count, struct arena *arena)
{
    row->exact = arena_alloc(arena, count * sizeof *row->exact);
    row->near = arena_alloc(arena, count * sizeof *row->near);
    return row->exact && row->near;
}

bool curve_band_init(struct curve_band *band, const struct plan_model *model, double level,
                     struct arena *arena)
{
    size_t most = model->n_draws;

    *band = (struct curve_band){.level = level};
    band->sum = arena_alloc(arena, most * sizeof *band->sum);
    band->scratch = arena_alloc(arena, most * sizeof *band->scratch);
    band->room = arena_alloc(arena, plan_quantile_room(most));
    return band->sum && band->scratch && band->room && row_init(&band->size, most, arena) &&
           row_init(&band->tokens, most, arena) && plan_draws_init(&band->draws, model, arena);
}

void curve_band_turn(struct curve_band *band, double experts, double granularity)
{
    const double low = (1 - band->level) / 2;
    size_t before = band->count;

    plan_draws_fill(&band->draws, experts, granularity);
    band->count = band->draws.count;
    if (band->count == before || band->count <= PLAN_QUANTILE_MANY)
        return;
    band->q[0] = plan_quantile_at(low, band->count);
    band->q[1] = plan_quantile_at(1 - low, band->count);
}

void curve_band_point(struct curve_band *band, double ln_size, double ln_tokens, double ret[2])
{
    fill_size(band, ln_size);
    fill_tokens(band, ln_tokens, &band->tokens);
    interval(band, &band->tokens, ret);
}

bool curve_band_grid(struct curve_band *band, const struct curve_band_axes *axes,
                     struct arena *arena, double *ret_low, double *ret_high)
{
    struct curve_band_row *tokens = arena_calloc(arena, axes->n_tokens, sizeof *tokens);

    if (!tokens)
        return false;
    for (size_t j = 0; j < axes->n_tokens; j++) {
        if (!row_init(&tokens[j], band->count, arena))
            return false;
        fill_tokens(band, axes->ln_tokens[j], &tokens[j]);
    }
    for (size_t i = 0; i < axes->n_sizes; i++) {
        fill_size(band, axes->ln_size[i]);
        for (size_t j = 0; j < axes->n_tokens; j++) {
            double ends[2];

            interval(band, &tokens[j], ends);
            ret_low[i * axes->n_tokens + j] = ends[0];
            ret_high[i * axes->n_tokens + j] = ends[1];
        }
    }
    return true;
}
