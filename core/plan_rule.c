#include "core/plan_rule.h"

#include <math.h>

#include "core/plan_cell.h"

/* The tokens with which d_model is compute-optimal: where Σ |m·mu|·N^mu·e_N = |n·nu|·D^nu·e_F, e
 * the elasticities of the N the law reads and of the FLOPs of one token (plan_balance.h). */
static double balanced_tokens(const struct plan_cell *cell, double d_model)
{
    const struct law_slice *slice = &cell->slice;
    struct plan_moments size = plan_poly_moments(&cell->size, d_model);
    struct plan_moments flops = plan_poly_moments(&cell->flops, d_model);
    double gain = 0;

    for (size_t j = 0; j < slice->n_size_terms; j++)
        gain += fabs(slice->m[j] * slice->mu[j]) * pow(size.value, slice->mu[j]);
    return pow(gain * size.elasticity / (fabs(slice->n * slice->nu) * flops.elasticity),
               1 / slice->nu);
}

void plan_rule_check(const struct plan_question *question, const struct plan_model *dense,
                     const struct plan_configuration *optimum, struct plan_rule *ret)
{
    const struct plan_limits none = plan_limits_none();
    struct plan_cell cell, moe;
    double d_model, tokens;

    *ret = (struct plan_rule){NAN, NAN, NAN, NAN, NAN};
    if (dense == NULL || !dense->law->slice || !(optimum->experts > 1))
        return;
    plan_cell_init(&cell, dense, &none, 1, 1);
    plan_cell_init(&moe, &question->model, &none, optimum->experts, optimum->granularity);
    d_model = shape_d_from_n_total(&dense->shape, optimum->n_total, 1);
    tokens = cell.well_signed ? balanced_tokens(&cell, d_model) : NAN;
    if (!isfinite(optimum->experts * tokens) || !(tokens > 0))
        return;
    *ret = (struct plan_rule){
        .n_total = optimum->n_total,
        .dense_tokens = tokens,
        .dense_loss = plan_cell_loss(&cell, d_model, tokens),
        .tokens = optimum->experts * tokens,
        .loss = plan_cell_loss(&moe, optimum->d_model, optimum->experts * tokens),
    };
}
