#include "core/suggest_refine.h"

#include <math.h>
#include <string.h>

/* Steps of ln size and ln tokens, halved while nothing gets better. */
static const double first_step = 0.8, last_step = 0.02;

/* A move for less than this, relative, is none. */
static const double least_gain = 1e-6;

/* Limits and budget may be missed by this, relative, as a plan's: what refusals name is rounded. */
static const double limit_tolerance = 1e-12;

enum {
    TRIALS_MAX = 40000, /* for all a list may need */
    PARTNERS_MAX = 8,   /* runs that one gives FLOPs to */
};

/* A search under way. */
struct refine {
    const struct suggest_design *design;
    struct suggest_list *list;
    size_t trials;
    bool better;
};

static double clip(double value, const double range[2])
{
    return fmin(fmax(value, range[0]), range[1]);
}

/* The largest model of an E within the box and the limits. */
static double most_size(const struct suggest_question *question, double experts)
{
    const struct plan_limits *limits = question->limits;
    const struct shape *shape = &question->model.shape;
    double most = question->n_active[1];

    if (limits == NULL)
        return most;
    most = fmin(most, limits->max_n_active);
    if (limits->memory_bytes < INFINITY)
        most = fmin(most,
                    shape_n_active(shape, shape_d_from_memory(
                                              shape, limits->memory_bytes / limits->bytes_per_param,
                                              experts, limits->kv_tokens)));
    if (limits->train_memory_bytes < INFINITY)
        most =
            fmin(most, shape_n_active(shape, shape_d_from_n_total(shape,
                                                                  limits->train_memory_bytes /
                                                                      limits->train_bytes_per_param,
                                                                  experts)));
    return most;
}

bool suggest_trial_make(const struct suggest_design *design, double experts, double granularity,
                        double n_active, double tokens, double most_flops,
                        struct suggest_trial *ret)
{
    const struct suggest_question *question = design->question;
    const struct shape *shape = &question->model.shape;
    double most_tokens = question->tokens[1];
    const double sizes[2] = {question->n_active[0], most_size(question, experts)};
    double size = clip(n_active, sizes);
    double d = shape_d_from_n_active(shape, size);
    double per_token =
        shape_flops_per_token(shape, d, experts, granularity, question->model.law->routing_flops);
    double most;
    struct obs obs;

    if (question->limits != NULL)
        most_tokens = fmin(most_tokens, question->limits->max_tokens);
    most = fmin(most_tokens, most_flops / per_token);
    if (most < question->tokens[0] * (1 - limit_tolerance) ||
        sizes[1] < sizes[0] * (1 - limit_tolerance))
        return false;
    ret->run = (struct suggest_run){
        .experts = experts,
        .granularity = granularity,
        .n_active = size,
        .n_total = shape_n_total(shape, d, experts),
        .d_model = d,
        .tokens = fmin(fmax(tokens, question->tokens[0]), most),
    };
    ret->run.train_flops = ret->run.tokens * per_token;
    obs = (struct obs){.n_active = ret->run.n_active,
                       .n_total = ret->run.n_total,
                       .tokens = ret->run.tokens,
                       .experts = experts,
                       .granularity = granularity};
    suggest_space_feature(design->space, &obs, ret->feature);
    return true;
}

/* The run moved by factors of size and tokens, or to another E and G. */
static bool moved(struct refine *refine, const struct suggest_run *run, double by_size,
                  double by_tokens, double most_flops, struct suggest_trial *ret)
{
    refine->trials++;
    return suggest_trial_make(refine->design, run->experts, run->granularity,
                              run->n_active * by_size, run->tokens * by_tokens, most_flops, ret);
}

/* Takes the trial in the place of run i if that is better. */
static void take(struct refine *refine, size_t i, const struct suggest_known *others,
                 const struct suggest_trial *trial)
{
    struct suggest_list *list = refine->list;
    double variance = others->variance - suggest_reduction(refine->design, others, trial->feature);

    if (!(variance < list->variance * (1 - least_gain)))
        return;
    list->flops += trial->run.train_flops - list->trial[i].run.train_flops;
    list->trial[i] = *trial;
    list->variance = variance;
    refine->better = true;
}

