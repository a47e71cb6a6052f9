#include "core/plan_dense.h"

#include <math.h>

#include "core/plan_configuration.h"
#include "core/plan_target.h"
#include "core/plan_warning.h"

/* Room for rounding in a limit that is met. */
static const double rounding = 1e-12;

static bool saw_dense(const struct plan_question *question)
{
    const struct plan_model *model = &question->model;

    return !law_reads(model->law, LAW_EXPERTS) || !(model->range[LAW_EXPERTS].min > 1) ||
           question->experts[0] == 1;
}

const struct plan_model *plan_dense_model(const struct plan_question *question)
{
    double fixed = question->model.fixed_experts;

    if (question->dense)
        return question->dense;
    if (fixed != 0 && fixed != 1)
        return NULL;
    return saw_dense(question) ? &question->model : NULL;
}

static void warn(const struct plan_question *question, struct plan_answer *answer)
{
    const struct plan_model *model = &question->model;
    const struct fit_range *range = &model->range[LAW_EXPERTS];

    if (model->fixed_experts != 0)
        plan_warning_add(answer, "no_dense",
                         "the fit holds for E = %.6g only: no dense model to compare with",
                         model->fixed_experts);
    else
        plan_warning_add(answer, "no_dense",
                         "the fit has no dense runs (its E is %.6g to %.6g): no dense model to "
                         "compare with. Allow E = 1 in experts to see its trend carried on to it",
                         range->min, range->max);
}

/* The candidate that is the dense answer too, or NULL. */
static const struct plan_candidate *same_candidate(const struct plan_question *question,
                                                   const struct plan_answer *answer)
{
    if (question->dense || answer->n_candidates == 0 || answer->candidates[0].experts != 1)
        return NULL;
    return answer->candidates[0].feasible ? &answer->candidates[0] : NULL;
}

static void fill_dense(const struct plan_question *question, const struct plan_model *model,
                       struct plan_answer *answer)
{
    const struct plan_candidate *same = same_candidate(question, answer);
    struct plan_cell cell;
    struct plan_point point;

    answer->dense_candidate = same;
    answer->has_dense = same != NULL;
    if (same) {
        answer->dense = same->configuration;
        return;
    }
    plan_cell_init(&cell, model, &question->limits, 1, 1);
    if (plan_least(&cell, question->objective, question->target_loss, &point) != PLAN_FOUND)
        return;
    answer->has_dense = true;
    plan_configure(question, model, &cell, point.d_model, point.tokens, &answer->dense);
}

/* Under the question's limits but compute; when memory was to be least also under the optimum's, so
 * that the two do the same: by more compute alone. A dense optimum is then its own. */
static double multiplier(const struct plan_question *question, const struct plan_model *model,
                         const struct plan_configuration *optimum)
{
    struct plan_limits limits = question->limits;
    bool budget = question->objective == PLAN_LEAST_LOSS && limits.compute_flops < INFINITY;
    double compute =
        budget ? limits.compute_flops : optimum->train_flops + optimum->inference_flops;
    struct plan_cell cell;
    struct plan_point point;

    limits.compute_flops = INFINITY;
    if (question->objective == PLAN_LEAST_MEMORY) {
        if (optimum->experts == 1 && model == &question->model)
            return 1;
        limits.memory_bytes = optimum->memory_total_bytes * (1 + rounding);
    }
    plan_cell_init(&cell, model, &limits, 1, 1);
    return plan_target_compute(&cell, optimum->loss, &point) == PLAN_FOUND ? point.cost / compute
                                                                           : NAN;
}

void plan_dense_fill(const struct plan_question *question, struct plan_answer *answer)
{
    const struct plan_model *model = plan_dense_model(question);

    if (!model || !model->law->slice) {
        warn(question, answer);
        return;
    }
    if (question->parts & PLAN_DENSE)
        fill_dense(question, model, answer);
    if (question->parts & PLAN_MULTIPLIER)
        answer->compute_multiplier = multiplier(question, model, &answer->optimum);
}
