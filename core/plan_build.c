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

/* Integers but the number of layers, in which everything countable is linear. */
struct frame {
    double d_model, expert_hidden;
    double active, active_layer; /* outside the layers, and of each */
    double total, total_layer;
    double cache_layer;  /* elements of the KV cache */
    double router_layer; /* training FLOPs of a token beyond 6·n_active */
};

struct build {
    const struct plan_question *question;
    const struct plan_model *model;
    const struct plan_cell *cell;
    double size;    /* the N the law reads, of the continuous optimum */
    double cost;    /* what is to be least, there */
    bool unbeaten;  /* nothing built costs less */
    double penalty; /* of the best so far, which is: */
    double d_model, expert_hidden, layers, tokens, loss;
};

static struct frame frame_make(const struct build *build, double d_model, double expert_hidden)
{
    const struct plan_cell *cell = build->cell;
    const struct shape *shape = &build->model->shape;
    struct architecture one =
        architecture_make(shape, d_model, 1, expert_hidden, cell->experts, cell->granularity);
    struct architecture two = one;
    struct frame frame = {.d_model = d_model, .expert_hidden = expert_hidden};

    two.layers = 2;
    architecture_count(shape, &two);
    frame.active_layer = two.n_active - one.n_active;
    frame.active = one.n_active - frame.active_layer;
    frame.total_layer = two.n_total - one.n_total;
    frame.total = one.n_total - frame.total_layer;
    frame.cache_layer = architecture_kv_elements(&one, build->question->limits.kv_tokens);
    frame.router_layer = architecture_flops_per_token(&one, build->model->law->routing_flops) -
                         architecture_flops_per_token(&one, false);
    return frame;
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

static void try_layers(struct build *build, const struct frame *frame, double layers)
{
    const struct plan_limits *limits = &build->question->limits;
    enum plan_objective objective = build->question->objective;
    double n_active = frame->active + layers * frame->active_layer;
    double n_total = frame->total + layers * frame->total_layer;
    double size = build->model->law->size_variable == LAW_N_TOTAL ? n_total : n_active;
    double per_token = SHAPE_TRAIN_FLOPS_PER_PARAM * n_active + layers * frame->router_layer;
    double served = (n_total + layers * frame->cache_layer) * limits->bytes_per_param;
    double depth = log(layers / shape_layers(&build->model->shape, frame->d_model)) / depth_unit;
    double tokens, loss, cost, penalty;

    if (build->unbeaten && depth * depth >= build->penalty)
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
    penalty = (cost / build->cost - 1) / cost_unit[objective] + depth * depth;
    if (!(penalty < build->penalty))
        return;
    build->penalty = penalty;
    build->d_model = frame->d_model;
    build->expert_hidden = frame->expert_hidden;
    build->layers = layers;
    build->tokens = tokens;
    build->loss = loss;
}

/* The two depths whose sizes lie round the goal's, kept within what is allowed: all but tokens is
 * linear in layers. */
static void try_frame(struct build *build, double d_model, double expert_hidden)
{
    const struct plan_limits *limits = &build->question->limits;
    struct frame frame = frame_make(build, d_model, expert_hidden);
    bool by_total = build->model->law->size_variable == LAW_N_TOTAL;
    double shape_depth = shape_layers(&build->model->shape, d_model);
    double low = fmax(1, ceil(shape_depth / depth_factor)), high = shape_depth * depth_factor;
    double layers = floor((build->size - (by_total ? frame.total : frame.active)) /
                          (by_total ? frame.total_layer : frame.active_layer));

    high = fmin(high, (limits->max_n_active - frame.active) / frame.active_layer);
    high = fmin(high, (limits->memory_bytes / limits->bytes_per_param - frame.total) /
                          (frame.total_layer + frame.cache_layer));
    high = fmin(high, (limits->train_memory_bytes / limits->train_bytes_per_param - frame.total) /
                          frame.total_layer);
    high = floor(high);
    layers = fmax(low, fmin(high, layers));
    if (layers <= high)
        try_layers(build, &frame, layers);
    if (layers + 1 <= high)
        try_layers(build, &frame, layers + 1);
}

static void try_width(struct build *build, double d_model, bool fine)
{
    const struct shape *shape = &build->model->shape;
    double granularity = build->cell->granularity;
    double hidden = architecture_expert_hidden(shape, d_model, granularity);
    double other = shape->ffn_ratio * d_model / granularity > hidden ? 1 : -1;

    try_frame(build, d_model, hidden);
    if (fine && hidden + other * architecture_multiple(hidden) > 0)
        try_frame(build, d_model, hidden + other * architecture_multiple(hidden));
}

/* From the goal outwards: what is near it is seldom beaten, and rules out most of the rest. */
static void try_widths(struct build *build, double goal, bool fine)
{
    double multiple = fine ? MULTIPLE_FINE : fmax(MULTIPLE, architecture_multiple(goal));
    double factor = fine ? width_factor_wide : width_factor, low, high, middle;

    while (goal * (factor - 1 / factor) / multiple > WIDTHS_MAX)
        multiple *= 2;
    low = fmax(multiple, multiple * ceil(goal / factor / multiple));
    high = fmax(low, multiple * floor(goal * factor / multiple));
    middle = fmax(low, fmin(high, multiple * round(goal / multiple)));
    try_width(build, middle, fine);
    for (double away = multiple; away <= high - low; away += multiple) {
        if (middle - away >= low)
            try_width(build, middle - away, fine);
        if (middle + away <= high)
            try_width(build, middle + away, fine);
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
        .size = model->law->size_variable == LAW_N_TOTAL ? c->n_total : c->n_active,
        .cost = question->objective == PLAN_LEAST_LOSS     ? c->loss
                : question->objective == PLAN_LEAST_MEMORY ? c->memory_total_bytes
                                                           : c->train_flops + c->inference_flops,
        .unbeaten = is_unbeaten(question, model, cell, c->binding),
    };

    configuration->has_architecture = false;
    if (!architecture_is_whole(cell->experts, cell->granularity)) {
        configuration->no_architecture = "E·G experts, G of them chosen, are not whole numbers";
        return;
    }
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
