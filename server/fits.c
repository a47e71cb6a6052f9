/* fits: the handlers of /v1/fits, but for the POST (fits_post.c) and the residuals. Read from the
 * snapshot. */
#include "server/fits.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "db/store.h"
#include "server/answer.h"
#include "server/app.h"
#include "server/fit_background.h"
#include "server/fit_document.h"
#include "server/handlers.h"
#include "server/jobs.h"
#include "server/model.h"
#include "server/page.h"
#include "server/studies.h"
#include "server/tables.h"
#include "server/warning.h"
#include "server/writer.h"

const char *const fit_members[] = {"id",
                                   "study",
                                   "law",
                                   "label",
                                   "status",
                                   "created_at",
                                   "finished_at",
                                   "options",
                                   "coefficients",
                                   "intervals",
                                   "points",
                                   "free_coefficients",
                                   "objective",
                                   "rmse_log",
                                   "mae_log",
                                   "aicc",
                                   "bic",
                                   "stop_reason",
                                   "starts",
                                   "starts_agreeing",
                                   "condition_number",
                                   "holdout",
                                   "ranges",
                                   "data",
                                   "shape",
                                   "warnings",
                                   "provenance",
                                   NULL};

enum { FIRST_OF_DOCUMENT = 7 }; /* "options" */

struct list_query {
    struct page_query page;
    const char *study, *law;
};

const struct field fits_list_fields[] = {
    STUDY_FIELD(struct list_query, study),
    {.name = "law",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct list_query, law),
     .max = 64,
     .help = "Only fits of this law."},
    PAGE_FIELDS(struct list_query, page),
};
TABLE_IS(fits_list_fields, FITS_LIST_FIELDS);

/* The members a finished document has, in its order. */
static void write_document(struct out *out, const struct fit_record *record)
{
    const char *name, *value;
    size_t at = 0, name_length, length;

    while (fit_document_next(record, &at, &name, &name_length, &value, &length)) {
        const char *member = answer_find_name(fit_members, name, name_length);

        if (member != NULL)
            out_raw(out, member, value, length);
    }
}

/* Why a fit that the end of the process cut short has nothing. */
static void write_interruption(struct out *out)
{
    out_array_begin(out, "warnings");
    warning_write(out, "interrupted",
                  "the service ended while the fit ran, and nothing of it was kept: post it again, "
                  "with the same options for the same answer");
    out_array_end(out);
}

/* Every member, null where a fit that found nothing has none. */
static void write_remains(struct out *out, const struct fit_record *record)
{
    const char *value;
    size_t length;

    for (size_t i = FIRST_OF_DOCUMENT; fit_members[i] != NULL; i++) {
        if (record->status == FIT_INTERRUPTED && strcmp(fit_members[i], "warnings") == 0)
            write_interruption(out);
        else if (fit_document_member(record, fit_members[i], &value, &length))
            out_raw(out, fit_members[i], value, length);
        else
            out_null(out, fit_members[i]);
    }
}

void fit_write(struct out *out, const struct fit_record *record)
{
    out_object_begin(out, NULL);
    out_integer(out, "id", record->id);
    out_text(out, "study", record->study);
    out_text(out, "law", record->law);
    out_text(out, "label", record->label);
    out_text(out, "status", fit_status_name(record->status));
    out_time(out, "created_at", record->created_at_us);
    if (record->finished_at_us != 0)
        out_time(out, "finished_at", record->finished_at_us);
    else
        out_null(out, "finished_at");
    if (record->status == FIT_FINISHED)
        write_document(out, record);
    else
        write_remains(out, record);
    out_object_end(out);
}

static bool has_intervals(const struct preset *preset)
{
    for (size_t i = 0; i < LAW_MAX_COEFFICIENTS; i++)
        if (preset->interval[i][0] < preset->interval[i][1])
            return true;
    return false;
}

static void write_intervals(struct out *out, const struct preset *preset, const struct law *law)
{
    out_object_begin(out, "intervals");
    for (size_t i = 0; i < law->n_coefficients; i++) {
        if (preset->interval[i][0] == preset->interval[i][1])
            out_null(out, law->coefficients[i].name);
        else
            out_numbers(out, law->coefficients[i].name, preset->interval[i], 2);
    }
    out_object_end(out);
}

static void write_ranges(struct out *out, const struct preset *preset)
{
    out_object_begin(out, "ranges");
    for (int v = 0; v < LAW_RANGE_COUNT; v++)
        if (!isnan(preset->range[v].min))
            out_numbers(out, law_variable_name((enum law_variable)v),
                        (const double[]){preset->range[v].min, preset->range[v].max}, 2);
    out_object_end(out);
}

