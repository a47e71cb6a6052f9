#include <math.h>

#include "core/plan.h"

/* J's erratum applied (see plan.h). At the optimum p·m·N^−p = q·n·D^−q, so that
 *     L − c = m·N^mu·(1 + p/q)
 * and two exponentials suffice: `ratio` and `ln_g` hold all that does not depend on compute. */
bool plan_closed_form_prepare(const struct law_slice *slice, struct plan_closed_form *ret)
{
    double p = -slice->mu[0], q = -slice->nu;
    struct plan_closed_form prepared;

    if (slice->n_size_terms != 1 || !(p > 0 && q > 0 && slice->m[0] > 0 && slice->n > 0) ||
        !isfinite(slice->c))
        return false;
    prepared = (struct plan_closed_form){
        .ln_g = (log(p * slice->m[0]) - log(q * slice->n)) / (p + q),
        .ratio = q / (p + q),
        .ln_m = log(slice->m[0] * (1 + p / q)),
        .mu = slice->mu[0],
        .c = slice->c,
    };
    if (!isfinite(prepared.ln_g) || !isfinite(prepared.ratio) || !isfinite(prepared.ln_m))
        return false;
    *ret = prepared;
    return true;
}

void plan_closed_form_solve(const struct plan_closed_form *prepared, size_t count,
                            double compute_flops, double *ret_n, double *ret_tokens,
                            double *ret_loss)
{
    double budget = compute_flops / SHAPE_TRAIN_FLOPS_PER_PARAM, ln_budget = log(budget);

    for (size_t i = 0; i < count; i++) {
        const struct plan_closed_form *at = &prepared[i];
        double ln_n = at->ln_g + at->ratio * ln_budget;

        ret_n[i] = exp(ln_n);
        ret_tokens[i] = budget / ret_n[i];
        ret_loss[i] = at->c + exp(at->ln_m + at->mu * ln_n);
    }
}
