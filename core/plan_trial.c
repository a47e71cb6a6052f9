#include "core/plan_trial.h"

#include <math.h>

struct plan_frame plan_frame_make(const struct plan_site *site, double d_model,
                                  double expert_hidden)
{
    const struct plan_cell *cell = site->cell;
    const struct shape *shape = &site->model->shape;
    double group = cell->experts > 1 ? shape->moe_layer_freq : 1;
    struct architecture one =
        architecture_draft(shape, d_model, group, expert_hidden, cell->experts, cell->granularity);

    return (struct plan_frame){
        .d_model = d_model,
        .expert_hidden = expert_hidden,
        .group = group,
        .count = architecture_parts(shape, &one),
        .cache_group = architecture_kv_elements(&one, site->question->limits.kv_tokens),
        .router_group = site->model->law->routing_flops
                            ? architecture_flops_per_token(&one, true) -
                                  architecture_flops_per_token(&one, false)
                            : 0,
    };
}

double plan_frame_most(const struct plan_site *site, const struct plan_frame *frame)
{
    const struct plan_limits *limits = &site->question->limits;
    const struct architecture_parts *count = &frame->count;
    double total = count->total + count->uncounted;
    double total_group = count->total_group + count->uncounted_group;
    double active = count->active, active_group = count->active_group;
    double most;

    if (!site->law_active) {
        active += count->uncounted;
        active_group += count->uncounted_group;
    }
    most = (limits->max_n_active - active) / active_group;
    most = plan_lesser(most, (limits->memory_bytes / limits->bytes_per_param - total) /
                                 (total_group + frame->cache_group));
    return plan_lesser(most, (limits->train_memory_bytes / limits->train_bytes_per_param - total) /
                                 total_group);
}

double plan_frame_groups(const struct plan_site *site, const struct plan_frame *frame, double size)
{
    const struct architecture_parts *count = &frame->count;
    bool by_total = site->model->law->size_variable == LAW_N_TOTAL;
    double outside = by_total ? count->total : count->active;
    double group = by_total ? count->total_group : count->active_group;

    if (site->law_active)
        return (size - outside) / group;
    return (size - outside - count->uncounted) / (group + count->uncounted_group);
}

double plan_frame_size(const struct plan_site *site, const struct plan_frame *frame, double groups)
{
    const struct architecture_parts *count = &frame->count;

    return site->model->law->size_variable == LAW_N_TOTAL
               ? count->total + groups * count->total_group
               : count->active + groups * count->active_group;
}

/* The fewest tokens from least to most that bring the loss to the target, or NAN. */
static double tokens_for_target(const struct plan_site *site, double size, double least,
                                double most)
{
    const struct law_slice *slice = &site->cell->slice;
    double target = site->question->target_loss, low = log(least),
           high = log(plan_lesser(most, 1e300));

    if (!(law_slice_loss(slice, size, exp(high)) <= target))
        return NAN;
    if (law_slice_loss(slice, size, least) <= target)
        return least;
    while (high - low > 1e-13 * high) {
        double middle = low + (high - low) / 2;

        if (law_slice_loss(slice, size, exp(middle)) <= target)
            high = middle;
        else
            low = middle;
    }
    return exp(high);
}

/* Fills tokens and cost, or returns false when the limits leave no room or the target is missed.
 * Training counts what the law leaves out as 6 FLOPs of a token, where it is more than the law's
 * own charge for routing. */
static bool choose_tokens(const struct plan_site *site, struct plan_trial *t)
{
    const struct plan_question *question = site->question;
    const struct plan_limits *limits = &question->limits;
    const struct law_slice *slice = &site->cell->slice;
    double n_all = t->n_active + t->uncounted;
    double per_token = plan_greater(t->per_token, SHAPE_TRAIN_FLOPS_PER_PARAM * n_all);
    double n_active = site->law_active ? t->n_active : n_all;
    double inference = SHAPE_INFERENCE_FLOPS_PER_PARAM * n_active * limits->inference_tokens;
    double left = limits->compute_flops - inference;
    double most = limits->max_tokens_per_param * t->n_active, cap;
    double least = limits->min_tokens_per_param * n_active;

    if (least > most)
        least = limits->min_tokens_per_param * t->n_active;
    least = plan_greater(1, least);
    cap = plan_lesser(limits->max_tokens, most);
    most = plan_lesser(cap, left / per_token);
    if (most * per_token + inference > limits->compute_flops)
        most = nextafter(most, 0);
    if (!(most >= least))
        return false;
    if (question->objective == PLAN_LEAST_COMPUTE)
        t->tokens = tokens_for_target(site, t->size, least, most);
    else
        t->tokens = site->cell->appetite == PLAN_MORE_TOKENS ? most : least;
    if (!(t->tokens < INFINITY))
        return false;
    if (question->objective == PLAN_LEAST_LOSS) {
        /* The same share is lost with every build: as the continuous optimum has it. */
        double by_law = t->tokens == most ? plan_lesser(cap, left / t->per_token) : t->tokens;

        t->cost = law_slice_loss(slice, t->size, by_law);
        return true;
    }
    t->cost = question->objective == PLAN_LEAST_MEMORY
                  ? (t->n_total + t->cache) * limits->bytes_per_param
                  : t->per_token * t->tokens +
                        SHAPE_INFERENCE_FLOPS_PER_PARAM * t->n_active * limits->inference_tokens;
    return law_slice_loss(slice, t->size, t->tokens) <= question->target_loss;
}

static bool keeps_sizes(const struct plan_site *site, const struct plan_trial *trial)
{
    const struct plan_limits *limits = &site->question->limits;
    double beside = site->law_active ? 0 : trial->uncounted;

    return (trial->n_total + trial->uncounted + trial->cache) * limits->bytes_per_param <=
               limits->memory_bytes &&
           (trial->n_total + trial->uncounted) * limits->train_bytes_per_param <=
               limits->train_memory_bytes &&
           trial->n_active + beside <= limits->max_n_active;
}

bool plan_trial_make(const struct plan_site *site, const struct plan_frame *frame, double groups,
                     struct plan_trial *ret)
{
    const struct architecture_parts *count = &frame->count;
    double n_active = count->active + groups * count->active_group;
    double n_total = count->total + groups * count->total_group;
    struct plan_trial t = {
        .layers = groups * frame->group,
        .n_active = n_active,
        .n_total = n_total,
        .uncounted = count->uncounted + groups * count->uncounted_group,
        .size = site->model->law->size_variable == LAW_N_TOTAL ? n_total : n_active,
        .per_token = SHAPE_TRAIN_FLOPS_PER_PARAM * n_active + groups * frame->router_group,
        .cache = groups * frame->cache_group,
    };

    if (!keeps_sizes(site, &t) || !choose_tokens(site, &t))
        return false;
    *ret = t;
    return true;
}
