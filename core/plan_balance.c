#include "core/plan_balance.h"

#include <math.h>

enum { NEWTON_MAX = 100 };

struct balance {
    double value, slope; /* left minus right, and its derivative by ln d along the path */
};

/* Tokens on the path and s = −d ln D/d ln d along it; tokens <= 0 where d is too large (equal
 * compute), INFINITY where it is too small (equal loss). */
static double path_tokens(const struct plan_path *path, double d_model,
                          const struct plan_moments *size, double *ret_decline)
{
    const struct law_slice *slice = &path->cell->slice;
    double rest = path->target_loss - slice->c, slope = 0;

    *ret_decline = NAN;
    if (!path->equal_loss)
        return plan_cell_tokens_by_compute(path->cell, d_model);
    for (size_t j = 0; j < slice->n_size_terms; j++) {
        double term = slice->m[j] * pow(size->value, slice->mu[j]);

        rest -= term;
        slope -= term * slice->mu[j] * size->elasticity;
    }
    if (!(rest > 0))
        return INFINITY;
    *ret_decline = -slope / (rest * slice->nu);
    return pow(rest / slice->n, 1 / slice->nu);
}

double plan_balance_tokens(const struct plan_path *path, double d_model)
{
    struct plan_moments size = plan_poly_moments(&path->cell->size, d_model);
    double decline;

    return path_tokens(path, d_model, &size, &decline);
}

static struct balance balance_at(const struct plan_path *path, double d_model)
{
    const struct plan_cell *cell = path->cell;
    const struct law_slice *slice = &cell->slice;
    struct plan_moments size = plan_poly_moments(&cell->size, d_model);
    struct plan_moments flops = plan_poly_moments(&cell->flops, d_model);
    double ln_size = log(size.value), ln_gain, ln_gain_slope = slice->mu[0] * size.elasticity;
    double decline, tokens = path_tokens(path, d_model, &size, &decline);
    double e_d = flops.elasticity, bend = flops.bend;

    if (!(tokens > 0 && tokens < INFINITY))
        return (struct balance){tokens > 0 ? INFINITY : -INFINITY, NAN};
    if (cell->limits->inference_tokens > 0) {
        struct plan_moments active = plan_poly_moments(&cell->active, d_model);
        double weight = SHAPE_INFERENCE_FLOPS_PER_PARAM * active.value *
                        cell->limits->inference_tokens / (flops.value * tokens);

        e_d += weight * active.elasticity;
        if (!path->equal_loss)
            decline = e_d;
        bend += weight * (active.bend +
                          (active.elasticity - flops.elasticity + decline) * active.elasticity);
    } else if (!path->equal_loss) {
        decline = e_d;
    }
    ln_gain = log(-slice->m[0] * slice->mu[0]) + slice->mu[0] * ln_size;
    if (slice->n_size_terms > 1) {
        double sum = 0, moment = 0;

        for (size_t j = 0; j < slice->n_size_terms; j++) {
            double gain = -slice->m[j] * slice->mu[j] * exp(slice->mu[j] * ln_size);

            sum += gain;
            moment += gain * slice->mu[j];
        }
        ln_gain = log(sum);
        ln_gain_slope = moment / sum * size.elasticity;
    }
    return (struct balance){
        .value =
            ln_gain - log(-slice->n * slice->nu * e_d / size.elasticity) - slice->nu * log(tokens),
        .slope = ln_gain_slope + size.bend / size.elasticity + slice->nu * decline - bend / e_d,
    };
}

double plan_balance_root(const struct plan_path *path, double start, double low, double high)
{
    bool low_tried = false, high_tried = false;
    double d = fmin(fmax(start, low), high);

    for (int i = 0; i < NEWTON_MAX; i++) {
        struct balance balance = balance_at(path, d);
        double next = d * exp(-balance.value / balance.slope);

        if (balance.value == 0)
            return d;
        if (balance.value > 0) {
            if (d >= high)
                return high;
            low = d;
            low_tried = true;
        } else {
            if (d <= low && !low_tried)
                return low;
            high = d;
            high_tried = true;
        }
        if (!(balance.slope < 0 && next > low && next < high)) {
            if (balance.value > 0 && !high_tried)
                next = high < INFINITY ? high : d * 16;
            else if (balance.value < 0 && !low_tried)
                next = low;
            else
                next = sqrt(low) * sqrt(high);
        }
        /* The error of a Newton step is of the order of its square. */
        if (fabs(next - d) <= 1e-9 * d)
            return next;
        d = next;
    }
    return d;
}

double plan_balance_start_at_compute(const struct plan_cell *cell)
{
    const struct law_slice *slice = &cell->slice;
    double mu = slice->mu[0], nu = slice->nu;
    double scale = cell->size.c3 / cell->active.c3;
    double ln_ratio = log(mu * slice->m[0] / (nu * slice->n)) + mu * log(scale);
    double ln_budget = log(cell->limits->compute_flops / SHAPE_TRAIN_FLOPS_PER_PARAM);

    return plan_poly_root(&cell->active, exp((nu * ln_budget - ln_ratio) / (mu + nu)));
}

double plan_balance_start_at_loss(const struct plan_cell *cell, double target_loss)
{
    const struct law_slice *slice = &cell->slice;
    double mu = slice->mu[0], nu = slice->nu;
    double term = (target_loss - slice->c) * nu / (mu + nu);

    return plan_poly_root(&cell->size, pow(term / slice->m[0], 1 / mu));
}
