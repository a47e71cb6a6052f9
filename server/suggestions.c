/* suggestions: the handler of POST /v1/suggest: the next runs to make, to know a plan better. */
#include <math.h>
#include <string.h>

#include "core/suggest.h"
#include "server/answer.h"
#include "server/fitted.h"
#include "server/handlers.h"
#include "server/suggestion.h"

static const char *const suggestion_members[] = {"fit",        "law",
                                                 "study",      "constraints",
                                                 "target",     "noise_log",
                                                 "sd_log",     "sd_log_after",
                                                 "shrinkage",  "runs",
                                                 "flops",      "warnings",
                                                 "provenance", "parameter_convention",
                                                 NULL};

enum {
    CELLS_MAX = 64, /* pairs of E and G */
    TARGETS = 3,
};

/* How far beyond the fit's greatest run the box reaches by default. */
static const double box_reach = 4;

/* All that the stages share. */
struct stage {
    struct suggestion_query query;
    struct model_choice choice;
    struct fitted fitted; /* what the answering fit was made of */
    struct plan_question target;
    struct suggest_question question;
    struct plan_configuration targets[TARGETS];
    struct out out;
};

/* The optimum, and at its compute half and twice its size: where the valley's floor is decides
 * where the optimum is. */
static void fill_targets(struct stage *stage, const struct plan_configuration *optimum)
{
    static const double size[TARGETS] = {1, 0.5, 2};

    for (size_t i = 0; i < TARGETS; i++) {
        double n_active = optimum->n_active * size[i];
        double d_model = shape_d_from_n_active(&stage->target.model.shape, n_active);

        if (i == 0)
            stage->targets[i] = *optimum;
        else
            plan_evaluate(&stage->target, optimum->experts, optimum->granularity, d_model,
                          optimum->tokens / size[i], &stage->targets[i]);
    }
}

static void fill_range(double min, double max, const struct fit_range *range, double ret[2])
{
    ret[0] = isnan(min) ? range->min : min;
    ret[1] = isnan(max) ? range->max * box_reach : max;
}

/* What is asked of the design; faults of what the caller gave are added to call->err. */
static enum err_code fill_question(struct call *call, struct stage *stage)
{
    const struct suggestion_query *query = &stage->query;
    const struct plan_model *model = &stage->target.model;
    struct suggest_question *q = &stage->question;
    bool own_experts = query->experts.count > 0, own_granularity = query->granularity.count > 0;

    *q = (struct suggest_question){
        .model = *model,
        .n_experts = own_experts ? query->experts.count : stage->target.n_experts,
        .experts = own_experts ? query->experts.values : stage->target.experts,
        .n_granularity = own_granularity ? query->granularity.count : stage->target.n_granularity,
        .granularity = own_granularity ? query->granularity.values : stage->target.granularity,
        .limits = query->within_plan ? &stage->target.limits : NULL,
        .wording = stage->target.wording,
        .budget_flops = query->budget,
        .runs = (size_t)query->runs,
        .noise_log = isnan(query->noise) ? model_noise_log(&stage->choice) : query->noise,
        .n_targets = TARGETS,
        .targets = stage->targets,
    };
    fill_range(query->n_active_min, query->n_active_max, &model->range[LAW_N_ACTIVE], q->n_active);
    fill_range(query->tokens_min, query->tokens_max, &model->range[LAW_TOKENS], q->tokens);
    if (q->n_active[0] >= q->n_active[1]) /* not where a law of n_total leaves them to the runs */
        answer_fault(call, isnan(query->n_active_min) ? "n_active_max" : "n_active_min",
                     "leaves no sizes: give both ends, the lesser first");
    if (!(q->tokens[0] < q->tokens[1]))
        answer_fault(call, isnan(query->tokens_min) ? "tokens_max" : "tokens_min",
                     "leaves no tokens: give both ends, the lesser first");
    if (question_pairs(q->experts, q->n_experts, q->n_granularity) > CELLS_MAX)
        answer_fault(call, "experts", "at most 64 pairs of E and G");
    if (!(q->noise_log > 0))
        answer_fault(call, "noise", "is required: the fit does not know its own");
    return call->err.code;
}

/* Sizes from the runs, where the law reads another variable and the fit has no range of them. */
static enum err_code fill_sizes(struct call *call, struct stage *stage)
{
    const struct suggestion_query *query = &stage->query;
    struct fit_range range = {INFINITY, 0};
    double *sizes = stage->question.n_active;

    for (size_t i = 0; i < stage->fitted.count; i++) {
        range.min = fmin(range.min, stage->fitted.obs[i].n_active);
        range.max = fmax(range.max, stage->fitted.obs[i].n_active);
    }
    if (isnan(sizes[0]) || isnan(sizes[1]))
        fill_range(query->n_active_min, query->n_active_max, &range, sizes);
    if (!(sizes[0] < sizes[1]))
        answer_fault(call, isnan(query->n_active_min) ? "n_active_max" : "n_active_min",
                     "leaves no sizes: give both ends, the lesser first");
    return call->err.code;
}

/* The runs so far decide which are worth making next. */
static enum err_code read_fitted(struct call *call, struct stage *stage)
{
    struct fitted *fitted = &stage->fitted;
    enum err_code code;

