#include "server/question.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/answer.h"
#include "server/export.h"
#include "server/shape_text.h"

/* As in the planner, but that train_bytes_per_param waits for the recipe. */
static struct plan_limits no_limits(void)
{
    struct plan_limits limits = plan_limits_none();

    limits.train_bytes_per_param = NAN;
    return limits;
}

struct question_query question_default(void)
{
    return (struct question_query){
        .points = 60,
        .bands = true,
        .n_active_min = NAN,
        .n_active_max = NAN,
        .tokens_min = NAN,
        .tokens_max = NAN,
        .compute_min = NAN,
        .compute_max = NAN,
        .needs_compute = true,
        .format = ANSWER_BY_ACCEPT,
        .budget = budget_default(),
        .limits = no_limits(),
        .level = LEVEL_DEFAULT,
        .objective = PLAN_LEAST_LOSS,
        .target_loss = NAN,
        .slack = 0.005,
        .export = EXPORT_BY_ACCEPT,
        .footprint = footprint_default(),
    };
}

/* The powers of two in a range, 1 where none is stated. values has room for 64. */
static size_t powers_of_two(const struct fit_range *range, double *values)
{
    size_t count = 0;

    for (double value = 1; value <= range->max && count < PLAN_EXPERTS_MAX; value *= 2)
        if (value >= range->min)
            values[count++] = value;
    if (count == 0)
        values[count++] = 1;
    return count;
}

/* What a request that names no E means. */
static size_t default_experts(const struct model_choice *choice, double *values)
{
    const struct fit_record *record = choice->record;

    if (choice->model.fixed_experts > 0) {
        values[0] = choice->model.fixed_experts;
        return 1;
    }
    if (record == NULL || record->n_experts == 0)
        return powers_of_two(&choice->model.range[LAW_EXPERTS], values);
    memcpy(values, record->experts, record->n_experts * sizeof *values);
    return record->n_experts;
}

static size_t default_granularity(const struct model_choice *choice, double *values)
{
    const struct fit_record *record = choice->record;
    bool reads = law_reads(choice->law, LAW_GRANULARITY);

    values[0] = 1;
    if (record != NULL && record->n_granularity > 0 && (reads || record->n_granularity == 1)) {
        memcpy(values, record->granularity, record->n_granularity * sizeof *values);
        return record->n_granularity;
    }
    return reads ? powers_of_two(&choice->model.range[LAW_GRANULARITY], values) : 1;
}

static enum err_code fill_list(struct call *call, struct field_numbers *list,
                               const struct model_choice *choice,
                               size_t (*defaults)(const struct model_choice *, double *))
{
    if (list->count == 0) {
        list->values = arena_alloc(&call->arena, PLAN_EXPERTS_MAX * sizeof *list->values);
        if (list->values == NULL)
            return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
        list->count = defaults(choice, list->values);
    }
    return ERR_OK;
}

/* What depends on more than one parameter. */
static void check(struct call *call, struct question_query *query)
{
    bool needs_compute = query->objective == PLAN_LEAST_LOSS && query->needs_compute;
    bool has_budget =
        budget_apply(call, &query->budget, needs_compute, &query->limits, &query->spent);

    if (isnan(query->limits.train_bytes_per_param))
        query->limits.train_bytes_per_param = footprint_bytes_per_param(&query->footprint);
    if (query->objective == PLAN_LEAST_LOSS) {
        if (query->limits.compute_flops == INFINITY && needs_compute && !has_budget)
            answer_fault(call, "compute", "is required, or gpu, gpus and days");
        if (!isnan(query->target_loss))
            answer_fault(call, "target_loss", "is for the objectives compute and memory");
    } else if (isnan(query->target_loss)) {
        answer_fault(call, "target_loss", "is required by this objective");
    }
    if (query->limits.min_tokens_per_param > query->limits.max_tokens_per_param)
        answer_fault(call, "min_tokens_per_param", "is above max_tokens_per_param");
    if (query->n_active_min >= query->n_active_max)
        answer_fault(call, "n_active_min", "is not below n_active_max");
    if (query->tokens_min >= query->tokens_max)
        answer_fault(call, "tokens_min", "is not below tokens_max");
    if (query->compute_min >= query->compute_max)
        answer_fault(call, "compute_min", "is not below compute_max");
    if (query->shape != NULL) {
        struct shape ignored;
        const char *fault = shape_text_read(query->shape, &shape_joint, &call->arena, &ignored);

        if (fault != NULL)
            answer_fault(call, "shape", fault);
    }
    /* Alone it is plan_solve's to refuse, as unbounded. */
    if (call->err.code != ERR_OK && query->objective == PLAN_LEAST_MEMORY && !has_budget &&
        query->limits.compute_flops == INFINITY && query->limits.max_tokens == INFINITY &&
        query->limits.max_tokens_per_param == INFINITY)
        answer_fault(call, "compute",
                     "or max_tokens or max_tokens_per_param is required by this "
                     "objective");
}

