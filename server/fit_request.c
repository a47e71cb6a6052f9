#include "server/fit_request.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "server/answer.h"
#include "server/filters.h"
#include "server/model.h"
#include "server/tables.h"

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
        if (!isnan(prior->value) && !value_fits(&judge->law->coefficients[index], prior->value))
            refuse_value(judge, &judge->law->coefficients[index], pointer);
        else if (!isnan(prior->value) &&
                 !isfinite(
                     law_to_transform(judge->law->coefficients[index].transform, prior->value)))
            err_add(&judge->call->err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                    "must have a mean greater than 0: the prior is of its logarithm");
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

/* An unknown law among other faults is one of them; alone it is what was not found. */
static enum err_code refuse_law(struct call *call, const char *name, const char *pointer)
{
    const char *law = name != NULL ? name : "";

    if (call->err.code == ERR_OK)
        err_set(&call->err, ERR_LAW_NOT_FOUND, "there is no law '%.64s'", law);
    return err_add(&call->err, ERR_LAW_NOT_FOUND, ERR_AT_POINTER, pointer, 0,
                   "there is no law '%.64s'", law);
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
    return refuse_law(call, ret_request->law, "/law");
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

/* Whether one value can serve both: the same part of either formula, of the same sign. */
static bool means_the_same(const struct law_coefficient *a, const struct law_coefficient *b)
{
    return a->role == b->role && a->needs == b->needs && a->search_lower <= b->search_upper &&
           b->search_lower <= a->search_upper;
}

/* Refuses a value for a name that none of the laws has, or that is one thing in one law and another
 * in the next. */
static void refuse_shared_value(struct call *call, const struct fit_request *request,
                                const char *name, const char *pointer)
{
    const struct law_coefficient *first = NULL;
    const char *of_first = NULL;

    refuse_stranger(call, request, name, pointer);
    for (size_t i = 0; i < request->laws.count; i++) {
        const struct law *law = request->laws.items[i];
        size_t at = law_coefficient_index(law, name);

        if (at == law->n_coefficients)
            continue;
        if (first == NULL) {
            first = &law->coefficients[at];
            of_first = law->name;
        } else if (!means_the_same(first, &law->coefficients[at])) {
            err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, pointer != NULL ? pointer : "", 0,
                    "'%.60s' is not the same in all laws (%s of %s, %s of %s): one value cannot "
                    "serve them; fit them one by one",
                    name, first->meaning, of_first, law->coefficients[at].meaning, law->name);
            return;
        }
    }
}

enum err_code fit_request_read_compare(struct call *call, struct fit_request *ret_request,
                                       struct fit_options *ret_options)
{
    const struct fit_request *request = ret_request;
    struct judge judge = {.call = call};

    *ret_request = read_body(call);
    for (size_t i = 0; i < request->laws.n_unknown; i++)
        refuse_law(call, request->laws.unknown[i].name, request->laws.unknown[i].pointer);
    if (request->laws.count == 0)
        return call->err.code;
    for (size_t i = 0; i < request->laws.count; i++)
        judge_request(call, request->laws.items[i], true, request, &ret_options[i]);
    for (size_t i = 0; i < request->fixed.count; i++)
        refuse_shared_value(call, request, request->fixed.items[i].name,
                            pointer_of(&judge, "fixed", request->fixed.items[i].name));
    for (size_t i = 0; i < request->free.count; i++)
        refuse_stranger(call, request, request->free.items[i].name,
                        arena_printf(&call->arena, "/free/%zu", i));
    for (size_t i = 0; i < request->prior.count; i++)
        refuse_shared_value(call, request, request->prior.items[i].name,
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
    out_text(out, "loss", fit_loss_names[options->robust.kind]);
    if (options->robust.kind == ROBUST_HUBER)
        out_number(out, "delta", options->robust.delta);
    else
        out_null(out, "delta");
    out_integer(out, "starts", (int64_t)options->starts);
    out_integer(out, "seed", (int64_t)options->seed);
    filters_write(out, "where", &request->where);
    out_object_begin(out, "fixed");
    for (size_t i = 0; i < law->n_coefficients; i++) {
        if (result != NULL ? !result->is_free[i] : options->hold[i] == FIT_FIXED)
            out_number(out, law->coefficients[i].name,
                       result != NULL ? result->coefficient[i] : options->fixed[i]);
    }
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
