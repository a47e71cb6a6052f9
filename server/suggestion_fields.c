/* The fields of POST /v1/suggest. */
#include "server/suggestion.h"

#include "core/suggest.h"
#include "server/answer.h"

/* The part of a plan's question that a target takes. */
static const struct field *const target_fields = &question_fields[QUESTION_TARGET_FIRST];

static enum err_code decode_plan(const struct json *value, const char *pointer, void *target,
                                 struct arena *arena, struct err *err)
{
    struct field_presence presence;

    return field_from_json(target_fields, QUESTION_TARGET_FIELDS, value, pointer, NULL, NULL,
                           target, &presence, arena, err);
}

#define AT(member) offsetof(struct suggestion_query, member)

const struct field suggest_fields[] = {
    MODEL_FIELDS(struct suggestion_query, model),
    {.name = "budget",
     .kind = FIELD_NUMBER,
     .offset = AT(budget),
     .required = true,
     .min_exclusive = true,
     .unit = "FLOPs",
     .help = "Training compute of all suggested runs together."},
    {.name = "plan",
     .kind = FIELD_CUSTOM,
     .offset = AT(plan),
     .required = true,
     .schema = "SuggestPlan",
     .custom = decode_plan,
     .help = "The plan to know better: limits and objective, as POST /v1/plan takes them."},
    {.name = "runs",
     .kind = FIELD_INTEGER,
     .offset = AT(runs),
     .min = 1,
     .max = SUGGEST_RUNS_MAX,
     .fallback = "4",
     .help = "The most runs to suggest."},
    {.name = "within_plan",
     .kind = FIELD_BOOL,
     .offset = AT(within_plan),
     .fallback = "true",
     .help =
         "Whether every run keeps the plan's memory, train_memory, max_n_active and max_tokens: "
         "who plans for devices and data has no others to try it on. Its compute and tokens per "
         "parameter are for the planned model alone."},
    {.name = "experts",
     .kind = FIELD_NUMBERS,
     .offset = AT(experts),
     .min = 1,
     .max = QUESTION_EXPERTS_MAX,
     .help = "E allowed for the runs; by default those of the plan."},
    {.name = "granularity",
     .kind = FIELD_NUMBERS,
     .offset = AT(granularity),
     .min_exclusive = true,
     .max = QUESTION_GRANULARITY_MAX,
     .help = "G allowed for the runs; by default those of the plan."},
    {.name = "n_active_min",
     .kind = FIELD_COUNT,
     .offset = AT(n_active_min),
     .min_exclusive = true,
     .unit = "parameters",
     .help = "The smallest run; by default the fit's smallest."},
    {.name = "n_active_max",
     .kind = FIELD_COUNT,
     .offset = AT(n_active_max),
     .min_exclusive = true,
     .unit = "parameters",
     .help = "The largest run; by default four times the fit's largest, within the plan."},
    {.name = "tokens_min",
     .kind = FIELD_COUNT,
     .offset = AT(tokens_min),
     .min_exclusive = true,
     .unit = "tokens",
     .help = "The fewest tokens; by default the fit's fewest."},
    {.name = "tokens_max",
     .kind = FIELD_COUNT,
     .offset = AT(tokens_max),
     .min_exclusive = true,
     .unit = "tokens",
     .help = "The most tokens; by default four times the fit's most, within the plan."},
    {.name = "noise",
     .kind = FIELD_NUMBER,
     .offset = AT(noise),
     .min_exclusive = true,
     .max = 1,
     .help = "The standard deviation of one run's ln loss; by default the fit's."},
    SELECT_FIELD(struct suggestion_query, fields),
};
TABLE_IS(suggest_fields, SUGGEST_FIELDS);
