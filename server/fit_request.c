#include "server/fit_request.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "server/answer.h"
#include "server/filters.h"
#include "server/model.h"
#include "server/tables.h"

enum { LABEL_MAX_BYTES = 800 };

static const char *const loss_names[] = {
    [ROBUST_HUBER] = "huber", [ROBUST_SQUARED] = "squared", NULL};

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
     .choices = loss_names,
     .fallback = "huber",
     .help = "The loss on residuals of ln L."},
    {.name = "delta",
     .kind = FIELD_NUMBER,
     .offset = AT(delta),
     .min_exclusive = true,
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
     .help = "Normal priors: the mean a natural value, sd in the coefficient's transform."},
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
    {.name = "level",
     .kind = FIELD_NUMBER,
     .offset = AT(level),
     .min_exclusive = true,
     .max = LEVEL_MAX,
     .fallback = "0.9",
     .help = "The share of cases the intervals are to cover."},
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
         .min_exclusive = true},
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
            code = err_add(err, ERR_INVALID, ERR_AT_POINTER, at, 0, "there is no law '%.64s'",
                           json_text(item));
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

/* What the law makes of the coefficients that were named. */
struct judge {
    struct call *call;
    const struct law *law;
    bool lenient; /* names of other laws' coefficients are passed over */
};

static const char *pointer_of(const struct judge *judge, const char *member, const char *name)
{
    struct arena *arena = &judge->call->arena;
    const char *base = json_pointer_key(arena, "", member);
    const char *pointer = base != NULL ? json_pointer_key(arena, base, name) : NULL;

    return pointer != NULL ? pointer : "";
}

/* The index of a named coefficient; n_coefficients with an error when the law has none such. */
static size_t find_coefficient(const struct judge *judge, const char *name, const char *pointer)
{
    size_t index = law_coefficient_index(judge->law, name);

    if (index == judge->law->n_coefficients && !judge->lenient)
        err_add(&judge->call->err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                "law '%s' has no such coefficient", judge->law->name);
    return index;
}

static void refuse_value(const struct judge *judge, const struct law_coefficient *coefficient,
                         const char *pointer)
{
    struct err *err = &judge->call->err;

    if (isinf(coefficient->lower) && isinf(coefficient->upper))
        err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be a number");
    else if (isinf(coefficient->upper))
        err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be a number, at least %g",
                coefficient->lower);
    else
        err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be a number from %g to %g",
                coefficient->lower, coefficient->upper);
}

static bool value_fits(const struct law_coefficient *coefficient, double value)
{
    bool infinite_is_fine = coefficient->transform == LAW_RECIPROCAL;

    return value >= coefficient->lower && value <= coefficient->upper &&
           (isfinite(value) || infinite_is_fine);
}

static void judge_fixed(const struct judge *judge, const struct fit_request *request,
                        struct fit_options *options)
{
    for (size_t i = 0; i < request->fixed.count; i++) {
        const struct fit_request_value *fixed = &request->fixed.items[i];
        const char *pointer = pointer_of(judge, "fixed", fixed->name);
        size_t index = find_coefficient(judge, fixed->name, pointer);

        if (index == judge->law->n_coefficients)
            continue;
        if (!isnan(fixed->value) && !value_fits(&judge->law->coefficients[index], fixed->value))
            refuse_value(judge, &judge->law->coefficients[index], pointer);
        options->hold[index] = FIT_FIXED;
        options->fixed[index] = fixed->value;
    }
}

static void judge_free(const struct judge *judge, const struct fit_request *request,
                       struct fit_options *options)
{
    for (size_t i = 0; i < request->free.count; i++) {
        const char *name = request->free.items[i].name;
        const char *pointer = arena_printf(&judge->call->arena, "/free/%zu", i);
        size_t index = law_coefficient_index(judge->law, name);

        if (pointer == NULL)
            pointer = "/free";
        if (index == judge->law->n_coefficients && judge->lenient)
            continue;
        if (index == judge->law->n_coefficients)
            err_add(&judge->call->err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                    "law '%s' has no coefficient '%.100s'", judge->law->name, name);
        else if (options->hold[index] == FIT_FIXED)
            err_add(&judge->call->err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                    "%s is fixed by the same request", name);
        else
            options->hold[index] = FIT_FREE;
    }
}

