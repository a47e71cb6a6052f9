#include "core/plan_best.h"

#include <math.h>

const double plan_best_most_loss = 1.0025;

/* Penalty 1 each: a depth √2 times the shape's, or this much more of what is to be least. */
static const double depth_unit = 0.35;
static const double cost_unit[] = {
    [PLAN_LEAST_LOSS] = 1e-4,
    [PLAN_LEAST_COMPUTE] = 2e-3,
    [PLAN_LEAST_MEMORY] = 2e-3,
};

/* Where the nearest is wanted, a loss this much beyond good weighs more than any depth. */
static const double loss_unit = 1e-8;

/* Whether the continuous configuration is the best of all with those limits, not of its shape only:
 * the law and the compute read N_act alone, which a build may match with any depth. */
static bool is_unbeaten(const struct plan_site *site, unsigned binding)
{
    unsigned by_shape = 1U << PLAN_LIMIT_MEMORY | 1U << PLAN_LIMIT_TRAIN_MEMORY;
    const struct law *law = site->model->law;

    return site->question->objective == PLAN_LEAST_LOSS && site->cell->unimodal &&
           law->size_variable == LAW_N_ACTIVE && !(law->routing_flops && site->cell->experts > 1) &&
           !(binding & by_shape);
}

struct plan_best plan_best_init(const struct plan_site *site,
                                const struct plan_configuration *configuration)
{
    const struct plan_configuration *c = configuration;
    enum plan_objective objective = site->question->objective;

    return (struct plan_best){
        .site = site,
        .cost = objective == PLAN_LEAST_LOSS     ? c->loss
                : objective == PLAN_LEAST_MEMORY ? c->memory_total_bytes
                                                 : c->train_flops + c->inference_flops,
        .loss = c->loss,
        .unbeaten = is_unbeaten(site, c->binding),
        .penalty = INFINITY,
        .depth_most = INFINITY,
    };
}

static double penalty_of(const struct plan_best *best, double d_model, double expert_hidden,
                         const struct plan_trial *trial)
{
    const struct plan_site *site = best->site;
    const struct shape *shape = &site->model->shape;
    enum plan_objective objective = site->question->objective;
    double depth = log(trial->layers / shape_layers(shape, d_model)) / depth_unit;
    double width, loss;

    if (!best->nearest || objective != PLAN_LEAST_LOSS)
        return (trial->cost / best->cost - 1) / cost_unit[objective] + depth * depth;
    width =
        log(expert_hidden * site->cell->granularity / (shape->ffn_ratio * d_model)) / depth_unit;
    loss = law_slice_loss(&site->cell->slice, trial->size, trial->tokens);
    return fmax(0, loss / best->loss - plan_best_most_loss) / loss_unit + depth * depth +
           width * width;
}

static void take(struct plan_best *best, double penalty)
{
    best->penalty = penalty;
    best->depth_most = exp(depth_unit * sqrt(fmax(0, penalty)));
}

void plan_best_restart(struct plan_best *best)
{
    best->nearest = true;
    if (best->penalty < INFINITY)
        take(best, penalty_of(best, best->d_model, best->expert_hidden, &best->trial));
}

void plan_best_try(struct plan_best *best, const struct plan_frame *frame, double groups)
{
    const struct shape *shape = &best->site->model->shape;
    struct plan_trial trial;
    double penalty;

    if (!plan_best_allows(best, groups * frame->group / shape_layers(shape, frame->d_model)) ||
        !plan_trial_make(best->site, frame, groups, &trial))
        return;
    penalty = penalty_of(best, frame->d_model, frame->expert_hidden, &trial);
    if (!(penalty < best->penalty))
        return;
    take(best, penalty);
    best->d_model = frame->d_model;
    best->expert_hidden = frame->expert_hidden;
    best->trial = trial;
}

bool plan_best_allows(const struct plan_best *best, double depth)
{
    if (!best->unbeaten && !best->nearest)
        return true;
    return depth <= best->depth_most && depth * best->depth_most >= 1;
}

double plan_best_loss(const struct plan_best *best)
{
    return law_slice_loss(&best->site->cell->slice, best->trial.size, best->trial.tokens);
}

bool plan_best_good(const struct plan_best *best)
{
    if (best->penalty == INFINITY)
        return false;
    return best->site->question->objective != PLAN_LEAST_LOSS ||
           plan_best_loss(best) <= best->loss * plan_best_most_loss;
}