void fit_write_preset(struct out *out, const struct preset *preset)
{
    static const char *const unknown[] = {
        "free_coefficients", "objective", "rmse_log",        "mae_log",          "aicc",   "bic",
        "stop_reason",       "starts",    "starts_agreeing", "condition_number", "holdout"};
    const struct law *law = law_find(preset->law);

    out_object_begin(out, NULL);
    out_text(out, "id", preset->id);
    out_null(out, "study");
    out_text(out, "law", preset->law);
    out_text(out, "label", preset->label);
    out_text(out, "status", fit_status_name(FIT_FINISHED));
    out_null(out, "created_at");
    out_null(out, "finished_at");
    out_null(out, "options");
    out_object_begin(out, "coefficients");
    for (size_t i = 0; i < law->n_coefficients; i++)
        out_number(out, law->coefficients[i].name, preset->coefficient[i]);
    out_object_end(out);
    write_intervals(out, preset, law);
    if (preset->points > 0)
        out_integer(out, "points", (int64_t)preset->points);
    else
        out_null(out, "points");
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        out_null(out, unknown[i]);
    write_ranges(out, preset);
    out_null(out, "data");
    out_object_begin(out, "shape");
    out_text(out, "name", preset->shape->name);
    out_text(out, "parameter_convention", preset->parameter_convention);
    out_null(out, "n_total_ratio");
    out_object_end(out);
    out_array_begin(out, "warnings");
    warning_write(out, strcmp(preset->provenance, "composed") == 0 ? "composed" : "published",
                  arena_printf(out->arena, "%s. %s", preset->source, preset->note));
    if (!has_intervals(preset))
        warning_write(out, "no_interval", model_no_interval(preset));
    out_array_end(out);
    out_text(out, "provenance", preset->provenance);
    out_object_end(out);
}

enum err_code fits_list(struct call *call)
{
    struct list_query query = {0};
    struct field_presence presence;
    const struct study *study;
    struct page page;
    enum err_code code;

    answer_query(call, NULL, NULL, &query, &presence);
    code = page_begin(&page, call, PAGE_FITS, &query.page, fit_members);
    if (code != ERR_OK)
        return code;
    study = studies_asked(call, query.study, ERR_AT_PARAMETER);
    if (query.law != NULL && law_find(query.law) == NULL) {
        if (call->err.code == ERR_OK)
            err_set(&call->err, ERR_LAW_NOT_FOUND, "there is no law '%.64s'", query.law);
        err_add(&call->err, ERR_LAW_NOT_FOUND, ERR_AT_PARAMETER, "law", 0,
                "there is no law '%.64s'", query.law);
    }
    if (call->err.code != ERR_OK)
        return call->err.code;
    for (size_t i = 0; i < snapshot_fit_count(call->snapshot); i++) {
        const struct fit_record *record = snapshot_fit_at(call->snapshot, i);

        if (record->id <= page_after_id(&page) || strcmp(record->study, study->id) != 0 ||
            (query.law != NULL && strcmp(record->law, query.law) != 0))
            continue;
        if (!page_wants(&page))
            break;
        fit_write(&page.item, record);
        page_item_id(&page, record->id);
    }
    return page_end(&page);
}

enum err_code fits_read(struct call *call)
{
    const struct fit_record *record = NULL;
    const struct preset *preset = preset_find(call->path_param[0]);
    struct out out;
    int64_t id;
    enum err_code code = answer_begin(call, &out, fit_members);

    if (code != ERR_OK)
        return code;
    if (answer_id(call->path_param[0], &id))
        record = snapshot_fit(call->snapshot, id);
    if (record != NULL)
        fit_write(&out, record);
    else if (preset != NULL)
        fit_write_preset(&out, preset);
    else
        return err_set(&call->err, ERR_FIT_NOT_FOUND, "there is no fit '%.100s'",
                       call->path_param[0]);
    return answer_out(call, 200, &out);
}

enum err_code fit_find_finished(struct call *call, const struct fit_record **ret_record)
{
    const struct fit_record *record = NULL;
    int64_t id;

    if (preset_find(call->path_param[0]) != NULL)
        return err_set(&call->err, ERR_UNSUPPORTED, "a preset's runs are not here");
    if (answer_id(call->path_param[0], &id))
        record = snapshot_fit(call->snapshot, id);
    if (record == NULL)
        return err_set(&call->err, ERR_FIT_NOT_FOUND, "there is no fit '%.100s'",
                       call->path_param[0]);
    if (record->status != FIT_FINISHED)
        return err_set(&call->err, ERR_CONFLICT, "the fit is %s, not finished",
                       fit_status_name(record->status));
    if (snapshot_fit_law(call->snapshot, id) == NULL)
        return err_set(&call->err, ERR_UNSUPPORTED, "the fit is another version's: fit again");
    *ret_record = record;
    return ERR_OK;
}

enum err_code fits_delete(struct call *call)
{
    int64_t id;
    enum err_code code = answer_no_query(call);

    if (code != ERR_OK)
        return code;
    if (preset_find(call->path_param[0]) != NULL)
        return err_set(&call->err, ERR_READ_ONLY, "'%s' is a preset: it cannot be deleted",
                       call->path_param[0]);
    if (!answer_id(call->path_param[0], &id))
        return err_set(&call->err, ERR_FIT_NOT_FOUND, "there is no fit '%.100s'",
                       call->path_param[0]);
    if (jobs_cancel(call->app->jobs, id)) { /* it stays, unless it has ended just now */
        code = fit_background_cancel(call, id);
        if (code != ERR_CONFLICT)
            return code == ERR_OK ? answer_nothing(call) : code;
    }
    code = fit_delete(call->store, id, &call->err);
    if (code != ERR_OK)
        return code;
    writer_touch_fit(call->app->writer, id);
    return answer_nothing(call);
}
