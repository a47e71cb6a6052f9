#include "server/question.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/answer.h"
#include "server/export.h"

static const char *const objective_names[] = {[PLAN_LEAST_LOSS] = "loss",
                                              [PLAN_LEAST_COMPUTE] = "compute",
                                              [PLAN_LEAST_MEMORY] = "memory",
                                              NULL};

/* Curves are drawn as JSON or CSV: the first two of answer_format. */
static const char *const curve_formats[] = {"json", "csv", NULL};

/* Factors of what is multiplied: bounds far beyond any use, so that no product overflows. */
#define BYTES_MAX 1e6
#define TOKENS_MAX 1e30

#define AT(member) offsetof(struct question_query, member)

const struct field question_fields[] = {
    /* Curves only: QUESTION_CURVE_ONLY rows. */
    {.name = "points",
     .kind = FIELD_INTEGER,
     .offset = AT(points),
     .min = 2,
     .max = CURVE_POINTS_MAX,
     .fallback = "60",
     .help = "Rows per curve; of a contour, of each side: at most 500."},
    {.name = "n_active_min",
     .kind = FIELD_COUNT,
     .offset = AT(n_active_min),
     .min_exclusive = true,
     .unit = "parameters",
     .help = "isoflop, contour: where the curves begin; by default a decade below the least loss."},
    {.name = "n_active_max",
     .kind = FIELD_COUNT,
     .offset = AT(n_active_max),
     .min_exclusive = true,
     .unit = "parameters",
     .help = "isoflop, contour: where the curves end; by default a decade above the least loss."},
    {.name = "tokens_min",
     .kind = FIELD_COUNT,
     .offset = AT(tokens_min),
     .min_exclusive = true,
     .unit = "tokens",
     .help = "tokens, contour: where the curves begin; by default a decade below the optimum."},
    {.name = "tokens_max",
     .kind = FIELD_COUNT,
     .offset = AT(tokens_max),
     .min_exclusive = true,
     .unit = "tokens",
     .help = "tokens, contour: where the curves end; by default a decade above the optimum."},
    {.name = "compute_min",
     .kind = FIELD_NUMBER,
     .offset = AT(compute_min),
     .min_exclusive = true,
     .unit = "FLOPs",
     .help = "frontier: the least budget; by default a decade below compute."},
    {.name = "compute_max",
     .kind = FIELD_NUMBER,
     .offset = AT(compute_max),
     .min_exclusive = true,
     .unit = "FLOPs",
     .help = "frontier: the greatest budget; by default a decade above compute."},
    {.name = "format",
     .kind = FIELD_CHOICE,
     .offset = AT(format),
     .choices = curve_formats,
     .help = "The form of the answer, over Accept."},
    /* Both: QUESTION_SHARED rows. */
    MODEL_FIELDS(struct question_query, model),
    SELECT_FIELD(struct question_query, fields),
    /* From here on what a target has too: QUESTION_TARGET_FIELDS rows. */
    {.name = "compute",
     .kind = FIELD_NUMBER,
     .offset = AT(limits.compute_flops),
     .min_exclusive = true,
     .unit = "FLOPs",
     .help = "Training budget; required, but for the objectives compute and memory."},
    {.name = "memory",
     .kind = FIELD_BYTES,
     .offset = AT(limits.memory_bytes),
     .min_exclusive = true,
     .unit = "bytes",
     .help = "Serving limit on (n_total + KV cache elements)·bytes_per_param."},
    {.name = "bytes_per_param",
     .kind = FIELD_NUMBER,
     .offset = AT(limits.bytes_per_param),
     .min_exclusive = true,
     .max = BYTES_MAX,
     .unit = "bytes",
     .fallback = "2",
     .help = "Bytes of a parameter, and of a cache element, when serving."},
    {.name = "kv_tokens",
     .kind = FIELD_COUNT,
     .offset = AT(limits.kv_tokens),
     .max = TOKENS_MAX,
     .unit = "tokens",
     .fallback = "0",
     .help = "Tokens held in the KV cache."},
    {.name = "train_memory",
     .kind = FIELD_BYTES,
     .offset = AT(limits.train_memory_bytes),
     .min_exclusive = true,
     .unit = "bytes",
     .help = "Limit on n_total·train_bytes_per_param over all devices."},
    {.name = "train_bytes_per_param",
     .kind = FIELD_NUMBER,
     .offset = AT(limits.train_bytes_per_param),
     .min_exclusive = true,
     .max = BYTES_MAX,
     .unit = "bytes",
     .fallback = "16",
     .help = "Bytes of a parameter in training: weights, gradients, optimizer states; by default "
             "the optimizer's, 16."},
    {.name = "inference_tokens",
     .kind = FIELD_COUNT,
     .offset = AT(limits.inference_tokens),
     .max = TOKENS_MAX,
     .unit = "tokens",
     .fallback = "0",
     .help = "Lifetime inference, charged to compute at 2·n_active each."},
    {.name = "max_tokens",
     .kind = FIELD_COUNT,
     .offset = AT(limits.max_tokens),
     .min_exclusive = true,
     .unit = "tokens",
     .help = "The most training tokens there are."},
    {.name = "max_n_active",
     .kind = FIELD_COUNT,
     .offset = AT(limits.max_n_active),
     .min_exclusive = true,
     .unit = "parameters",
     .help = "The most parameters active for one token: a limit on latency."},
    {.name = "min_tokens_per_param",
     .kind = FIELD_NUMBER,
     .offset = AT(limits.min_tokens_per_param),
     .min = 0,
     .max = INFINITY,
     .fallback = "0",
     .help = "The fewest training tokens per active parameter."},
    {.name = "max_tokens_per_param",
     .kind = FIELD_NUMBER,
     .offset = AT(limits.max_tokens_per_param),
     .min_exclusive = true,
     .help = "The most training tokens per active parameter."},
    {.name = "experts",
     .kind = FIELD_NUMBERS,
     .offset = AT(experts),
     .min = 1,
     .help = "Expansion rates E to choose from; by default those of the fit's runs, the powers of "
             "two in a preset's range, or the one E the fit holds for."},
    {.name = "granularity",
     .kind = FIELD_NUMBERS,
     .offset = AT(granularity),
     .min_exclusive = true,
     .help =
         "Granularities G to choose from; by default as for experts. E = 1 always means G = 1."},
    {.name = "level",
     .kind = FIELD_NUMBER,
     .offset = AT(level),
     .min_exclusive = true,
     .max = LEVEL_MAX,
     .fallback = "0.9",
     .help = "The share of cases the intervals are to cover."},
    {.name = "shape",
     .kind = FIELD_TEXT,
     .offset = AT(shape),
     .max = 64,
     .help = "The family of architectures: joint or fine-grained; by default the law's own."},
    BUDGET_FIELDS(struct question_query, budget),
    /* Plans only: QUESTION_PLAN_ONLY rows. */
    {.name = "objective",
     .kind = FIELD_CHOICE,
     .offset = AT(objective),
     .choices = objective_names,
     .fallback = "loss",
     .help = "What to make least; compute and memory need target_loss."},
    {.name = "target_loss",
     .kind = FIELD_NUMBER,
     .offset = AT(target_loss),
     .min_exclusive = true,
     .unit = "the study's loss_unit",
     .help = "The loss to reach, for the objectives compute and memory."},
    {.name = "slack",
     .kind = FIELD_NUMBER,
     .offset = AT(slack),
     .max = 10,
     .fallback = "0.005",
     .help = "near_optimal holds what loses at most (1 + slack) times the best, or lies within its "
             "loss_interval."},
    {.name = "spread",
     .kind = FIELD_BOOL,
     .offset = AT(spread),
     .fallback = "false",
     .help =
         "Plan for each draw of the fit too: the member spread, which takes its time. Also asked "
         "for by fields."},
    FOOTPRINT_FIELDS(struct question_query, footprint),
    {.name = "format",
     .kind = FIELD_CHOICE,
     .offset = AT(export),
     .choices = export_formats,
     .help = "The form of the answer, over Accept; hf, megatron and yaml are the optimum's "
             "architecture: a config.json, Megatron-LM's arguments, the plan in brief."},
};
TABLE_IS(question_fields, QUESTION_CURVE_ONLY + QUESTION_SHARED + QUESTION_PLAN_ONLY);

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

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static void sort_distinct(struct field_numbers *list)
{
    size_t kept = 0;

    qsort(list->values, list->count, sizeof *list->values, compare_doubles);
    for (size_t i = 0; i < list->count; i++)
        if (kept == 0 || list->values[kept - 1] != list->values[i])
            list->values[kept++] = list->values[i];
    list->count = kept;
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
        list->values = arena_calloc(&call->arena, PLAN_EXPERTS_MAX, sizeof *list->values);
        if (list->values == NULL)
            return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
        list->count = defaults(choice, list->values);
    }
    sort_distinct(list);
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
    if (query->shape != NULL && shape_find(query->shape) == NULL)
        answer_fault(call, "shape", "must be joint or fine-grained");
    /* Alone it is plan_solve's to refuse, as unbounded. */
    if (call->err.code != ERR_OK && query->objective == PLAN_LEAST_MEMORY && !has_budget &&
        query->limits.compute_flops == INFINITY && query->limits.max_tokens == INFINITY &&
        query->limits.max_tokens_per_param == INFINITY)
        answer_fault(call, "compute",
                     "or max_tokens or max_tokens_per_param is required by this "
                     "objective");
}

