#include "core/suggest.h"

#include <assert.h>
#include <math.h>

#include "core/plan_limit.h"
#include "core/suggest_design.h"
#include "core/suggest_refine.h"

static double log_point(const double range[2], size_t i)
{
    return range[0] * pow(range[1] / range[0], (double)i / (SUGGEST_GRID - 1));
}

static struct obs obs_of_target(const struct plan_configuration *c)
{
    return (struct obs){
        .n_active = c->n_active,
        .n_total = c->n_total,
        .tokens = c->tokens,
        .experts = c->experts,
        .granularity = c->granularity,
    };
}

static void add_candidates(struct suggest_design *design, double experts, double granularity)
{
    const struct suggest_question *q = design->question;

    for (size_t i = 0; i < SUGGEST_GRID; i++)
        for (size_t j = 0; j < SUGGEST_GRID; j++) {
            double tokens = log_point(q->tokens, j);
            struct suggest_trial *trial = &design->candidate[design->n_candidates];

            /* One that budget cuts short is the last of its size. */
            if (!suggest_trial_make(design, experts, granularity, log_point(q->n_active, i), tokens,
                                    q->budget_flops, trial))
                break;
            design->n_candidates++;
            if (trial->run.tokens < tokens)
                break;
        }
}

static enum err_code make_design(const struct suggest_question *question,
                                 const struct suggest_space *space, struct arena *arena,
                                 struct suggest_design *ret, struct err *err)
{
    size_t most = question->n_experts * question->n_granularity * SUGGEST_GRID * SUGGEST_GRID;

    *ret = (struct suggest_design){
        .question = question,
        .space = space,
        .spread = robust_spread(&question->options->robust, question->noise_log),
    };
    ret->candidate = arena_alloc(arena, most * sizeof *ret->candidate);
    if (!ret->candidate)
        return err_set(err, ERR_NO_MEMORY, "no room for %zu candidate runs", most);
    for (size_t t = 0; t < question->n_targets; t++) {
        const struct obs obs = obs_of_target(&question->targets[t]);

        suggest_space_feature(space, &obs, ret->target[t]);
    }
    for (size_t e = 0; e < question->n_experts; e++)
        for (size_t g = 0; g < question->n_granularity && (g == 0 || question->experts[e] > 1); g++)
            add_candidates(ret, question->experts[e],
                           question->experts[e] > 1 ? question->granularity[g] : 1);
    return ERR_OK;
}

/* A field for each limit that the smallest run breaks. */
static enum err_code refuse_limits(const struct suggest_question *question, double d_model,
                                   struct err *err)
{
    const struct plan_limits *limits = question->limits;
    const struct shape *shape = &question->model.shape;
    double n_total = shape_n_total(shape, d_model, question->experts[0]);
    double cache = shape_kv_elements(shape, d_model, limits->kv_tokens);
    const struct {
        enum plan_limit limit;
        double takes, most;
    } rows[] = {
        {PLAN_LIMIT_MEMORY, (n_total + cache) * limits->bytes_per_param, limits->memory_bytes},
        {PLAN_LIMIT_TRAIN_MEMORY, n_total * limits->train_bytes_per_param,
         limits->train_memory_bytes},
        {PLAN_LIMIT_MAX_N_ACTIVE, question->n_active[0], limits->max_n_active},
        {PLAN_LIMIT_MAX_TOKENS, question->tokens[0], limits->max_tokens},
    };
    enum err_code code = ERR_OK;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (!(rows[i].takes > rows[i].most))
            continue;
        plan_limit_refuse(question->wording, &plan_limit_rows[rows[i].limit], rows[i].takes,
                          "no run in the box keeps it: the smallest takes", "", err);
        code = ERR_INFEASIBLE;
    }
    return code;
}

/* The limits that the smallest run with fewest tokens breaks, and the budget where it is too little
 * for that run. */
