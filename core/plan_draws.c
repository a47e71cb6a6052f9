#include "core/plan_draws.h"

#include <math.h>

bool plan_draws_init(struct plan_draws *draws, const struct plan_model *model, double experts,
                     double granularity, struct arena *arena)
{
    size_t stride = model->n_draws, columns = 2 * LAW_MAX_SIZE_TERMS + 4;
    double *block;

    *draws = (struct plan_draws){0};
    if (stride == 0)
        return true;
    block = arena_alloc(arena, columns * stride * sizeof *block);
    if (!block)
        return false;
    for (size_t j = 0; j < LAW_MAX_SIZE_TERMS; j++) {
        draws->m[j] = block + 2 * j * stride;
        draws->mu[j] = block + (2 * j + 1) * stride;
    }
    block += 2 * LAW_MAX_SIZE_TERMS * stride;
    draws->n = block;
    draws->nu = block + stride;
    draws->c = block + 2 * stride;
    draws->loss = block + 3 * stride;
    for (size_t i = 0; i < stride; i++) {
        struct law_slice slice;
        size_t at = draws->count;
        double sum;

        model->law->slice(model->draws + i * model->law->n_coefficients, experts, granularity,
                          &slice);
        sum = slice.n + slice.nu + slice.c;
        draws->n_size_terms = slice.n_size_terms;
        for (size_t j = 0; j < slice.n_size_terms; j++) {
            draws->m[j][at] = slice.m[j];
            draws->mu[j][at] = slice.mu[j];
            sum += slice.m[j] + slice.mu[j];
        }
        draws->n[at] = slice.n;
        draws->nu[at] = slice.nu;
        draws->c[at] = slice.c;
        draws->count += isfinite(sum) ? 1 : 0;
    }
    return true;
}

/* Puts the k-th smallest of value[low..high] in place, smaller ones before it (Hoare's selection).
 */
static double select_at(double *value, size_t low, size_t high, size_t k)
{
    while (low < high) {
        double pivot = value[low + (high - low) / 2];
        size_t i = low, j = high;

        for (;;) {
            double swap;

            while (value[i] < pivot)
                i++;
            while (value[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap = value[i];
            value[i++] = value[j];
            value[j--] = swap;
        }
        /* value[low..j] <= pivot <= value[j+1..high] */
        if (k <= j)
            high = j;
        else
            low = j + 1;
    }
    return value[k];
}

/* The quantile, when value[0..from-1] hold the smallest already. */
static double quantile(double *value, size_t from, size_t count, double probability)
{
    double at = probability * (double)(count - 1), below, above;
    size_t k = (size_t)at;

    below = select_at(value, from, count - 1, k);
    if (k + 1 >= count)
        return below;
    above = value[k + 1];
    for (size_t i = k + 2; i < count; i++)
        above = value[i] < above ? value[i] : above;
    return below + (at - (double)k) * (above - below);
}

void plan_draws_quantiles(double *loss, size_t count, double level, double ret_interval[2])
{
    double low = (1 - level) / 2;
    size_t finite = 0;

    for (size_t i = 0; i < count; i++)
        if (isfinite(loss[i]))
            loss[finite++] = loss[i];
    ret_interval[0] = finite < 2 ? NAN : quantile(loss, 0, finite, low);
    ret_interval[1] =
        finite < 2 ? NAN : quantile(loss, (size_t)(low * (double)(finite - 1)), finite, 1 - low);
}

void plan_draws_interval(struct plan_draws *draws, double n_params, double tokens, double level,
                         double ret_interval[2])
{
    double ln_n = log(n_params), ln_d = log(tokens);

    for (size_t i = 0; i < draws->count; i++)
        draws->loss[i] = draws->c[i] + draws->n[i] * exp(draws->nu[i] * ln_d);
    for (size_t j = 0; j < draws->n_size_terms; j++)
        for (size_t i = 0; i < draws->count; i++)
            draws->loss[i] += draws->m[j][i] * exp(draws->mu[j][i] * ln_n);
    plan_draws_quantiles(draws->loss, draws->count, level, ret_interval);
}
