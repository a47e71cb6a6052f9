#include "core/plan_interval.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t count, double probability)
{
    double at = probability * (double)(count - 1);
    size_t below = (size_t)at;

    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

static void fill_one(const struct plan_question *question, const struct plan_model *model,
                     double *loss, struct plan_configuration *c)
{
    double n = model->law->size_variable == LAW_N_TOTAL ? c->n_total : c->n_active;
    size_t count = 0;

    for (size_t i = 0; i < model->n_draws; i++) {
        struct law_slice slice;

        model->law->slice(model->draws + i * model->law->n_coefficients, c->experts, c->granularity,
                          &slice);
        loss[count] = law_slice_loss(&slice, n, c->tokens);
        if (isfinite(loss[count]))
            count++;
    }
    if (count < 2)
        return;
    qsort(loss, count, sizeof *loss, ascending);
    c->loss_interval[0] = quantile(loss, count, (1 - question->level) / 2);
    c->loss_interval[1] = quantile(loss, count, (1 + question->level) / 2);
}

enum err_code plan_interval_fill(const struct plan_question *question,
                                 const struct plan_model *dense, struct arena *arena,
                                 struct plan_answer *answer, struct err *err)
{
    const struct plan_model *model = &question->model;
    size_t most = model->n_draws;
    double *loss;

    if (answer->has_dense && dense->n_draws > most)
        most = dense->n_draws;
    if (most == 0)
        return ERR_OK;
    loss = arena_calloc(arena, most, sizeof *loss);
    if (!loss)
        return err_set(err, ERR_NO_MEMORY, "no room for the losses of %zu draws", most);
    fill_one(question, model, loss, &answer->optimum);
    for (size_t i = 0; i < answer->n_candidates; i++)
        if (answer->candidates[i].feasible)
            fill_one(question, model, loss, &answer->candidates[i].configuration);
    if (answer->has_dense)
        fill_one(question, dense, loss, &answer->dense);
    return ERR_OK;
}
