#include "core/plan_least.h"

#include <math.h>

#include "core/plan_balance.h"
#include "core/plan_search.h"
#include "core/plan_target.h"

/* Of tokens, as PLAN_D_MODEL_ENDLESS of d_model. */
static const double tokens_endless = 1e250;

double plan_least_d_max(const struct plan_cell *cell)
{
    const struct plan_limits *limits = cell->limits;
    double d_max = cell->d_max;

    if (limits->compute_flops == INFINITY)
        return d_max;
    d_max = fmin(d_max, plan_cell_d_by_compute(cell, limits->compute_flops, 1, 0));
    if (limits->min_tokens_per_param > 0)
        d_max = fmin(d_max, plan_cell_d_by_compute(cell, limits->compute_flops, 0,
                                                   limits->min_tokens_per_param));
    return fmax(d_max, cell->d_min);
}

double plan_least_tokens(const struct plan_cell *cell, double d_model)
{
    double least = plan_cell_tokens_least(cell, d_model);
    double most = plan_cell_tokens_most(cell, d_model);

    if (!(most >= least))
        return plan_cell_allows(cell, d_model, least) ? least : NAN;
    return cell->appetite == PLAN_MORE_TOKENS ? most : least;
}

enum plan_outcome plan_least_found(const struct plan_cell *cell, double d_model, double tokens,
                                   struct plan_point *ret)
{
    double loss = plan_cell_loss(cell, d_model, tokens);

    if (!(loss < INFINITY))
        return PLAN_NOTHING;
    *ret = (struct plan_point){d_model, tokens, loss, loss};
    return PLAN_FOUND;
}

static enum plan_outcome least_loss_unimodal(const struct plan_cell *cell, struct plan_point *ret)
{
    const struct plan_limits *limits = cell->limits;
    const struct plan_path path = {.cell = cell};
    double d = cell->d_max, tokens, cap;

    if (limits->compute_flops == INFINITY) {
        cap = plan_cell_tokens_cap(cell, d);
        return d < INFINITY && cap < INFINITY ? plan_least_found(cell, d, cap, ret) : PLAN_ENDLESS;
    }
    if (cell->closed_form)
        d = fmax(cell->d_min, fmin(d, plan_balance_start_at_compute(cell)));
    else
        d = plan_balance_root(&path, plan_balance_start_at_compute(cell), cell->d_min, cell->d_max);
    tokens = plan_cell_tokens_by_compute(cell, d);
    cap = plan_cell_tokens_cap(cell, d);
    if (tokens > cap) {
        /* Compute is left over here: a larger model is better until compute or d_max binds. */
        double up = d;

        if (limits->max_tokens < INFINITY)
            up = fmax(up,
                      plan_cell_d_by_compute(cell, limits->compute_flops, limits->max_tokens, 0));
        if (limits->max_tokens_per_param < INFINITY)
            up = fmax(up, plan_cell_d_by_compute(cell, limits->compute_flops, 0,
                                                 limits->max_tokens_per_param));
        d = fmin(up, cell->d_max);
        tokens = plan_cell_tokens_most(cell, d);
    }
    if (tokens < plan_cell_tokens_least(cell, d)) {
        /* Too large for the fewest tokens allowed: the largest that is not. */
        d = fmin(d, plan_least_d_max(cell));
        tokens = fmin(plan_cell_tokens_least(cell, d), plan_cell_tokens_cap(cell, d));
    }
    return plan_least_found(cell, d, tokens, ret);
}

static double loss_at(const void *ctx, double x)
{
    const struct plan_cell *cell = (const struct plan_cell *)ctx;
    double tokens = plan_least_tokens(cell, exp(x));

    return tokens > 0 ? plan_cell_loss(cell, exp(x), tokens) : INFINITY;
}

static enum plan_outcome least_loss_global(const struct plan_cell *cell, struct plan_point *ret)
{
    double d_max = plan_least_d_max(cell), d, x;
    bool endless = d_max > PLAN_D_MODEL_ENDLESS;
    double high = log(endless ? PLAN_D_MODEL_ENDLESS : d_max);

    if (cell->appetite == PLAN_MORE_TOKENS && plan_cell_tokens_most(cell, cell->d_min) == INFINITY)
        return PLAN_ENDLESS;
    if (plan_search_least(loss_at, cell, log(cell->d_min), high, &x) == INFINITY)
        return PLAN_NOTHING;
    if (endless && x > high - 1)
        return PLAN_ENDLESS;
    d = fmin(fmax(exp(x), cell->d_min), d_max);
    return plan_least_found(cell, d, plan_least_tokens(cell, d), ret);
}

enum plan_outcome plan_least_loss(const struct plan_cell *cell, struct plan_point *ret)
{
    if (!cell->feasible || !cell->finite)
        return PLAN_NOTHING;
    return cell->unimodal ? least_loss_unimodal(cell, ret) : least_loss_global(cell, ret);
}

double plan_least_reachable(const struct plan_cell *cell)
{
    struct plan_point point;
    double d = plan_least_d_max(cell);
    enum plan_outcome outcome = plan_least_loss(cell, &point);

    if (outcome == PLAN_FOUND)
        return point.loss;
    if (outcome == PLAN_NOTHING)
        return INFINITY;
    /* Powers of infinity are exact here: N^mu and D^nu are 0. */
    if (cell->unimodal)
        return plan_cell_loss(cell, d, plan_cell_tokens_cap(cell, d));
    d = fmin(d, PLAN_D_MODEL_ENDLESS);
    return plan_cell_loss(cell, d, fmin(plan_least_tokens(cell, d), tokens_endless));
}

enum plan_outcome plan_least(const struct plan_cell *cell, enum plan_objective objective,
                             double target_loss, struct plan_point *ret)
{
    switch (objective) {
    case PLAN_LEAST_LOSS:
        return plan_least_loss(cell, ret);
    case PLAN_LEAST_COMPUTE:
        return plan_target_compute(cell, target_loss, ret);
    case PLAN_LEAST_MEMORY:
        break;
    }
    return plan_target_memory(cell, target_loss, ret);
}
