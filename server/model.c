#include "server/model.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/fit_interval.h"
#include "server/answer.h"
#include "server/warning.h"

/* Names what a choice failed for: each of study, law and fit that there is none of. */
static void name_missing(const struct call *call, const struct model_query *query, struct err *err)
{
    struct model_choice choice;
    struct err alone;

    if (query->study != NULL && snapshot_study(call->snapshot, query->study) == NULL)
        err_add(err, err->code, ERR_AT_PARAMETER, "study", 0, "there is no study '%.100s'",
                query->study);
    if (query->law != NULL && law_find(query->law) == NULL)
        err_add(err, err->code, ERR_AT_PARAMETER, "law", 0, "there is no law '%.100s'", query->law);
    err_init(&alone, NULL);
    if (query->fit != NULL && snapshot_choose(call->snapshot, NULL, query->fit, NULL, &choice,
                                              &alone) == ERR_FIT_NOT_FOUND)
        err_add(err, err->code, ERR_AT_PARAMETER, "fit", 0, "%s", alone.detail);
}

enum err_code model_choose(struct call *call, const struct model_query *query,
                           struct model_choice *ret)
{
    struct err err;
    enum err_code code;

    err_init(&err, &call->arena);
    code = snapshot_choose(call->snapshot, query->study, query->fit, query->law, ret, &err);
    if (code == ERR_STUDY_NOT_FOUND || code == ERR_LAW_NOT_FOUND || code == ERR_FIT_NOT_FOUND)
        name_missing(call, query, &err);
    if (code != ERR_OK && call->err.code == ERR_OK)
        call->err = err;
    else
        for (const struct err_field *at = err.first; at != NULL; at = at->next)
            answer_fault(call, at->name, at->detail);
    return code;
}

void model_write_fit(struct out *out, const char *name, const struct model_choice *choice)
{
    if (choice->record != NULL)
        out_integer(out, name, choice->record->id);
    else
        out_text(out, name, choice->preset->id);
}

const char *model_provenance(const struct model_choice *choice)
{
    return choice->preset != NULL ? choice->preset->provenance : "fitted";
}

const char *model_convention(const struct model_choice *choice)
{
    return choice->preset != NULL ? choice->preset->parameter_convention
                                  : parameter_convention_name(choice->record->parameter_convention);
}

void model_write_head(struct out *out, const struct model_choice *choice)
{
    model_write_fit(out, "fit", choice);
    out_text(out, "law", choice->law->name);
    out_text(out, "study", choice->study->id);
}

void model_write_origin(struct out *out, const struct model_choice *choice)
{
    out_text(out, "provenance", model_provenance(choice));
    out_text(out, "parameter_convention", model_convention(choice));
}

const struct model_header model_headers[MODEL_HEADERS] = {
    {"Moeplan-Fit", "The id of the fit, or the name of the preset."},
    {"Moeplan-Law", "Its law."},
    {"Moeplan-Study", "The study asked about."},
    {"Moeplan-Provenance", "fitted, published or composed."},
    {"Moeplan-Parameter-Convention", "What n_active counts: with_embedding or non_embedding."},
};

enum err_code model_reply_headers(struct call *call, const struct model_choice *choice)
{
    const char *values[MODEL_HEADERS] = {
        choice->record != NULL ? arena_printf(&call->arena, "%lld", (long long)choice->record->id)
                               : choice->preset->id,
        choice->law->name,
        choice->study->id,
        model_provenance(choice),
        model_convention(choice),
    };

    if (values[0] == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < MODEL_HEADERS; i++)
        reply_header(call, model_headers[i].name, values[i]);
    return ERR_OK;
}

const char *model_no_interval(const struct preset *preset)
{
    bool has_errors = false;

    if (preset == NULL)
        return "intervals are null: the fit was made without draws. Fit again with \"bootstrap\"";
    for (size_t i = 0; i < LAW_MAX_COEFFICIENTS; i++)
        has_errors |= preset->standard_error[i] > 0;
    return has_errors
               ? "intervals are null: errors of single coefficients were published (they stand in "
                 "the fit), not how they vary together; taken as independent they would overstate "
                 "the interval of every loss"
               : "intervals are null: the coefficients were published without errors";
}

/* Of a shape that has experts in some layers only. */
static void warn_frequency(struct out *out, const struct plan_model *model)
{
    char detail[200];

    if (!(model->shape.moe_layer_freq > 1) ||
        (!law_reads(model->law, LAW_EXPERTS) && model->law->size_variable != LAW_N_TOTAL))
        return;
    snprintf(detail, sizeof detail,
             "the shape has experts in one layer of %.6g, law '%s' was measured with experts in "
             "all: counts and memory are the shape's, the loss may be too low",
             model->shape.moe_layer_freq, model->law->name);
    warning_write(out, "experts_in_some_layers", detail);
}

/* Of what the answer depends on and nobody knows a range: that extrapolates is silent of it. */
static void warn_ranges(struct out *out, const struct plan_model *model)
{
    char detail[200] = "";
    size_t used = 0;

    for (enum law_variable v = 0; v <= LAW_TOKENS_PER_ACTIVE_PARAM; v++) {
        bool matters = law_reads(model->law, v == LAW_TOKENS_PER_ACTIVE_PARAM ? LAW_TOKENS : v);

        if (matters && isnan(model->range[v].min))
            used += (size_t)snprintf(detail + used, sizeof detail - used, "%s%s",
                                     used > 0 ? ", " : "", law_variable_name(v));
    }
    if (used > 0)
        warning_write(out, "ranges_unknown",
                      arena_printf(out->arena,
                                   "it is not known what range of %s the coefficients were "
                                   "measured in: extrapolates says nothing of it",
                                   detail));
}

