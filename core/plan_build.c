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

/* Beyond this ratio of losses limits on n_active are held to the law's count alone. */
static const double most_loss = 1.0025;

/* No layer is wider: 3e21 parameters and more. */
static const double d_model_max = 1 << 24;

struct build {
    struct plan_site site;
    double size;    /* the N the law reads, of the continuous optimum */
    double cost;    /* what is to be least, there */
    bool unbeaten;  /* nothing built costs less */
    bool ordered;   /* and the wider, the fewer layers: see may_win_beyond */
    double penalty; /* of the best so far, which is: */
    double d_model, expert_hidden;
    struct plan_trial best;
    double depth_most; /* beyond this ratio of depths, or its inverse, depth alone costs more */
};

static void try_groups(struct build *build, const struct plan_frame *frame, double groups)
{
    double ratio = groups * frame->group / shape_layers(&build->site.model->shape, frame->d_model);
    struct plan_trial trial;
    double depth, penalty;

    if (build->unbeaten && (ratio > build->depth_most || ratio * build->depth_most < 1))
        return;
    if (!plan_trial_make(&build->site, frame, groups, &trial))
        return;
    depth = log(ratio) / depth_unit;
    penalty =
        (trial.cost / build->cost - 1) / cost_unit[build->site.question->objective] + depth * depth;
    if (!(penalty < build->penalty))
        return;
    build->penalty = penalty;
    build->depth_most = exp(depth_unit * sqrt(fmax(0, penalty)));
    build->d_model = frame->d_model;
    build->expert_hidden = frame->expert_hidden;
    build->best = trial;
}

/* The depths whose sizes lie round the goal's, kept within what is allowed: all but tokens is
 * linear in layers. Returns the least. */
static double try_frame(struct build *build, double d_model, double expert_hidden)
{
    const struct plan_site *site = &build->site;
    struct plan_frame frame = plan_frame_make(site, d_model, expert_hidden);
    double shape_groups = shape_layers(&site->model->shape, d_model) / frame.group;
    double low = plan_greater(1, ceil(shape_groups / depth_factor));
    double high = floor(plan_lesser(shape_groups * depth_factor, plan_frame_most(site, &frame)));
    double groups = floor(plan_frame_groups(site, &frame, build->size));
    /* A target loss is for the law's own count to reach, which is a little less. */
    int depths = site->question->objective == PLAN_LEAST_LOSS ? 2 : 3;

    groups = plan_greater(low, plan_lesser(high, groups));
    for (int more = 0; more < depths && groups + more <= high; more++)
        try_groups(build, &frame, groups + more);
    return groups * frame.group;
}

/* Whether widths beyond this one, further from the goal, may still win, when try_frame had `layers`
 * here. What bounds the layers falls as widths grow, since a layer's parameters grow (with as many
 * KV heads as heads), so wider ones are shallower yet and narrower ones deeper, until depth_factor
 * holds them: to 1/2 + 2/depth of the shape's depth from above, 2 − 2/depth from below. */
static bool may_win_beyond(const struct build *build, double d_model, double layers, bool wider)
{
    double depth = shape_layers(&build->site.model->shape, d_model);

    if (!build->ordered)
        return true;
    if (wider)
        return plan_greater((layers + 1) / depth, 1 / depth_factor + 2 / depth) *
                   build->depth_most >=
               1;
    return plan_lesser(layers / depth, depth_factor - 2 / depth) <= build->depth_most;
}

/* Returns whether widths beyond may win. */
static bool try_width(struct build *build, double d_model, bool fine, bool wider)
{
    const struct shape *shape = &build->site.model->shape;
    double granularity = build->site.cell->granularity;
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
    double multiple = fine ? MULTIPLE_FINE : plan_greater(MULTIPLE, architecture_multiple(goal));
    double factor = fine ? width_factor_wide : width_factor, low, high, middle;
    bool narrower, wider;

    while (goal * (factor - 1 / factor) / multiple > WIDTHS_MAX)
        multiple *= 2;
    low = plan_greater(multiple, multiple * ceil(goal / factor / multiple));
    high = plan_greater(low, multiple * floor(goal * factor / multiple));
    middle = plan_greater(low, plan_lesser(high, multiple * round(goal / multiple)));
    narrower = try_width(build, middle, fine, false);
    wider = true;
    for (double away = multiple; (narrower || wider) && away <= high - low; away += multiple) {
        narrower = narrower && middle - away >= low && try_width(build, middle - away, fine, false);
        wider = wider && middle + away <= high && try_width(build, middle + away, fine, true);
    }
}

/* The loss of the best there is, or NAN. */
static double search(struct build *build, double d_model)
{
    build->penalty = build->depth_most = INFINITY;
    try_widths(build, d_model, false);
    if (!(build->penalty <= enough))
        try_widths(build, d_model, true);
    if (build->penalty == INFINITY)
        return NAN;
    return law_slice_loss(&build->site.cell->slice, build->best.size, build->best.tokens);
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
    const struct plan_limits *limits = &question->limits;
    double loss;
    struct build build = {
        .site = {.question = question, .model = model, .cell = cell},
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
    loss = search(&build, c->d_model);
    if (!(loss <= c->loss * most_loss) && question->objective == PLAN_LEAST_LOSS &&
        cell->experts > 1 &&
        (limits->max_n_active < INFINITY || limits->inference_tokens > 0 ||
         limits->min_tokens_per_param > 0)) {
        build.site.law_active = true;
        loss = search(&build, c->d_model);
    }
    if (isnan(loss)) {
        configuration->no_architecture = "no whole sizes near the optimum keep every limit";
        return;
    }
    configuration->has_architecture = true;
    configuration->architecture =
        architecture_make(&model->shape, build.d_model, build.best.layers, build.expert_hidden,
                          cell->experts, cell->granularity);
    configuration->architecture.tokens = build.best.tokens;
    configuration->architecture.loss = loss;
}
