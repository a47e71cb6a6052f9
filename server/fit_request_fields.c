/* The fields of a fit's request: their table and how each is decoded. */
#include "server/fit_request.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "server/answer.h"
#include "server/filters.h"
#include "server/model.h"
#include "server/tables.h"

enum { LABEL_MAX_BYTES = 800 };

const char *const fit_loss_names[] = {[ROBUST_HUBER] = "huber", [ROBUST_SQUARED] = "squared", NULL};

static enum err_code decode_fixed(const struct json *value, const char *pointer, void *target,
                                  struct arena *arena, struct err *err);
static enum err_code decode_free(const struct json *value, const char *pointer, void *target,
                                 struct arena *arena, struct err *err);
static enum err_code decode_laws(const struct json *value, const char *pointer, void *target,
                                 struct arena *arena, struct err *err);
static enum err_code decode_prior(const struct json *value, const char *pointer, void *target,
                                  struct arena *arena, struct err *err);
static enum err_code decode_holdout(const struct json *value, const char *pointer, void *target,
                                    struct arena *arena, struct err *err);

#define AT(member) offsetof(struct fit_request, member)

/* Rows of a comparison alone, of both, of a fit alone. */
const struct field fit_request_fields[] = {
    {.name = "laws",
     .kind = FIELD_CUSTOM,
     .offset = AT(laws),
     .required = true,
     .schema = "LawNames",
     .custom = decode_laws,
     .help = "The laws to compare; see /v1/laws."},
    STUDY_FIELD(struct fit_request, study),
    {.name = "loss",
     .kind = FIELD_CHOICE,
     .offset = AT(loss),
     .choices = fit_loss_names,
     .fallback = "huber",
     .help = "The loss on residuals of ln L."},
    {.name = "delta",
     .kind = FIELD_NUMBER,
     .offset = AT(delta),
     .min = 1e-12, /* below is rounding of ln L */
     .fallback = "0.001",
     .help = "Where the Huber loss turns linear, in ln L."},
    {.name = "starts",
     .kind = FIELD_INTEGER,
     .offset = AT(starts),
     .min = 1,
     .max = FIT_STARTS_MAX,
     .fallback = "64",
     .help = "Starting points of the search."},
    {.name = "seed",
     .kind = FIELD_INTEGER,
     .offset = AT(seed),
     .min = 0,
     .max = 0x1p53 - 1,
     .fallback = "0",
     .help = "Seed of the starting points and the draws."},
    {.name = "where",
     .kind = FIELD_CUSTOM,
     .offset = AT(where),
     .schema = "Where",
     .custom = filters_custom,
     .help = "The runs to fit. Runs that are not final, are excluded or have weight 0 are left out "
             "unless this names those fields."},
    {.name = "fixed",
     .kind = FIELD_CUSTOM,
     .offset = AT(fixed),
     .schema = "FixedCoefficients",
     .custom = decode_fixed,
     .help = "Coefficients held at a value; null is an infinite E_max."},
    {.name = "free",
     .kind = FIELD_CUSTOM,
     .offset = AT(free),
     .schema = "CoefficientNames",
     .custom = decode_free,
     .help = "Coefficients to fit even where they would be pinned."},
    {.name = "prior",
     .kind = FIELD_CUSTOM,
     .offset = AT(prior),
     .schema = "Priors",
     .custom = decode_prior,
     .help = "Normal priors: the mean a natural value, sd in the coefficient's transform, beside "
             "residuals of ln loss as they are. To weigh a belief against runs of noise s as a "
             "likelihood does, divide its sd by s, or give runs the weight 1/s^2."},
    {.name = "holdout",
     .kind = FIELD_CUSTOM,
     .offset = AT(holdout_kind),
     .schema = "Holdout",
     .custom = decode_holdout,
     .help = "The dearest runs to predict from a fit of the others."},
    {.name = "bootstrap",
     .kind = FIELD_INTEGER,
     .offset = AT(bootstrap),
     .min = 0,
     .max = FIT_BOOTSTRAP_MAX,
     .fallback = "0",
     .help = "Bootstrap draws, for intervals."},
    LEVEL_FIELD(struct fit_request, level),
    {.name = "law",
     .kind = FIELD_TEXT,
     .offset = AT(law),
     .required = true,
     .max = 64,
     .help = "The law to fit; see /v1/laws."},
    {.name = "label",
     .kind = FIELD_TEXT,
     .offset = AT(label),
     .max = LABEL_MAX_BYTES,
     .help = "A name for people."},
};
TABLE_IS(fit_request_fields, FIT_REQUEST_COMPARE_ONLY + FIT_FIELDS);

