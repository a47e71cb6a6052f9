#include "server/run_fields.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 4 * NAME_MAX_CHARS };

static enum err_code decode_tags(const struct json *value, const char *pointer, void *target,
                                 struct arena *arena, struct err *err);

#define AT(member) offsetof(struct experiment, member)
#define POSITIVE .min = 0, .min_exclusive = true, .max = INFINITY

const struct field experiment_fields[] = {
    {.name = "id",
     .kind = FIELD_INTEGER,
     .offset = AT(id),
     .min = 1,
     .max = 0x1p53 - 1,
     .help = "The run's id; in a request it must agree with the stored run or be absent."},
    {.name = "study",
     .kind = FIELD_TEXT,
     .offset = AT(study),
     .max = STUDY_ID_MAX,
     .help = "The run's study; in a row of a request it must agree with the request's or be "
             "absent."},
    {.name = "name",
     .kind = FIELD_TEXT,
     .offset = AT(name),
     .min = 1,
     .max = NAME_MAX_BYTES,
     .schema = "ExperimentName",
     .help = "Unique in the study; if left out, derived from all but recorded_at, excluded and its "
             "reason, so that posting the run again makes no second one."},
    {.name = "n_active",
     .kind = FIELD_COUNT,
     .offset = AT(obs.n_active),
     .required = true,
     POSITIVE,
     .unit = "parameters",
     .help = "Parameters active for one token."},
    {.name = "tokens",
     .kind = FIELD_COUNT,
     .offset = AT(obs.tokens),
     .required = true,
     POSITIVE,
     .unit = "tokens",
     .help = "Training tokens."},
    {.name = "loss",
     .kind = FIELD_NUMBER,
     .offset = AT(obs.loss),
     .required = true,
     POSITIVE,
     .unit = "the study's loss_unit",
     .help = "Final loss."},
    {.name = "experts",
     .kind = FIELD_NUMBER,
     .offset = AT(obs.experts),
     .min = 1,
     .max = INFINITY,
     .fallback = "1",
     .help = "Expansion rate E: parameters of the MoE layer over those of the dense one; 1 is "
             "dense."},
    {.name = "granularity",
     .kind = FIELD_NUMBER,
     .offset = AT(obs.granularity),
     POSITIVE,
     .fallback = "1",
     .help = "G: dense feed-forward hidden size over expert hidden size."},
    {.name = "n_total",
     .kind = FIELD_COUNT,
     .offset = AT(obs.n_total),
     POSITIVE,
     .unit = "parameters",
     .help = "All parameters, at least n_active; n_active by default where experts is 1."},
    {.name = "train_flops",
     .kind = FIELD_NUMBER,
     .offset = AT(obs.train_flops),
     POSITIVE,
     .unit = "FLOPs",
     .help = "Training compute; where an answer needs it and it is absent, 6·n_active·tokens."},
    {.name = "weight",
     .kind = FIELD_NUMBER,
     .offset = AT(obs.weight),
     .min = 0,
     .max = INFINITY,
     .fallback = "1",
     .help = "Weight in the objective of fits."},
    {.name = "loss_stderr",
     .kind = FIELD_NUMBER,
     .offset = AT(loss_stderr),
     .min = 0,
     .max = INFINITY,
     .unit = "the study's loss_unit",
     .help = "Standard error of the loss; kept and shown, never in the objective."},
    {.name = "seed", .kind = FIELD_INTEGER, .offset = AT(seed), .help = "The run's random seed."},
    {.name = "step",
     .kind = FIELD_INTEGER,
     .offset = AT(step),
     .min = 0,
     .max = 0x1p53 - 1,
     .help = "The training step the loss was measured at."},
    {.name = "final",
     .kind = FIELD_BOOL,
     .offset = AT(final),
     .fallback = "true",
     .help = "Whether the run had ended; false for a checkpoint."},
    {.name = "tags",
     .kind = FIELD_CUSTOM,
     .offset = AT(n_tags),
     .schema = "Tags",
     .custom = decode_tags,
     .help = "Texts by name; columns `tag.NAME` in CSV."},
    {.name = "url",
     .kind = FIELD_TEXT,
     .offset = AT(url),
     .max = TEXT_MAX_BYTES,
     .help = "A link to the run."},
    {.name = "excluded",
     .kind = FIELD_BOOL,
     .offset = AT(excluded),
     .fallback = "false",
     .help = "Excluded runs stay visible and are left out of fits."},
    {.name = "excluded_reason",
     .kind = FIELD_TEXT,
     .offset = AT(excluded_reason),
     .max = TEXT_MAX_BYTES,
     .help = "Why the run is excluded."},
    {.name = "recorded_at",
     .kind = FIELD_TIME,
     .offset = AT(recorded_at_us),
     .help = "When the run was recorded; the time of the request by default."},
};
TABLE_IS(experiment_fields, EXPERIMENT_FIELDS);