static enum err_code refuse(const struct suggest_question *question, struct err *err)
{
    const struct shape *shape = &question->model.shape;
    double d = shape_d_from_n_active(shape, question->n_active[0]);
    double flops = question->tokens[0] * shape_flops_per_token(shape, d, question->experts[0],
                                                               question->granularity[0],
                                                               question->model.law->routing_flops);
    enum err_code code = question->limits != NULL ? refuse_limits(question, d, err) : ERR_OK;

    if (code != ERR_OK && flops <= question->budget_flops)
        return code;
    return err_add(err, ERR_INFEASIBLE, ERR_AT_PARAMETER, "budget", 0,
                   "no run in the box can be paid for: the cheapest takes %.*g FLOPs",
                   PLAN_LIMIT_DIGITS, plan_limit_round(flops, true));
}

/* The best list of all ways to grow one. */
static enum err_code best_list(const struct suggest_design *design, struct arena *arena,
                               struct suggest_list **ret, struct err *err)
{
    struct suggest_list *best = arena_alloc(arena, sizeof *best);
    struct suggest_list *list = arena_alloc(arena, sizeof *list);

    if (!best || !list)
        return err_set(err, ERR_NO_MEMORY, "no room for %d runs", SUGGEST_RUNS_MAX);
    for (enum suggest_strategy strategy = 0; strategy < SUGGEST_STRATEGIES; strategy++) {
        suggest_grow(design, strategy, list);
        suggest_exchange(design, list);
        suggest_refine(design, list);
        if (strategy == 0 || list->variance < best->variance)
            *best = *list;
    }
    *ret = best;
    return ERR_OK;
}

/* The runs in an order in which each takes most of what those before it left. */
static void order_runs(const struct suggest_design *design, struct suggest_list *list,
                       struct suggest_answer *ret)
{
    const struct suggest_list none = {.count = 0};
    struct suggest_known known;

    suggest_known_of(design, &none, 0, 0, &known);
    ret->sd_log = sqrt(known.variance);
    ret->flops = 0;
    for (ret->n_runs = 0; ret->n_runs < list->count; ret->n_runs++) {
        size_t best = ret->n_runs;
        struct suggest_trial trial;

        for (size_t i = best + 1; i < list->count; i++)
            if (suggest_reduction(design, &known, list->trial[i].feature) >
                suggest_reduction(design, &known, list->trial[best].feature))
                best = i;
        trial = list->trial[best];
        list->trial[best] = list->trial[ret->n_runs];
        list->trial[ret->n_runs] = trial;
        suggest_known_add(design, trial.feature, &known);
        ret->runs[ret->n_runs] = trial.run;
        ret->runs[ret->n_runs].sd_log = sqrt(fmax(0, known.variance));
        ret->flops += trial.run.train_flops;
    }
}

enum err_code suggest_runs(const struct suggest_question *question, struct arena *arena,
                           struct suggest_answer *ret_answer, struct err *err)
{
    struct suggest_answer answer = {.runs = NULL};
    struct suggest_list *list = NULL;
    struct suggest_design design;
    struct suggest_space space;
    enum err_code code;

    assert(question->runs > 0 && question->runs <= SUGGEST_RUNS_MAX);
    assert(question->n_targets > 0 && question->n_targets <= SUGGEST_TARGETS_MAX);
    assert(question->noise_log > 0);
    suggest_space_init(&space, question->options, question->model.coefficient, question->made,
                       question->n_made,
                       robust_spread(&question->options->robust, question->noise_log));
    code = make_design(question, &space, arena, &design, err);
    if (code != ERR_OK)
        return code;
    if (design.n_candidates == 0)
        return refuse(question, err);
    answer.runs = arena_calloc(arena, question->runs, sizeof *answer.runs);
    if (!answer.runs)
        return err_set(err, ERR_NO_MEMORY, "no room for %zu runs", question->runs);
    code = best_list(&design, arena, &list, err);
    if (code != ERR_OK)
        return code;
    order_runs(&design, list, &answer);
    *ret_answer = answer;
    return ERR_OK;
}