static void judge_prior(const struct judge *judge, const struct fit_request *request,
                        struct fit_options *options)
{
    for (size_t i = 0; i < request->prior.count; i++) {
        const struct fit_request_value *prior = &request->prior.items[i];
        const char *pointer = pointer_of(judge, "prior", prior->name);
        size_t index = find_coefficient(judge, prior->name, pointer);

        if (index == judge->law->n_coefficients)
            continue;
        if (options->hold[index] == FIT_FIXED)
            err_add(&judge->call->err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                    "%s is fixed by the same request", prior->name);
        if (!isnan(prior->value) &&
            (!value_fits(&judge->law->coefficients[index], prior->value) ||
             !isfinite(law_to_transform(judge->law->coefficients[index].transform, prior->value))))
            refuse_value(judge, &judge->law->coefficients[index], pointer);
        options->prior[index] =
            (struct fit_prior){.set = true, .mean = prior->value, .sd = prior->sd};
    }
}

/* The options of a request, as far as they depend on no law. */
static struct fit_options plain_options(const struct law *law, const struct fit_request *request)
{
    struct fit_options options = fit_options_default(law);

    options.robust.kind = (enum robust_kind)request->loss;
    if (!isnan(request->delta))
        options.robust.delta = request->delta;
    options.starts = (size_t)request->starts;
    options.seed = (uint64_t)request->seed;
    options.holdout_kind = request->holdout_kind;
    options.holdout = request->holdout;
    options.bootstrap = (size_t)request->bootstrap;
    options.level = request->level;
    return options;
}

static void judge_request(struct call *call, const struct law *law, bool lenient,
                          const struct fit_request *request, struct fit_options *ret_options)
{
    struct judge judge = {.call = call, .law = law, .lenient = lenient};

    *ret_options = plain_options(law, request);
    judge_fixed(&judge, request, ret_options);
    judge_free(&judge, request, ret_options);
    judge_prior(&judge, request, ret_options);
}

static const struct fit_request nothing_asked = {
    .loss = ROBUST_HUBER, .delta = NAN, .starts = FIT_STARTS_DEFAULT, .level = LEVEL_DEFAULT};

/* Decodes the body; faults go to call->err. */
static struct fit_request read_body(struct call *call)
{
    struct fit_request request = nothing_asked;
    struct json *root = NULL;

    if (answer_json(call, &root) == ERR_OK)
        answer_decode(call, root, &request);
    json_release(root);
    if (!isnan(request.delta) && request.loss != ROBUST_HUBER)
        err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/delta", 0, "is for the huber loss only");
    return request;
}

enum err_code fit_request_read(struct call *call, struct fit_request *ret_request,
                               struct fit_options *ret_options)
{
    const struct law *law;

    *ret_request = read_body(call);
    if (ret_request->law == NULL)
        return call->err.code;
    law = law_find(ret_request->law);
    if (law != NULL) {
        judge_request(call, law, false, ret_request, ret_options);
        return call->err.code;
    }
    if (call->err.code == ERR_OK)
        err_set(&call->err, ERR_LAW_NOT_FOUND, "there is no law '%.64s'", ret_request->law);
    return err_add(&call->err, ERR_LAW_NOT_FOUND, ERR_AT_POINTER, "/law", 0,
                   "there is no law '%.64s'", ret_request->law);
}

