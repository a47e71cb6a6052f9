#include "core/plan_draws.h"

#include <math.h>

bool plan_draws_init(struct plan_draws *draws, const struct plan_model *model, struct arena *arena)
{
    size_t stride = model->n_draws, columns = 2 * LAW_MAX_SIZE_TERMS + 3;
    double *block;

    *draws = (struct plan_draws){.model = model, .experts = NAN};
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
    return true;
}

void plan_draws_fill(struct plan_draws *draws, double experts, double granularity)
{
    const struct plan_model *model = draws->model;

    if (draws->experts == experts && draws->granularity == granularity)
        return;
    draws->experts = experts;
    draws->granularity = granularity;
    draws->count = 0;
    for (size_t i = 0; i < model->n_draws; i++) {
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

/* The same when value[0..from-1] hold the smallest already. */
static double between_from(double *value, size_t from, size_t count, size_t k, double fraction)
{
    double below = select_at(value, from, count - 1, k), above;

    if (k + 1 >= count)
        return below;
    above = value[k + 1];
    for (size_t i = k + 2; i < count; i++)
        above = value[i] < above ? value[i] : above;
    return below + fraction * (above - below);
}

double plan_draws_between(double *value, size_t count, size_t k, double fraction)
{
    return between_from(value, 0, count, k, fraction);
}

void plan_draws_quantiles(double *loss, size_t count, double level, double ret_interval[2])
{
    size_t finite = 0, k[2] = {0};
    double low = (1 - level) / 2;
    const double probability[2] = {low, 1 - low};

    for (size_t i = 0; i < count; i++)
        if (isfinite(loss[i]))
            loss[finite++] = loss[i];
    for (int i = 0; i < 2; i++) {
        double at = probability[i] * (double)(finite - 1);

        k[i] = finite < 2 ? 0 : (size_t)at;
        ret_interval[i] =
            finite < 2 ? NAN
                       : between_from(loss, i == 0 ? 0 : k[0], finite, k[i], at - (double)k[i]);
    }
}
