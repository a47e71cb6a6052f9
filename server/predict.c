/* predict: the handlers of /v1/predict: the loss a fit expects of one configuration, or of many. */
#include "core/predict.h"

#include <math.h>
#include <stdio.h>

#include "server/answer.h"
#include "server/handlers.h"
#include "server/model.h"
#include "server/predict_query.h"
#include "server/warning.h"

/* Where faults of a point are: a parameter of the query, or under /items/i of the body. */
struct site {
    struct call *call;
    bool in_items;
    size_t index;
};

static enum err_code fault(const struct site *site, enum err_code code, const char *field,
                           const char *detail)
{
    struct arena *arena = &site->call->arena;
    const char *name =
        site->in_items ? arena_printf(arena, "/items/%zu/%s", site->index, field) : field;

    if (name != NULL && answer_is_faulty(site->call, name))
        return site->call->err.code;
    return err_add(&site->call->err, code, site->in_items ? ERR_AT_POINTER : ERR_AT_PARAMETER,
                   name != NULL ? name : "", 0, "%s", detail);
}

/* Whether n_total says something of the answer: the law reads it, or its range is known. */
static bool needs_total(const struct model_choice *choice)
{
    return law_reads(choice->law, LAW_N_TOTAL) || !isnan(choice->model.range[LAW_N_TOTAL].min);
}

/* The point as the law reads it: defaults filled in, n_total by the shape where it is needed. */
static enum err_code complete(const struct site *site, const struct model_choice *choice,
                              const struct predict_point *point, struct obs *ret_run)
{
    const struct plan_model *model = &choice->model;
    bool reads_total = law_reads(choice->law, LAW_N_TOTAL);
    double fixed = model->fixed_experts;
    enum err_code code = ERR_OK;
    char detail[100];
    struct obs run = {
        .n_active = point->n_active,
        .n_total = point->n_total,
        .tokens = point->tokens,
        .experts = isnan(point->experts) ? (fixed > 0 ? fixed : 1) : point->experts,
        .granularity = isnan(point->granularity) ? 1 : point->granularity,
    };

    if (isnan(run.n_active) &&
        (law_reads(choice->law, LAW_N_ACTIVE) || (reads_total && isnan(run.n_total))))
        code = fault(site, ERR_INVALID, "n_active", "is required");
    if (isnan(run.tokens) && law_reads(choice->law, LAW_TOKENS))
        code = fault(site, ERR_INVALID, "tokens", "is required");
    if (run.n_total < run.n_active)
        code = fault(site, ERR_INVALID, "n_total", "must not be below n_active");
    if (code == ERR_OK && fixed > 0 && run.experts != fixed) {
        snprintf(detail, sizeof detail, "the fit holds for E = %.6g only, not %.6g", fixed,
                 run.experts);
        code = fault(site, ERR_UNSUPPORTED, "experts", detail);
    }
    if (code == ERR_OK && needs_total(choice) && isnan(run.n_total) && !isnan(run.n_active))
        run.n_total =
            fmax(run.n_active, /* not a bit below */
                 shape_n_total(&model->shape, shape_d_from_n_active(&model->shape, run.n_active),
                               run.experts));
    *ret_run = run;
    return code;
}

static void write_point(struct out *out, const struct obs *run)
{
    out_number(out, "n_active", run->n_active);
    out_number(out, "n_total", run->n_total);
    out_number(out, "tokens", run->tokens);
    out_number(out, "experts", run->experts);
    out_number(out, "granularity", run->granularity);
}

static void write_prediction(struct out *out, const struct prediction *prediction)
{
    out_number(out, "loss", prediction->loss);
    model_write_interval(out, "interval", prediction->interval);
    model_write_interval(out, "prediction_interval", prediction->run_interval);
    model_write_extrapolates(out, prediction->extrapolates, prediction->n_extrapolates);
}

/* Warnings for values the law does not read: they changed nothing, and the client should know. */
static void write_unread(struct call *call, struct out *out, const struct model_choice *choice,
                         const struct predict_point *points, size_t count)
{
    const struct law *law = choice->law;

    for (enum law_variable v = 0; v < LAW_VARIABLE_COUNT; v++) {
        bool given = false;

        /* n_active and experts may serve the shape instead, n_total a range. */
        if (law_reads(law, v) || (needs_total(choice) && v != LAW_GRANULARITY && v != LAW_TOKENS))
            continue;
        for (size_t i = 0; i < count; i++) {
            const double value[LAW_VARIABLE_COUNT] = {
                [LAW_N_ACTIVE] = points[i].n_active,       [LAW_N_TOTAL] = points[i].n_total,
                [LAW_TOKENS] = points[i].tokens,           [LAW_EXPERTS] = points[i].experts,
                [LAW_GRANULARITY] = points[i].granularity,
            };
            given |= !isnan(value[v]);
        }
        if (given)
            warning_write(out, "not_read",
                          arena_printf(&call->arena, "law '%s' does not read %s", law->name,
                                       law_variable_name(v)));
    }
}