/* The shape asked for, counted as the model counts. */
static void use_shape(const char *name, struct model_choice *choice)
{
    bool non_embedding = choice->preset != NULL
                             ? strcmp(choice->preset->parameter_convention, "non_embedding") == 0
                             : choice->record->parameter_convention == PARAMETERS_NON_EMBEDDING;
    const struct shape *shape = shape_find(name);

    choice->model.shape = non_embedding ? shape_non_embedding(shape) : *shape;
    choice->dense.shape = choice->model.shape;
}

enum err_code question_make(struct call *call, struct question_query *query,
                            struct model_choice *ret_choice, struct plan_question *ret_question)
{
    enum err_code code;

    check(call, query);
    model_choose(call, &query->model, ret_choice);
    code = call->err.code;
    if (code == ERR_OK)
        code = fill_list(call, &query->experts, ret_choice, default_experts);
    if (code == ERR_OK)
        code = fill_list(call, &query->granularity, ret_choice, default_granularity);
    if (code != ERR_OK)
        return code;
    if (query->shape != NULL)
        use_shape(query->shape, ret_choice);
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
    };
    return ERR_OK;
}

void question_write(struct out *out, const struct question_query *query,
                    const struct plan_question *question)
{
    const struct plan_limits *limits = &question->limits;

    out_object_begin(out, "constraints");
    out_number(out, "compute", limits->compute_flops);
    out_number(out, "memory", limits->memory_bytes);
    out_number(out, "bytes_per_param", limits->bytes_per_param);
    out_number(out, "kv_tokens", limits->kv_tokens);
    out_number(out, "train_memory", limits->train_memory_bytes);
    out_number(out, "train_bytes_per_param", limits->train_bytes_per_param);
    out_number(out, "inference_tokens", limits->inference_tokens);
    out_number(out, "max_tokens", limits->max_tokens);
    out_number(out, "max_n_active", limits->max_n_active);
    out_number(out, "min_tokens_per_param", limits->min_tokens_per_param);
    out_number(out, "max_tokens_per_param", limits->max_tokens_per_param);
    out_numbers(out, "experts", question->experts, question->n_experts);
    out_numbers(out, "granularity", question->granularity, question->n_granularity);
    out_text(out, "objective", objective_names[query->objective]);
    out_number(out, "target_loss", query->target_loss);
    out_number(out, "slack", query->slack);
    out_number(out, "level", query->level);
    out_text(out, "shape", question->model.shape.name);
    budget_write(out, &query->spent);
    out_object_end(out);
}