/* Of a form that no paper published: a preset of it says what its own numbers are worth. */
static void warn_composed(struct out *out, const struct model_choice *choice)
{
    const struct law *law = choice->law;

    if (strcmp(law->provenance, "composed") != 0)
        return;
    warning_write(out, "composed",
                  choice->preset != NULL
                      ? choice->preset->note
                      : arena_printf(out->arena,
                                     "no paper published the form of law '%s': it is %s; "
                                     "what speaks for it are the runs it was fitted to",
                                     law->name, law->source));
}

/* As fits warn of their own level (core/fit_draws.c). */
static void warn_draws(struct out *out, const struct plan_model *model, double level)
{
    double draws = (double)model->n_draws;

    if (draws > 0 && draws < fit_interval_least_draws(level))
        warning_write(
            out, "few_draws",
            arena_printf(out->arena,
                         "the fit's draws, %.0f, are too few for intervals of %.6g %%: their ends "
                         "are chance, and null where there are not two. Fit with \"bootstrap\": "
                         "%.0f at least, hundreds if the ends matter",
                         draws, 100 * level, fit_interval_least_draws(level)));
}

void model_write_warnings(struct out *out, const struct model_choice *choice, bool uses_shape,
                          double level)
{
    const struct fit_notes *notes = choice->notes;

    if (choice->published)
        warning_write(out, "published_coefficients",
                      "the study has no fit of its own for this: the answer comes from a "
                      "preset, measured on other data with another tokenizer");
    warn_composed(out, choice);
    if (choice->preset != NULL && choice->preset->caution != NULL)
        warning_write(out, "predicts_poorly", choice->preset->caution);
    if (notes != NULL && notes->averages.text != NULL)
        out_raw(out, NULL, notes->averages.text, notes->averages.length);
    if (notes != NULL && notes->shape.text != NULL && uses_shape)
        out_raw(out, NULL, notes->shape.text, notes->shape.length);
    warn_frequency(out, &choice->model);
    warn_ranges(out, &choice->model);
    if (choice->model.n_draws == 0)
        warning_write(out, "no_interval", model_no_interval(choice->preset));
    warn_draws(out, &choice->model, level);
}

enum { EXTRAPOLATION_ROWS = 6 };
#define EXTRAPOLATION_REST                                                                         \
    OUT_MEMBER(struct plan_extrapolation, min), OUT_MEMBER(struct plan_extrapolation, max),        \
        OUT_MEMBER(struct plan_extrapolation, distance), OUT_MEMBERS_END
#define EXTRAPOLATION(variable)                                                                    \
    {                                                                                              \
        OUT_MEMBER_BEHIND(",{\"variable\":\"" variable "\",\"value\":", struct plan_extrapolation, \
                          value),                                                                  \
            EXTRAPOLATION_REST,                                                                    \
    }

void model_write_extrapolates(struct out *out, const struct plan_extrapolation *extrapolates,
                              size_t count)
{
    static const struct out_member members[LAW_RANGE_COUNT][EXTRAPOLATION_ROWS] = {
        [LAW_N_ACTIVE] = EXTRAPOLATION("n_active"),
        [LAW_N_TOTAL] = EXTRAPOLATION("n_total"),
        [LAW_TOKENS] = EXTRAPOLATION("tokens"),
        [LAW_EXPERTS] = EXTRAPOLATION("experts"),
        [LAW_GRANULARITY] = EXTRAPOLATION("granularity"),
        /* Too long a text for one row. */
        [LAW_TOKENS_PER_ACTIVE_PARAM] = {OUT_MEMBER_TEXT(
                                             ",{\"variable\":\"tokens_per_active_param\""),
                                         OUT_MEMBER(struct plan_extrapolation, value),
                                         EXTRAPOLATION_REST},
        [LAW_TRAIN_FLOPS] = EXTRAPOLATION("train_flops"),
    };

    out_array_begin(out, "extrapolates");
    for (size_t i = 0; i < count; i++) {
        enum law_variable variable = extrapolates[i].variable;
        size_t rows = EXTRAPOLATION_ROWS - (variable == LAW_TOKENS_PER_ACTIVE_PARAM ? 0 : 1);

        out_members(out, members[variable], rows, &extrapolates[i]);
    }
    out_array_end(out);
}

void model_write_interval(struct out *out, const char *name, const double interval[2])
{
    if (isfinite(interval[0]) && isfinite(interval[1]))
        out_numbers(out, name, interval, 2);
    else
        out_null(out, name);
}

void model_fields_to_pointers(struct call *call, const struct err_field *after)
{
    struct err_field *field = after != NULL ? after->next : call->err.first;

    for (; field != NULL; field = field->next) {
        const char *pointer;

        if (field->place != ERR_AT_PARAMETER)
            continue;
        pointer = json_pointer_key(&call->arena, "", field->name);
        if (pointer == NULL)
            return;
        field->place = ERR_AT_POINTER;
        field->name = pointer;
    }
}

double model_noise_log(const struct model_choice *choice)
{
    return choice->notes != NULL ? choice->notes->noise_log : NAN;
}