/* The shape asked for, counted as the model counts. */
static enum err_code use_shape(struct call *call, const char *text, struct model_choice *choice)
{
    bool non_embedding = choice->preset != NULL
                             ? strcmp(choice->preset->parameter_convention, "non_embedding") == 0
                             : choice->record->parameter_convention == PARAMETERS_NON_EMBEDDING;
    struct shape shape;
    const char *fault = shape_text_read(text, &choice->model.shape, &call->arena, &shape);

    if (fault != NULL) {
        answer_fault(call, "shape", fault);
        return call->err.code;
    }
    if (non_embedding)
        shape = shape_non_embedding(&shape);
    else if (choice->model.shape.active_embeddings)
        shape = shape_with_embedding(&shape);
    choice->model.shape = shape;
    choice->dense.shape = choice->model.shape;
    return ERR_OK;
}

/* A fit that cannot plan and that nobody named: the study's default_fit, or its newest. Who names
 * it hears of it from the planner. */
static enum err_code check_default(struct call *call, const struct model_query *query,
                                   const struct model_choice *choice)
{
    char name[24];

    if (choice->law->slice != NULL || query->fit != NULL || query->law != NULL)
        return ERR_OK;
    if (choice->record != NULL)
        snprintf(name, sizeof name, "%lld", (long long)choice->record->id);
    return err_add(&call->err, ERR_UNSUPPORTED, ERR_AT_PARAMETER, "fit", 0,
                   "fit %s answers for study '%s' when none is named, but its law '%s' holds for "
                   "one number of tokens and cannot plan: pass law or fit",
                   choice->record != NULL ? name : choice->preset->id, choice->study->id,
                   choice->law->name);
}

enum err_code question_make(struct call *call, struct question_query *query,
                            struct model_choice *ret_choice, struct plan_question *ret_question)
{
    enum err_code code;

    query->granularity_given = query->granularity.count > 0;
    check(call, query);
    model_choose(call, &query->model, ret_choice);
    code = call->err.code;
    if (code == ERR_OK)
        code = check_default(call, &query->model, ret_choice);
    if (code == ERR_OK)
        code = fill_list(call, &query->experts, ret_choice, default_experts);
    if (code == ERR_OK)
        code = fill_list(call, &query->granularity, ret_choice, default_granularity);
    if (code == ERR_OK && query->shape != NULL)
        code = use_shape(call, query->shape, ret_choice);
    if (code != ERR_OK)
        return code;
    *ret_question = (struct plan_question){
        .model = ret_choice->model,
        .dense = ret_choice->has_dense ? &ret_choice->dense : NULL,
        .limits = query->limits,
        .n_experts = query->experts.count,
        .experts = query->experts.values,
        .n_granularity = query->granularity.count,
        .granularity = query->granularity.values,
        .objective = (enum plan_objective)query->objective,
        .target_loss = query->target_loss,
        .slack = query->slack,
        .level = query->level,
        .parts = PLAN_ALL,
        .wording = budget_wording(&query->budget, &query->spent, &call->arena),
    };
    return ERR_OK;
}

size_t question_pairs(const double *experts, size_t n_experts, size_t n_granularity)
{
    size_t pairs = 0;

    for (size_t i = 0; i < n_experts; i++)
        pairs += experts[i] > 1 ? n_granularity : 1;
    return pairs;
}

void question_write(struct out *out, const struct question_query *query,
                    const struct plan_question *question)
{
    static const struct out_member limits[] = {
        OUT_MEMBER_AS("compute", struct plan_limits, compute_flops),
        OUT_MEMBER_AS("memory", struct plan_limits, memory_bytes),
        OUT_MEMBER(struct plan_limits, bytes_per_param),
        OUT_MEMBER(struct plan_limits, kv_tokens),
        OUT_MEMBER_AS("train_memory", struct plan_limits, train_memory_bytes),
        OUT_MEMBER(struct plan_limits, train_bytes_per_param),
        OUT_MEMBER(struct plan_limits, inference_tokens),
        OUT_MEMBER(struct plan_limits, max_tokens),
        OUT_MEMBER(struct plan_limits, max_n_active),
        OUT_MEMBER(struct plan_limits, min_tokens_per_param),
        OUT_MEMBER(struct plan_limits, max_tokens_per_param),
    };

    if (!out_wants(out, "constraints"))
        return;
    out_object_begin(out, "constraints");
    out_members(out, limits, sizeof limits / sizeof *limits, &question->limits);
    out_numbers(out, "experts", question->experts, question->n_experts);
    out_numbers(out, "granularity", question->granularity, question->n_granularity);
    out_text(out, "objective", question_objectives[query->objective]);
    out_number(out, "target_loss", query->target_loss);
    out_number(out, "slack", query->slack);
    out_number(out, "level", query->level);
    out_text(out, "shape", question->model.shape.name);
    budget_write(out, &query->spent);
    out_object_end(out);
}