/* The bit of `present` of each row above; 0 for the fields every stored run has. */
static const unsigned present_bits[EXPERIMENT_FIELDS] = {
    0,
    0,
    EXPERIMENT_NAME,
    0,
    0,
    0,
    EXPERIMENT_EXPERTS,
    EXPERIMENT_GRANULARITY,
    EXPERIMENT_N_TOTAL,
    EXPERIMENT_TRAIN_FLOPS,
    EXPERIMENT_WEIGHT,
    EXPERIMENT_LOSS_STDERR,
    EXPERIMENT_SEED,
    EXPERIMENT_STEP,
    EXPERIMENT_FINAL,
    EXPERIMENT_TAGS,
    EXPERIMENT_URL,
    EXPERIMENT_EXCLUDED,
    EXPERIMENT_EXCLUDED_REASON,
    EXPERIMENT_RECORDED_AT,
};

const char *const run_members[] = {"id",
                                   "study",
                                   "name",
                                   "n_active",
                                   "tokens",
                                   "loss",
                                   "experts",
                                   "granularity",
                                   "n_total",
                                   "train_flops",
                                   "weight",
                                   "loss_stderr",
                                   "seed",
                                   "step",
                                   "final",
                                   "tags",
                                   "url",
                                   "excluded",
                                   "excluded_reason",
                                   "recorded_at",
                                   NULL};
_Static_assert(sizeof run_members / sizeof *run_members == EXPERIMENT_FIELDS + 1, "one a field");

unsigned run_bits(uint64_t rows)
{
    unsigned bits = 0;

    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++)
        if (rows >> i & 1)
            bits |= present_bits[i];
    return bits;
}

bool run_has(const struct experiment *run, size_t index)
{
    return present_bits[index] == 0 || (run->present & present_bits[index]) != 0;
}

const char *run_tag(const struct experiment *run, const char *name)
{
    for (size_t i = 0; i < run->n_tags; i++)
        if (strcmp(run->tags[i].name, name) == 0)
            return run->tags[i].value;
    return NULL;
}

static int compare_tags(const void *a, const void *b)
{
    return strcmp(((const struct tag *)a)->name, ((const struct tag *)b)->name);
}

void run_set_tags(struct experiment *run, struct tag *tags, size_t count)
{
    if (count > 1)
        qsort(tags, count, sizeof *tags, compare_tags);
    run->tags = tags;
    run->n_tags = count;
}

const char *run_tag_fault(size_t name_length, size_t value_length)
{
    if (name_length == 0)
        return "a tag's name must not be empty";
    if (name_length > TAG_NAME_MAX_BYTES)
        return "a tag's name has at most 100 bytes";
    if (value_length == 0)
        return "a tag's value must not be empty: leave the tag out";
    if (value_length > TAG_VALUE_MAX_BYTES)
        return "a tag's value has at most 500 bytes";
    return NULL;
}

/* {"name": "value", …}. A null stays in the list without a value, for merge patches. The target is
 * n_tags of a struct experiment. */
static enum err_code decode_tags(const struct json *value, const char *pointer, void *target,
                                 struct arena *arena, struct err *err)
{
    struct experiment *run = (struct experiment *)((char *)target - AT(n_tags));
    enum err_code code = ERR_OK;
    struct tag *tags;
    size_t count = 0;

    if (json_kind(value) != JSON_OBJECT)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be an object, not %s",
                       json_kind_name(json_kind(value)));
    for (const struct json *at = json_first(value); at != NULL; at = json_next(at))
        count++;
    if (count > TAGS_MAX)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "at most %d tags", TAGS_MAX);
    tags = arena_calloc(arena, count + 1, sizeof *tags);
    if (tags == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    count = 0;
    for (const struct json *at = json_first(value); at != NULL; at = json_next(at)) {
        const char *name = json_key(at), *fault = NULL;
        bool is_null = json_kind(at) == JSON_NULL;

        if (!is_null && json_kind(at) != JSON_TEXT)
            fault = "must be a text";
        else
            fault = run_tag_fault(strlen(name), is_null ? 1 : strlen(json_text(at)));
        if (fault != NULL) {
            code = err_add(err, ERR_INVALID, ERR_AT_POINTER, json_pointer_key(arena, pointer, name),
                           0, "%s", fault);
            continue;
        }
        tags[count].name = arena_copy(arena, name, strlen(name));
        if (!is_null)
            tags[count].value = arena_copy(arena, json_text(at), strlen(json_text(at)));
        if (tags[count].name == NULL || (!is_null && tags[count].value == NULL))
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        count++;
    }
    run_set_tags(run, tags, count);
    return code;
}
