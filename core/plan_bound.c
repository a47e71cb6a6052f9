#include "core/plan_bound.h"

#include <math.h>

#include "core/plan_slice.h"

/* Room for the rounding of a bound and of a cost; far beyond what is a tie. */
static const double bound_tolerance = 1e-9;

/* The loss of plan.h's closed form, with its constants at hand. */
static double least_loss_ready(const struct plan_closed_form *ready, double ln_budget)
{
    double ln_n = ready->ln_g + ready->ratio * ln_budget;
    double bound = exp(ready->ln_m + ready->mu * ln_n) + ready->c;

    return bound < INFINITY ? bound : -INFINITY; /* nor is NAN */
}

/* The same without them: L = m·N^mu·(1 + p/q) + c, p = −mu, q = −nu, at
 * ln N = (ln(p·m/(q·n)) + q·ln(F/6))/(p + q). */
static double least_loss(const struct law_slice *slice, double ln_budget)
{
    double p = -slice->mu[0], q = -slice->nu, ln_n, bound;

    if (slice->n_size_terms != 1 || !(p > 0 && q > 0 && slice->m[0] > 0 && slice->n > 0))
        return -INFINITY;
    ln_n = (log(p * slice->m[0] / (q * slice->n)) + q * ln_budget) / (p + q);
    bound = slice->m[0] * (1 + p / q) * exp(-p * ln_n) + slice->c;
    return bound < INFINITY ? bound : -INFINITY; /* nor is NAN */
}

static double bound_cell(const struct plan_model *model, double experts, double granularity,
                         double ln_budget)
{
    const struct plan_closed_form *ready = plan_slice_closed_form(model, experts);
    struct law_slice slice;

    if (ready)
        return least_loss_ready(ready, ln_budget);
    plan_slice(model, experts, experts > 1 ? granularity : 1, &slice);
    return least_loss(&slice, ln_budget);
}

size_t plan_bound_cells(const struct plan_question *question, double *ret_bound)
{
    const struct plan_model *model = &question->model;
    bool by_active = model->law->size_variable == LAW_N_ACTIVE;
    double ln_budget = log(question->limits.compute_flops / SHAPE_TRAIN_FLOPS_PER_PARAM);
    size_t k = 0, least = 0;

    for (size_t i = 0; i < question->n_experts; i++)
        for (size_t j = 0; j < question->n_granularity; j++, k++) {
            ret_bound[k] = -INFINITY; /* of a total, FLOPs say nothing */
            if (by_active)
                ret_bound[k] =
                    bound_cell(model, question->experts[i], question->granularity[j], ln_budget);
            if (ret_bound[k] < ret_bound[least])
                least = k;
        }
    return least;
}

static enum plan_outcome solve(const struct plan_question *question, size_t index,
                               struct plan_cell *ret_cell, struct plan_point *ret_point)
{
    plan_cell_init(ret_cell, &question->model, &question->limits,
                   question->experts[index / question->n_granularity],
                   question->granularity[index % question->n_granularity]);
    return plan_least(ret_cell, question->objective, question->target_loss, ret_point);
}

enum err_code plan_first_init(struct plan_first *first, const struct plan_question *question,
                              struct arena *arena, struct err *err)
{
    size_t n = question->n_experts * question->n_granularity;

    first->bound = NULL;
    if (question->objective != PLAN_LEAST_LOSS || n == 1 ||
        question->parts & (PLAN_CANDIDATES | PLAN_NEAR_OPTIMAL) ||
        question->limits.compute_flops == INFINITY)
        return ERR_OK;
    first->bound = arena_alloc(arena, n * sizeof *first->bound);
    if (!first->bound)
        return err_set(err, ERR_NO_MEMORY, "no room for %zu configurations", n);
    plan_first_again(first, question);
    return ERR_OK;
}

void plan_first_again(struct plan_first *first, const struct plan_question *question)
{
    if (!first->bound)
        return;
    first->index = plan_bound_cells(question, first->bound);
    first->outcome = solve(question, first->index, &first->cell, &first->point);
    first->most =
        first->outcome == PLAN_FOUND ? first->point.cost * (1 + bound_tolerance) : INFINITY;
}

bool plan_first_beats(const struct plan_first *first, size_t index)
{
    return first->bound && first->bound[index] > first->most;
}

enum plan_outcome plan_first_solve(const struct plan_first *first,
                                   const struct plan_question *question, size_t index,
                                   struct plan_cell *ret_cell, struct plan_point *ret_point)
{
    if (!first->bound || index != first->index)
        return solve(question, index, ret_cell, ret_point);
    *ret_cell = first->cell;
    if (first->outcome == PLAN_FOUND)
        *ret_point = first->point;
    return first->outcome;
}