static void write_tail(struct call *call, struct out *out, const struct model_choice *choice,
                       const struct predict_point *points, size_t count, double level)
{
    bool shaped = false;

    for (size_t i = 0; i < count; i++)
        shaped |= needs_total(choice) && isnan(points[i].n_total);
    model_write_origin(out, choice);
    out_array_begin(out, "warnings");
    model_write_warnings(out, choice, shaped, level);
    write_unread(call, out, choice, points, count);
    out_array_end(out);
    out_object_end(out);
}

/* Room for the losses of a model's draws; NULL without draws, or where memory is short. */
static double *draw_scratch(struct call *call, const struct plan_model *model)
{
    double *scratch = NULL;

    if (model->n_draws > 0)
        scratch = arena_alloc(&call->arena, model->n_draws * sizeof *scratch);
    if (model->n_draws > 0 && scratch == NULL)
        err_set(&call->err, ERR_NO_MEMORY, "no room for the losses of %zu draws", model->n_draws);
    return scratch;
}

enum err_code predict_get(struct call *call)
{
    static const char *const members[] = {"fit",
                                          "law",
                                          "study",
                                          "n_active",
                                          "n_total",
                                          "tokens",
                                          "experts",
                                          "granularity",
                                          "loss",
                                          "interval",
                                          "prediction_interval",
                                          "extrapolates",
                                          "provenance",
                                          "parameter_convention",
                                          "warnings",
                                          NULL};
    struct predict_query query = {.point = predict_point_absent(), .level = LEVEL_DEFAULT};
    struct field_presence presence;
    struct model_choice choice;
    struct prediction prediction;
    struct obs run = {0};
    double *scratch = NULL;
    struct out out;
    enum err_code code;

    answer_query(call, NULL, NULL, &query, &presence);
    answer_select(call, &out, query.fields, members);
    code = model_choose(call, &query.model, &choice);
    if (code == ERR_OK)
        complete(&(struct site){.call = call}, &choice, &query.point, &run);
    if (call->err.code == ERR_OK)
        scratch = draw_scratch(call, &choice.model);
    if (call->err.code == ERR_OK)
        predict_loss(&choice.model, &run, query.level, model_noise_log(&choice), scratch,
                     &prediction, &call->err);
    if (call->err.code != ERR_OK)
        return call->err.code;
    out_object_begin(&out, NULL);
    model_write_head(&out, &choice);
    write_point(&out, &run);
    write_prediction(&out, &prediction);
    write_tail(call, &out, &choice, &query.point, 1, query.level);
    return answer_out(call, 200, &out);
}

/* Whether the item could not even be decoded as an object. */
static bool is_no_object(const struct site *site)
{
    const char *base = arena_printf(&site->call->arena, "/items/%zu", site->index);

    return base != NULL && answer_is_faulty(site->call, base);
}

static enum err_code predict_items(struct call *call, const struct predict_body *body,
                                   const struct model_choice *choice, struct out *out)
{
    bool refused = call->err.code != ERR_OK;
    double noise = model_noise_log(choice);
    double *scratch = refused ? NULL : draw_scratch(call, &choice->model);

    for (size_t i = 0; i < body->n_items; i++) {
        const struct site site = {call, true, i};
        struct prediction prediction;
        struct obs run;
        struct err err;

        if ((refused && is_no_object(&site)) ||
            complete(&site, choice, &body->items[i], &run) != ERR_OK || call->err.code != ERR_OK)
            continue; /* all faults are listed; nothing more is computed */
        err_init(&err, NULL);
        if (predict_loss(&choice->model, &run, body->level, noise, scratch, &prediction, &err) !=
            ERR_OK) {
            fault(&site, err.code, "n_active", err.detail);
            continue;
        }
        out_object_begin(out, NULL);
        write_point(out, &run);
        write_prediction(out, &prediction);
        out_object_end(out);
    }
    return call->err.code;
}

/* Decodes the body and chooses the model, whose faults are said of the body's members. */
static enum err_code read_items(struct call *call, struct predict_body *body,
                                struct model_choice *ret_choice)
{
    struct json *root = NULL;
    enum err_code code = answer_json(call, &root);

    if (code == ERR_OK) {
        const struct err_field *of_query = call->err.last;

        answer_decode(call, root, body);
        code = model_choose(call, &body->model, ret_choice);
        model_fields_to_pointers(call, of_query);
    }
    json_release(root);
    return code;
}

enum err_code predict_post(struct call *call)
{
    struct predict_body body = {.level = LEVEL_DEFAULT};
    struct model_choice choice;
    struct out out;
    size_t draws;

    if (read_items(call, &body, &choice) != ERR_OK)
        return call->err.code;
    draws = choice.model.n_draws;
    if (body.n_items * draws > PREDICT_WORK_MAX)
        return err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/items", 0,
                       "at most %zu items of a fit with %zu draws", PREDICT_WORK_MAX / draws,
                       draws);
    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    model_write_head(&out, &choice);
    out_array_begin(&out, "items");
    if (predict_items(call, &body, &choice, &out) != ERR_OK)
        return call->err.code;
    out_array_end(&out);
    write_tail(call, &out, &choice, body.items, body.n_items, body.level);
    return answer_out(call, 200, &out);
}