/* One run alone: along size, tokens, both, and both at equal FLOPs. */
static void move_one(struct refine *refine, size_t i, double step)
{
    static const double direction[][2] = {{1, 0},  {-1, 0}, {0, 1}, {0, -1},
                                          {1, -1}, {-1, 1}, {1, 1}, {-1, -1}};
    struct suggest_list *list = refine->list;
    double budget = refine->design->question->budget_flops;
    struct suggest_known others;
    struct suggest_trial trial;

    suggest_known_of(refine->design, list, i, i, &others);
    for (size_t k = 0; k < sizeof direction / sizeof *direction; k++) {
        const struct suggest_run run = list->trial[i].run;

        if (moved(refine, &run, exp(step * direction[k][0]), exp(step * direction[k][1]),
                  budget - (list->flops - run.train_flops), &trial))
            take(refine, i, &others, &trial);
    }
}

/* The same run with every other E and G. */
static void move_cell(struct refine *refine, size_t i)
{
    const struct suggest_question *q = refine->design->question;
    struct suggest_list *list = refine->list;
    struct suggest_known others;
    struct suggest_trial trial;

    suggest_known_of(refine->design, list, i, i, &others);
    for (size_t e = 0; e < q->n_experts; e++)
        for (size_t g = 0; g < q->n_granularity && (g == 0 || q->experts[e] > 1); g++) {
            const struct suggest_run *run = &list->trial[i].run;

            refine->trials++;
            if (suggest_trial_make(refine->design, q->experts[e],
                                   q->experts[e] > 1 ? q->granularity[g] : 1, run->n_active,
                                   run->tokens, q->budget_flops - (list->flops - run->train_flops),
                                   &trial))
                take(refine, i, &others, &trial);
        }
}

/* FLOPs from run j to run i: i grows in size or tokens, j shrinks in size or tokens, by the FLOPs
 * it has left. */
static void move_two(struct refine *refine, size_t i, size_t j, double step)
{
    struct suggest_list *list = refine->list;
    double budget = refine->design->question->budget_flops, grow = exp(step);
    struct suggest_known others, with;
    struct suggest_trial more, less;

    suggest_known_of(refine->design, list, i, j, &others);
    for (int way = 0; way < 4; way++) {
        const struct suggest_run from = list->trial[j].run, to = list->trial[i].run;
        double rest = list->flops - from.train_flops - to.train_flops, left, variance;

        if (!moved(refine, &to, way & 1 ? grow : 1, way & 1 ? 1 : grow, budget - rest, &more))
            continue;
        left = budget - rest - more.run.train_flops;
        if (!moved(refine, &from, way & 2 ? fmin(1, left / from.train_flops) : 1, 1, left, &less))
            continue;
        with = others;
        suggest_known_add(refine->design, more.feature, &with);
        variance = with.variance - suggest_reduction(refine->design, &with, less.feature);
        if (variance < list->variance * (1 - least_gain)) {
            list->trial[i] = more;
            list->trial[j] = less;
            list->flops = rest + more.run.train_flops + less.run.train_flops;
            list->variance = variance;
            refine->better = true;
            suggest_known_of(refine->design, list, i, j, &others);
        }
    }
}

void suggest_refine(const struct suggest_design *design, struct suggest_list *list)
{
    struct refine refine = {.design = design, .list = list};

    for (double step = first_step; step >= last_step; step /= 2) {
        do {
            refine.better = false;
            for (size_t i = 0; i < list->count && refine.trials < TRIALS_MAX; i++) {
                move_cell(&refine, i);
                move_one(&refine, i, step);
                for (size_t k = 1; k < list->count && k <= PARTNERS_MAX; k++)
                    move_two(&refine, i, (i + k) % list->count, step);
            }
        } while (refine.better && refine.trials < TRIALS_MAX);
    }
}