    if (stage->choice.record == NULL)
        return err_set(&call->err, ERR_TOO_FEW_EXPERIMENTS,
                       "'%s' is published coefficients without runs here: what to run next follows "
                       "from the runs of a fit of your own",
                       stage->choice.preset->id);
    fitted->record = stage->choice.record;
    fitted->law = stage->choice.law;
    code = fitted_read_options(call, fitted);
    if (code == ERR_OK)
        code = fitted_read_runs(call, fitted);
    if (code == ERR_OK)
        code = fill_sizes(call, stage);
    stage->question.options = &fitted->options;
    stage->question.made = fitted->obs;
    stage->question.n_made = fitted->count;
    return code;
}

static void write_target(struct out *out, const struct plan_configuration *target)
{
    out_object_begin(out, "target");
    out_number(out, "experts", target->experts);
    out_number(out, "granularity", target->granularity);
    out_number(out, "n_active", target->n_active);
    out_number(out, "n_total", target->n_total);
    out_number(out, "tokens", target->tokens);
    out_number(out, "loss", target->loss);
    model_write_interval(out, "loss_interval", target->loss_interval);
    out_object_end(out);
}

static void write_runs(struct out *out, const struct suggest_answer *answer)
{
    out_array_begin(out, "runs");
    for (size_t i = 0; i < answer->n_runs; i++) {
        const struct suggest_run *run = &answer->runs[i];

        out_object_begin(out, NULL);
        out_number(out, "experts", run->experts);
        out_number(out, "granularity", run->granularity);
        out_number(out, "n_active", run->n_active);
        out_number(out, "n_total", run->n_total);
        out_number(out, "d_model", run->d_model);
        out_number(out, "tokens", run->tokens);
        out_number(out, "train_flops", run->train_flops);
        out_number(out, "sd_log", run->sd_log);
        out_object_end(out);
    }
    out_array_end(out);
}

static enum err_code reply(struct call *call, struct stage *stage,
                           const struct suggest_answer *answer)
{
    struct out *out = &stage->out;
    double after = answer->n_runs > 0 ? answer->runs[answer->n_runs - 1].sd_log : answer->sd_log;

    out_object_begin(out, NULL);
    model_write_head(out, &stage->choice);
    question_write(out, &stage->query.plan, &stage->target);
    write_target(out, &stage->targets[0]);
    out_number(out, "noise_log", stage->question.noise_log);
    out_number(out, "sd_log", answer->sd_log);
    out_number(out, "sd_log_after", after);
    out_number(out, "shrinkage", 1 - after / answer->sd_log);
    write_runs(out, answer);
    out_number(out, "flops", answer->flops);
    out_array_begin(out, "warnings");
    model_write_warnings(out, &stage->choice, stage->query.plan.shape == NULL,
                         stage->query.plan.level);
    out_array_end(out);
    model_write_origin(out, &stage->choice);
    out_object_end(out);
    return answer_out(call, 200, out);
}

/* What was said of parameters behind `after` is said of the body's members: the target's own below
 * /plan. */
static void point_at_members(struct call *call, const struct err_field *after)
{
    struct err_field *field = after != NULL ? after->next : call->err.first;

    for (; field != NULL; field = field->next) {
        bool of_target = field_find(&question_fields[QUESTION_TARGET_FIRST], QUESTION_TARGET_FIELDS,
                                    field->name, strlen(field->name)) < QUESTION_TARGET_FIELDS &&
                         field_find(suggest_fields, SUGGEST_FIELDS, field->name,
                                    strlen(field->name)) == SUGGEST_FIELDS;
        const char *pointer;

        if (field->place != ERR_AT_PARAMETER)
            continue;
        pointer = json_pointer_key(&call->arena, of_target ? "/plan" : "", field->name);
        if (pointer == NULL)
            return;
        field->place = ERR_AT_POINTER;
        field->name = pointer;
    }
}

static enum err_code suggest_design(struct call *call)
{
    struct stage *stage = call->stage;
    const struct err_field *after = call->err.last;
    struct suggest_answer answer;
    struct plan_answer plan;
    enum err_code code;

    stage->target.parts = PLAN_INTERVALS;
    code = plan_solve(&stage->target, &call->arena, &plan, &call->err);
    if (code == ERR_OK) {
        fill_targets(stage, &plan.optimum);
        code = suggest_runs(&stage->question, &call->arena, &answer, &call->err);
    }
    point_at_members(call, after);
    return code == ERR_OK ? reply(call, stage, &answer) : code;
}

enum err_code suggestions_post(struct call *call)
{
    struct stage *stage = arena_alloc(&call->arena, sizeof *stage);
    const struct err_field *of_query;
    struct json *root = NULL;
    enum err_code code;

    if (stage == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    *stage = (struct stage){.query = {.runs = SUGGESTION_RUNS_DEFAULT,
                                      .within_plan = true,
                                      .noise = NAN,
                                      .n_active_min = NAN,
                                      .n_active_max = NAN,
                                      .tokens_min = NAN,
                                      .tokens_max = NAN,
                                      .plan = question_default()}};
    if (answer_json(call, &root) != ERR_OK)
        goto done;
    of_query = call->err.last;
    answer_decode(call, root, &stage->query);
    answer_select(call, &stage->out, stage->query.fields, suggestion_members);
    stage->query.plan.model = stage->query.model;
    code = call->err.code;
    if (code == ERR_OK)
        code = question_make(call, &stage->query.plan, &stage->choice, &stage->target);
    if (code == ERR_OK)
        code = fill_question(call, stage);
    if (code == ERR_OK)
        code = read_fitted(call, stage);
    point_at_members(call, of_query);
    if (code == ERR_OK) {
        call->stage = stage;
        call_continue(call, LANE_FIT, suggest_design);
    }
done:
    json_release(root);
    return call->err.code;
}
