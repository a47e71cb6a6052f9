#include "core/plan_best.h"

#include <math.h>

/* A ratio of losses within which a build is good. */
static const double most_loss = 1.0025;

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

    return site->question->objective == PLAN_LEAST_LOSS && site->cell->unimodal &&
           !site->by_total && !(site->model->law->routing_flops && site->cell->experts > 1) &&
           !(binding & by_shape);
}

void plan_best_init(struct plan_best *best, const struct plan_site *site,
                    const struct plan_configuration *configuration)
{
    const struct plan_configuration *c = configuration;
    enum plan_objective objective = site->question->objective;

    best->site = site;
    best->cost = objective == PLAN_LEAST_LOSS     ? c->loss
                 : objective == PLAN_LEAST_MEMORY ? c->memory_total_bytes
                                                  : c->train_flops + c->inference_flops;
    best->loss = c->loss;
    best->cost_penalty = 1 / (best->cost * cost_unit[objective]);
    best->unbeaten = is_unbeaten(site, c->binding);
    best->nearest = false;
    best->penalty = INFINITY;
}

static double depth_penalty(double depth)
{
    double penalty = log(depth) * (1 / depth_unit);

    return penalty * penalty;
}

/* Whether depth costs less than that, told without a logarithm, so true too often:
 * |ln a/b| >= 2·|a − b|/(a + b). */
static bool depth_may_cost_less(double layers, double shape_layers, double penalty)
{
    double more = 2 * (layers - shape_layers), sum = depth_unit * (layers + shape_layers);

    return more * more < penalty * sum * sum;
}

/* The penalty, but for depth; and after plan_best_restart. */
static double penalty_of_cost(const struct plan_best *best, const struct plan_trial *trial)
{
    return (trial->cost - best->cost) * best->cost_penalty;
}

static double penalty_of_loss(const struct plan_best *best, double d_model, double expert_hidden,
                              const struct plan_trial *trial)
{
    const struct plan_site *site = best->site;
    double nominal = site->model->shape.ffn_ratio * d_model / site->cell->granularity;
    double width = log(expert_hidden / nominal) / depth_unit;
    double excess = plan_trial_loss(site, trial) / best->loss - most_loss;

    return plan_greater(0, excess) / loss_unit + width * width;
}

void plan_best_restart(struct plan_best *best)
{
    if (best->site->question->objective != PLAN_LEAST_LOSS)
        return;
    best->nearest = true;
    if (best->penalty < INFINITY)
        best->penalty = penalty_of_loss(best, best->d_model, best->expert_hidden, &best->trial) +
                        depth_penalty(best->trial.groups / best->shape_groups);
}

void plan_best_try(struct plan_best *best, const struct plan_frame *frame, double groups)
{
    struct plan_trial trial;
    double penalty;

    if (!plan_best_allows(best, groups, frame->shape_groups) ||
        !plan_trial_make(best->site, frame, groups, &trial))
        return;
    penalty = best->nearest ? penalty_of_loss(best, frame->d_model, frame->expert_hidden, &trial)
                            : penalty_of_cost(best, &trial);
    if (!depth_may_cost_less(groups, frame->shape_groups, best->penalty - penalty))
        return;
    penalty += depth_penalty(groups / frame->shape_groups);
    if (!(penalty < best->penalty))
        return;
    best->penalty = penalty;
    best->d_model = frame->d_model;
    best->expert_hidden = frame->expert_hidden;
    best->shape_groups = frame->shape_groups;
    best->trial = trial;
}

bool plan_best_allows(const struct plan_best *best, double layers, double shape_layers)
{
    return (!best->unbeaten && !best->nearest) ||
           depth_may_cost_less(layers, shape_layers, best->penalty);
}

double plan_best_loss(const struct plan_best *best)
{
    return best->penalty < INFINITY ? plan_trial_loss(best->site, &best->trial) : INFINITY;
}

bool plan_best_good(const struct plan_best *best, double loss)
{
    return loss <= best->loss * most_loss ||
           (best->site->question->objective != PLAN_LEAST_LOSS && loss < INFINITY);
}