enum err_code fit_request_reread(struct call *call, const char *text, size_t length,
                                 const struct law *law, struct fit_options *ret_options)
{
    struct fit_request request = nothing_asked;
    struct field_presence presence;
    struct json *root = NULL;
    enum err_code code = json_parse(text, length, &root, &call->err);

    if (code == ERR_OK)
        code = field_from_json(fit_request_fields + FIT_REQUEST_COMPARE_ONLY, FIT_REQUEST_SHARED,
                               root, "", NULL, NULL, &request, &presence, &call->arena, &call->err);
    json_release(root);
    if (code == ERR_OK)
        judge_request(call, law, false, &request, ret_options);
    if (call->err.code == ERR_NO_MEMORY || call->err.code == ERR_OK)
        return call->err.code;
    return err_set(&call->err, ERR_INTERNAL, "the fit's options do not read as such");
}

/* Refuses a coefficient that none of the laws has. */
static void refuse_stranger(struct call *call, const struct fit_request *request, const char *name,
                            const char *pointer)
{
    for (size_t i = 0; i < request->laws.count; i++)
        if (law_coefficient_index(request->laws.items[i], name) <
            request->laws.items[i]->n_coefficients)
            return;
    err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, pointer != NULL ? pointer : "", 0,
            "none of the laws has a coefficient '%.100s'", name);
}

enum err_code fit_request_read_compare(struct call *call, struct fit_request *ret_request,
                                       struct fit_options *ret_options)
{
    const struct fit_request *request = ret_request;
    struct judge judge = {.call = call};

    *ret_request = read_body(call);
    if (request->laws.count == 0)
        return call->err.code;
    for (size_t i = 0; i < request->laws.count; i++)
        judge_request(call, request->laws.items[i], true, request, &ret_options[i]);
    for (size_t i = 0; i < request->fixed.count; i++)
        refuse_stranger(call, request, request->fixed.items[i].name,
                        pointer_of(&judge, "fixed", request->fixed.items[i].name));
    for (size_t i = 0; i < request->free.count; i++)
        refuse_stranger(call, request, request->free.items[i].name,
                        arena_printf(&call->arena, "/free/%zu", i));
    for (size_t i = 0; i < request->prior.count; i++)
        refuse_stranger(call, request, request->prior.items[i].name,
                        pointer_of(&judge, "prior", request->prior.items[i].name));
    return call->err.code;
}

static void write_prior(struct out *out, const struct fit_options *options)
{
    out_object_begin(out, "prior");
    for (size_t i = 0; i < options->law->n_coefficients; i++) {
        if (!options->prior[i].set)
            continue;
        out_object_begin(out, options->law->coefficients[i].name);
        out_number(out, "mean", options->prior[i].mean);
        out_number(out, "sd", options->prior[i].sd);
        out_object_end(out);
    }
    out_object_end(out);
}

static void write_holdout(struct out *out, const struct fit_options *options)
{
    if (options->holdout_kind == FIT_HOLDOUT_NONE) {
        out_null(out, "holdout");
        return;
    }
    out_object_begin(out, "holdout");
    out_number(out, options->holdout_kind == FIT_HOLDOUT_FRACTION ? "fraction" : "min_flops",
               options->holdout);
    out_object_end(out);
}

void fit_request_write(struct out *out, const struct fit_request *request,
                       const struct fit_options *options, const struct fit_result *result)
{
    const struct law *law = options->law;

    out_object_begin(out, "options");
    out_text(out, "loss", loss_names[options->robust.kind]);
    if (options->robust.kind == ROBUST_HUBER)
        out_number(out, "delta", options->robust.delta);
    else
        out_null(out, "delta");
    out_integer(out, "starts", (int64_t)options->starts);
    out_integer(out, "seed", (int64_t)options->seed);
    filters_write(out, "where", &request->where);
    out_object_begin(out, "fixed");
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (!result->is_free[i])
            out_number(out, law->coefficients[i].name, result->coefficient[i]);
    out_object_end(out);
    out_array_begin(out, "free");
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (options->hold[i] == FIT_FREE)
            out_text(out, NULL, law->coefficients[i].name);
    out_array_end(out);
    write_prior(out, options);
    write_holdout(out, options);
    out_integer(out, "bootstrap", (int64_t)options->bootstrap);
    out_number(out, "level", options->level);
    out_object_end(out);
}
