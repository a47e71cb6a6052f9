#include "core/plan_build.h"

#include <math.h>

/* Layers may be this many times more or fewer than the shape has. */
static const double depth_factor = 2;

/* Penalty 1 each: a depth √2 times the shape's, or this much more of what is to be least. */
static const double depth_unit = 0.35;
static const double cost_unit[] = {
    [PLAN_LEAST_LOSS] = 1e-4,
    [PLAN_LEAST_COMPUTE] = 2e-3,
    [PLAN_LEAST_MEMORY] = 2e-3,
};

/* Widths tried, to either side of the continuous d_model. Where that costs more penalty than
 * `enough`, as it can with small models at a limit, all those are tried that layers within
 * depth_factor can make good (N is about layers·d²), in narrower steps and with experts rounded
 * either way. */
static const double width_factor = 1.13, width_factor_wide = 1.26;
static const double enough = 10;
enum { MULTIPLE = 64, MULTIPLE_FINE = 8, WIDTHS_MAX = 64 };

/* No layer is wider: 3e21 parameters and more. */
static const double d_model_max = 1 << 24;

/* Integers but the number of layers. They come in groups, one layer of each with experts;
 * everything countable is linear in the groups. */
struct frame {
    double d_model, expert_hidden;
    double group; /* layers */
    struct architecture_parts count;
    double cache_group;  /* elements of the KV cache */
    double router_group; /* training FLOPs of a token beyond 6·n_active */
};

struct build {
    const struct plan_question *question;
    const struct plan_model *model;
    const struct plan_cell *cell;
    double size;    /* the N the law reads, of the continuous optimum */
    double cost;    /* what is to be least, there */
    bool unbeaten;  /* nothing built costs less */
    bool ordered;   /* and the wider, the fewer layers: see may_win_beyond */
    double penalty; /* of the best so far, which is: */
    double d_model, expert_hidden, layers, tokens, loss;
    double depth_most; /* beyond this ratio of depths, or its inverse, depth alone costs more */
};

static struct frame frame_make(const struct build *build, double d_model, double expert_hidden)
{
    const struct plan_cell *cell = build->cell;
    const struct shape *shape = &build->model->shape;
    double group = cell->experts > 1 ? shape->moe_layer_freq : 1;
    struct architecture one =
        architecture_make(shape, d_model, group, expert_hidden, cell->experts, cell->granularity);

    return (struct frame){
        .d_model = d_model,
        .expert_hidden = expert_hidden,
        .group = group,
        .count = architecture_parts(shape, &one),
        .cache_group = architecture_kv_elements(&one, build->question->limits.kv_tokens),
        .router_group = architecture_flops_per_token(&one, build->model->law->routing_flops) -
                        architecture_flops_per_token(&one, false),
    };
}