static enum err_code refuse_kind(const struct json *value, const char *pointer,
                                 const char *expected, struct err *err)
{
    return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be %s, not %s", expected,
                   json_kind_name(json_kind(value)));
}

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory");
}

/* Room for every child of value. */
static enum err_code make_list(const struct json *value, struct fit_request_list *list,
                               struct arena *arena, struct err *err)
{
    size_t count = 0;

    for (const struct json *at = json_first(value); at != NULL; at = json_next(at))
        count++;
    list->count = 0;
    list->items = arena_calloc(arena, count + 1, sizeof *list->items);
    return list->items != NULL ? ERR_OK : no_memory(err);
}

static enum err_code add_name(struct fit_request_list *list, const char *name, struct arena *arena,
                              struct err *err)
{
    list->items[list->count].name = arena_copy(arena, name, strlen(name));
    return list->items[list->count++].name != NULL ? ERR_OK : no_memory(err);
}

static enum err_code decode_fixed(const struct json *value, const char *pointer, void *target,
                                  struct arena *arena, struct err *err)
{
    struct fit_request_list *list = target;
    enum err_code code;

    if (json_kind(value) != JSON_OBJECT)
        return refuse_kind(value, pointer, "an object", err);
    code = make_list(value, list, arena, err);
    for (const struct json *at = json_first(value); at != NULL && list->items != NULL;
         at = json_next(at)) {
        double number = NAN; /* what is no value is not judged as one */

        if (json_kind(at) == JSON_NULL)
            number = INFINITY;
        else if (json_kind(at) == JSON_NUMBER && isfinite(json_number(at)))
            number = json_number(at);
        if (isnan(number))
            code = err_add(err, ERR_INVALID, ERR_AT_POINTER,
                           json_pointer_key(arena, pointer, json_key(at)), 0,
                           "must be a number, or null for an infinite one");
        list->items[list->count].value = number;
        if (add_name(list, json_key(at), arena, err) != ERR_OK)
            return err->code;
    }
    return code;
}

static bool name_is_listed(const struct fit_request_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return true;
    return false;
}

static enum err_code decode_free(const struct json *value, const char *pointer, void *target,
                                 struct arena *arena, struct err *err)
{
    struct fit_request_list *list = target;
    enum err_code code;
    size_t index = 0;

    if (json_kind(value) != JSON_ARRAY)
        return refuse_kind(value, pointer, "an array", err);
    code = make_list(value, list, arena, err);
    for (const struct json *at = json_first(value); at != NULL && list->items != NULL;
         at = json_next(at), index++) {
        if (json_kind(at) != JSON_TEXT)
            code = refuse_kind(at, json_pointer_index(arena, pointer, index),
                               "a coefficient's name", err);
        else if (name_is_listed(list, json_text(at)))
            code = err_add(err, ERR_INVALID, ERR_AT_POINTER,
                           json_pointer_index(arena, pointer, index), 0, "is listed twice");
        if (add_name(list, json_kind(at) == JSON_TEXT ? json_text(at) : "", arena, err) != ERR_OK)
            return err->code;
    }
    return code;
}

/* The finite numbers of an object, by a table. */
static enum err_code decode_numbers(const struct json *value, const char *pointer,
                                    const struct field *table, size_t rows, void *target,
                                    struct field_presence *ret_presence, struct arena *arena,
                                    struct err *err)
{
    if (json_kind(value) != JSON_OBJECT)
        return refuse_kind(value, pointer, "an object", err);
    return field_from_json(table, rows, value, pointer, NULL, NULL, target, ret_presence, arena,
                           err);
}

static enum err_code decode_prior(const struct json *value, const char *pointer, void *target,
                                  struct arena *arena, struct err *err)
{
    static const struct field table[] = {
        {.name = "mean",
         .kind = FIELD_NUMBER,
         .offset = offsetof(struct fit_request_value, value),
         .required = true},
        {.name = "sd",
         .kind = FIELD_NUMBER,
         .offset = offsetof(struct fit_request_value, sd),
         .required = true,
         .min = 1e-12}, /* below is rounding */
    };
    struct fit_request_list *list = target;
    struct field_presence presence;
    enum err_code code;

    if (json_kind(value) != JSON_OBJECT)
        return refuse_kind(value, pointer, "an object", err);
    code = make_list(value, list, arena, err);
    for (const struct json *at = json_first(value); at != NULL && list->items != NULL;
         at = json_next(at)) {
        const char *base = json_pointer_key(arena, pointer, json_key(at));

        if (base == NULL)
            return no_memory(err);
        list->items[list->count].value = NAN;
        if (decode_numbers(at, base, table, 2, &list->items[list->count], &presence, arena, err) !=
            ERR_OK)
            code = err->code;
        if (add_name(list, json_key(at), arena, err) != ERR_OK)
            return err->code;
    }
    return code;
}

static enum err_code decode_holdout(const struct json *value, const char *pointer, void *target,
                                    struct arena *arena, struct err *err)
{
    struct fit_request *request = (struct fit_request *)((char *)target - AT(holdout_kind));
    struct holdout {
        double fraction, min_flops;
    } holdout = {NAN, NAN};
    static const struct field table[] = {
        {.name = "fraction",
         .kind = FIELD_NUMBER,
         .offset = offsetof(struct holdout, fraction),
         .min_exclusive = true,
         .max = 0.9},
        {.name = "min_flops",
         .kind = FIELD_NUMBER,
         .offset = offsetof(struct holdout, min_flops),
         .min_exclusive = true},
    };
    struct field_presence presence;
    enum err_code code = decode_numbers(value, pointer, table, 2, &holdout, &presence, arena, err);

    if (code != ERR_OK)
        return code;
    if (isnan(holdout.fraction) == isnan(holdout.min_flops))
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                       "takes either fraction or min_flops");
    request->holdout_kind = isnan(holdout.fraction) ? FIT_HOLDOUT_MIN_FLOPS : FIT_HOLDOUT_FRACTION;
    request->holdout = isnan(holdout.fraction) ? holdout.min_flops : holdout.fraction;
    return ERR_OK;
}

/* Whether a law stands in the list already. */
static bool law_is_listed(const struct fit_request_laws *laws, const struct law *law)
{
    for (size_t i = 0; i < laws->count; i++)
        if (laws->items[i] == law)
            return true;
    return false;
}

static enum err_code decode_laws(const struct json *value, const char *pointer, void *target,
                                 struct arena *arena, struct err *err)
{
    struct fit_request_laws laws = {.count = 0};
    enum err_code code = ERR_OK;
    size_t index = 0;

    if (json_kind(value) != JSON_ARRAY)
        return refuse_kind(value, pointer, "an array of names of laws", err);
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
        index++;
    laws.unknown = arena_calloc(arena, index + 1, sizeof *laws.unknown);
    if (laws.unknown == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the request");
    index = 0;
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item)) {
        const char *at = json_pointer_index(arena, pointer, index++);
        const struct law *law = NULL;

        if (at == NULL)
            return err_set(err, ERR_NO_MEMORY, "out of memory for the request");
        if (json_kind(item) == JSON_TEXT)
            law = law_find(json_text(item));
        if (json_kind(item) != JSON_TEXT)
            code = refuse_kind(item, at, "the name of a law", err);
        else if (law == NULL)
            laws.unknown[laws.n_unknown++] =
                (struct fit_request_unknown){arena_printf(arena, "%.64s", json_text(item)), at};
        else if (law_is_listed(&laws, law))
            code = err_add(err, ERR_INVALID, ERR_AT_POINTER, at, 0, "is listed twice");
        else if (laws.count < FIT_REQUEST_LAWS_MAX)
            laws.items[laws.count++] = law;
    }
    if (index == 0)
        code = err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must name a law");
    *(struct fit_request_laws *)target = laws;
    return code;
}