/* The fewest tokens from least to most that bring the loss to the target, or NAN. */
static double tokens_for_target(const struct build *build, double size, double least, double most)
{
    const struct law_slice *slice = &build->cell->slice;
    double target = build->question->target_loss, low = log(least), high = log(fmin(most, 1e300));

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

/* The tokens to plan for so many layers, or NAN when they leave no room or miss the target. */
static double tokens_of(const struct build *build, double n_active, double size, double per_token)
{
    const struct plan_limits *limits = &build->question->limits;
    double least = fmax(1, limits->min_tokens_per_param * n_active);
    double most = fmin(limits->max_tokens, limits->max_tokens_per_param * n_active), tokens;

    if (limits->compute_flops < INFINITY) {
        double inference = SHAPE_INFERENCE_FLOPS_PER_PARAM * n_active * limits->inference_tokens;

        most = fmin(most, (limits->compute_flops - inference) / per_token);
        if (most * per_token + inference > limits->compute_flops)
            most = nextafter(most, 0);
    }
    if (!(most >= least))
        return NAN;
    if (build->question->objective == PLAN_LEAST_COMPUTE)
        return tokens_for_target(build, size, least, most);
    tokens = build->cell->appetite == PLAN_MORE_TOKENS ? most : least;
    return tokens < INFINITY ? tokens : NAN;
}

static void try_groups(struct build *build, const struct frame *frame, double groups)
{
    const struct plan_limits *limits = &build->question->limits;
    enum plan_objective objective = build->question->objective;
    const struct architecture_parts *count = &frame->count;
    double layers = groups * frame->group;
    double ratio = layers / shape_layers(&build->model->shape, frame->d_model);
    double n_active = count->active + groups * count->active_group;
    double n_total = count->total + groups * count->total_group;
    double size = build->model->law->size_variable == LAW_N_TOTAL ? n_total : n_active;
    double per_token = SHAPE_TRAIN_FLOPS_PER_PARAM * n_active + groups * frame->router_group;
    double served = (n_total + groups * frame->cache_group) * limits->bytes_per_param;
    double depth, tokens, loss, cost, penalty;

    if (build->unbeaten && (ratio > build->depth_most || ratio * build->depth_most < 1))
        return;
    if (served > limits->memory_bytes || n_active > limits->max_n_active ||
        n_total * limits->train_bytes_per_param > limits->train_memory_bytes)
        return;
    tokens = tokens_of(build, n_active, size, per_token);
    if (isnan(tokens))
        return;
    loss = law_slice_loss(&build->cell->slice, size, tokens);
    if (objective != PLAN_LEAST_LOSS && !(loss <= build->question->target_loss))
        return;
    cost = objective == PLAN_LEAST_LOSS ? loss
           : objective == PLAN_LEAST_MEMORY
               ? served
               : per_token * tokens +
                     SHAPE_INFERENCE_FLOPS_PER_PARAM * n_active * limits->inference_tokens;
    depth = log(ratio) / depth_unit;
    penalty = (cost / build->cost - 1) / cost_unit[objective] + depth * depth;
    if (!(penalty < build->penalty))
        return;
    build->penalty = penalty;
    build->depth_most = exp(depth_unit * sqrt(fmax(0, penalty)));
    build->d_model = frame->d_model;
    build->expert_hidden = frame->expert_hidden;
    build->layers = layers;
    build->tokens = tokens;
    build->loss = loss;
}

/* The two depths whose sizes lie round the goal's, kept within what is allowed: all but tokens is
 * linear in layers. Returns the lesser. */
static double try_frame(struct build *build, double d_model, double expert_hidden)
{
    const struct plan_limits *limits = &build->question->limits;
    struct frame frame = frame_make(build, d_model, expert_hidden);
    bool by_total = build->model->law->size_variable == LAW_N_TOTAL;
    double shape_groups = shape_layers(&build->model->shape, d_model) / frame.group;
    double low = fmax(1, ceil(shape_groups / depth_factor)), high = shape_groups * depth_factor;
    double groups = floor((build->size - (by_total ? frame.count.total : frame.count.active)) /
                          (by_total ? frame.count.total_group : frame.count.active_group));

    high = fmin(high, (limits->max_n_active - frame.count.active) / frame.count.active_group);
    high = fmin(high, (limits->memory_bytes / limits->bytes_per_param - frame.count.total) /
                          (frame.count.total_group + frame.cache_group));
    high = fmin(high,
                (limits->train_memory_bytes / limits->train_bytes_per_param - frame.count.total) /
                    frame.count.total_group);
    high = floor(high);
    groups = fmax(low, fmin(high, groups));
    if (groups <= high)
        try_groups(build, &frame, groups);
    if (groups + 1 <= high)
        try_groups(build, &frame, groups + 1);
    return groups * frame.group;
}

/* Whether widths beyond this one, further from the goal, may still win, when try_frame had `layers`
 * here. What bounds the layers falls as widths grow, since a layer's parameters grow (with as many
 * KV heads as heads), so wider ones are shallower yet and narrower ones deeper, until depth_factor
 * holds them: to 1/2 + 2/depth of the shape's depth from above, 2 − 2/depth from below. */
static bool may_win_beyond(const struct build *build, double d_model, double layers, bool wider)
{
    double depth = shape_layers(&build->model->shape, d_model);

    if (!build->ordered)
        return true;
    if (wider)
        return fmax((layers + 1) / depth, 1 / depth_factor + 2 / depth) * build->depth_most >= 1;
    return fmin(layers / depth, depth_factor - 2 / depth) <= build->depth_most;
}

/* Returns whether widths beyond may win. */
static bool try_width(struct build *build, double d_model, bool fine, bool wider)
{
    const struct shape *shape = &build->model->shape;
    double granularity = build->cell->granularity;
    double hidden = architecture_expert_hidden(shape, d_model, granularity);
    double other = shape->ffn_ratio * d_model / granularity > hidden ? 1 : -1;
    double layers = try_frame(build, d_model, hidden);

    if (!fine)
        return may_win_beyond(build, d_model, layers, wider);
    if (hidden + other * architecture_multiple(hidden) > 0)
        try_frame(build, d_model, hidden + other * architecture_multiple(hidden));
    return true;
}

/* From the goal outwards: what is near it is seldom beaten, and rules out most of the rest. */
static void try_widths(struct build *build, double goal, bool fine)
{
    double multiple = fine ? MULTIPLE_FINE : fmax(MULTIPLE, architecture_multiple(goal));
    double factor = fine ? width_factor_wide : width_factor, low, high, middle;
    bool narrower, wider;

    while (goal * (factor - 1 / factor) / multiple > WIDTHS_MAX)
        multiple *= 2;
    low = fmax(multiple, multiple * ceil(goal / factor / multiple));
    high = fmax(low, multiple * floor(goal * factor / multiple));
    middle = fmax(low, fmin(high, multiple * round(goal / multiple)));
    narrower = try_width(build, middle, fine, false);
    wider = true;
    for (double away = multiple; (narrower || wider) && away <= high - low; away += multiple) {
        narrower = narrower && middle - away >= low && try_width(build, middle - away, fine, false);
        wider = wider && middle + away <= high && try_width(build, middle + away, fine, true);
    }
}

/* Whether the continuous configuration is the best of all with those limits, not of its shape only:
 * the law and the compute read N_act alone, which a build may match with any depth. */
static bool is_unbeaten(const struct plan_question *question, const struct plan_model *model,
                        const struct plan_cell *cell, unsigned binding)
{
    unsigned by_shape = 1U << PLAN_LIMIT_MEMORY | 1U << PLAN_LIMIT_TRAIN_MEMORY;

    return question->objective == PLAN_LEAST_LOSS && cell->unimodal &&
           model->law->size_variable == LAW_N_ACTIVE &&
           !(model->law->routing_flops && cell->experts > 1) && !(binding & by_shape);
}

void plan_build(const struct plan_question *question, const struct plan_model *model,
                const struct plan_cell *cell, struct plan_configuration *configuration)
{
    const struct plan_configuration *c = configuration;
    struct build build = {
        .question = question,
        .model = model,
        .cell = cell,
        .penalty = INFINITY,
        .depth_most = INFINITY,
        .size = model->law->size_variable == LAW_N_TOTAL ? c->n_total : c->n_active,
        .cost = question->objective == PLAN_LEAST_LOSS     ? c->loss
                : question->objective == PLAN_LEAST_MEMORY ? c->memory_total_bytes
                                                           : c->train_flops + c->inference_flops,
        .unbeaten = is_unbeaten(question, model, cell, c->binding),
    };

    build.ordered = build.unbeaten && model->shape.kv_ratio == 1 &&
                    model->shape.moe_layer_freq == 1 && fmod(MULTIPLE, model->shape.head_dim) == 0;
    configuration->has_architecture = false;
    configuration->no_architecture =
        architecture_fault(&model->shape, cell->experts, cell->granularity);
    if (configuration->no_architecture != NULL)
        return;
    if (c->d_model > d_model_max) {
        configuration->no_architecture = "the optimum is wider than any layer";
        return;
    }
    try_widths(&build, c->d_model, false);
    if (!(build.penalty <= enough))
        try_widths(&build, c->d_model, true);
    if (build.penalty == INFINITY) {
        configuration->no_architecture = "no whole sizes near the optimum keep every limit";
        return;
    }
    configuration->has_architecture = true;
    configuration->architecture =
        architecture_make(&model->shape, build.d_model, build.layers, build.expert_hidden,
                          cell->experts, cell->granularity);
    configuration->architecture.tokens = build.tokens;
    configuration->architecture.loss = build.loss;
}
