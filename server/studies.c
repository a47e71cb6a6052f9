/* studies: the handlers of /v1/studies. Read from the snapshot, written inside the writer's
 * transaction. */
#include <stddef.h>
#include <string.h>

#include "server/answer.h"
#include "server/app.h"
#include "server/handlers.h"
#include "server/jobs.h"
#include "server/page.h"
#include "server/studies.h"
#include "server/tables.h"
#include "server/writer.h"

static const char *const loss_units[] = {
    [LOSS_NATS_PER_TOKEN] = "nats_per_token", [LOSS_BITS_PER_BYTE] = "bits_per_byte", NULL};
static const char *const conventions[] = {[PARAMETERS_WITH_EMBEDDING] = "with_embedding",
                                          [PARAMETERS_NON_EMBEDDING] = "non_embedding",
                                          NULL};

static const char *const study_members[] = {"id",          "description", "eval_set",
                                            "tokenizer",   "loss_unit",   "parameter_convention",
                                            "default_fit", NULL};

struct list_query {
    struct page_query page;
};

const struct field studies_list_fields[] = {PAGE_FIELDS(struct list_query, page)};
TABLE_IS(studies_list_fields, STUDIES_LIST_FIELDS);

struct delete_query {
    bool force;
};

const struct field studies_delete_fields[] = {
    {.name = "force",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct delete_query, force),
     .fallback = "false",
     .help = "Delete the study's experiments and fits with it."},
};
TABLE_IS(studies_delete_fields, STUDIES_DELETE_FIELDS);

/* The body of a PUT. `id` may be there, so that what GET answered can be put back. */
struct study_body {
    const char *id, *description, *eval_set, *tokenizer, *default_fit;
    int loss_unit, parameter_convention;
};

const struct field study_fields[] = {
    {.name = "id",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct study_body, id),
     .max = STUDY_ID_MAX,
     .help = "The study's id; if given, the one in the path."},
    {.name = "description",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct study_body, description),
     .max = TEXT_MAX_BYTES,
     .help = "What the study holds, in words."},
    {.name = "eval_set",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct study_body, eval_set),
     .max = TEXT_MAX_BYTES,
     .help = "The text the losses were measured on."},
    {.name = "tokenizer",
     .kind = FIELD_TEXT,
     .offset = offsetof(struct study_body, tokenizer),
     .max = TEXT_MAX_BYTES,
     .help = "The tokenizer all runs share."},
    {.name = "loss_unit",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct study_body, loss_unit),
     .choices = loss_units,
     .fallback = "nats_per_token",
     .help = "The unit of every loss in the study."},
    {.name = "parameter_convention",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct study_body, parameter_convention),
     .choices = conventions,
     .fallback = "with_embedding",
     .help = "Whether n_active counts the embedding and unembedding."},
    {.name = "default_fit",
     .kind = FIELD_REFERENCE,
     .offset = offsetof(struct study_body, default_fit),
     .max = 100,
     .help = "The fit that answers when a request names none: one of this study's, or a preset."},
};
TABLE_IS(study_fields, STUDY_FIELDS);

static void write_study(struct out *out, const struct study *study)
{
    int64_t fit;

    out_object_begin(out, NULL);
    out_text(out, "id", study->id);
    out_text(out, "description", study->description);
    out_text(out, "eval_set", study->eval_set);
    out_text(out, "tokenizer", study->tokenizer);
    out_text(out, "loss_unit", loss_units[study->loss_unit]);
    out_text(out, "parameter_convention", conventions[study->parameter_convention]);
    if (study->default_fit != NULL && answer_id(study->default_fit, &fit))
        out_integer(out, "default_fit", fit);
    else
        out_text(out, "default_fit", study->default_fit);
    out_object_end(out);
}

static const struct study *find_study(struct call *call, const char *id)
{
    const struct study *study = snapshot_study(call->snapshot, id);

    if (study == NULL && call->err.code == ERR_OK)
        err_set(&call->err, ERR_STUDY_NOT_FOUND, "there is no study '%.100s'", id);
    return study;
}

const struct study *studies_asked(struct call *call, const char *id, enum err_place place)
{
    const struct study *study = find_study(call, id != NULL ? id : "default");

    if (study == NULL)
        err_add(&call->err, ERR_STUDY_NOT_FOUND, place,
                place == ERR_AT_POINTER ? "/study" : "study", 0, "there is no study '%.100s'", id);
    return study;
}

enum err_code studies_list(struct call *call)
{
    struct list_query query = {0};
    struct field_presence presence;
    struct page page;
    enum err_code code;

    answer_query(call, NULL, NULL, &query, &presence);
    code = page_begin(&page, call, PAGE_STUDIES, &query.page, study_members);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < snapshot_study_count(call->snapshot); i++) {
        const struct study *study = snapshot_study_at(call->snapshot, i);

        if (page.after != NULL && strcmp(study->id, page.after) <= 0)
            continue;
        if (!page_wants(&page))
            break;
        write_study(&page.item, study);
        page_item(&page, study->id);
    }
    return page_end(&page);
}

enum err_code studies_read(struct call *call)
{
    struct out out;
    const struct study *study;
    enum err_code code = answer_begin(call, &out, study_members);

    if (code != ERR_OK)
        return code;
    study = find_study(call, call->path_param[0]);
    if (study == NULL)
        return call->err.code;
    write_study(&out, study);
    return answer_out(call, 200, &out);
}

/* [a-z0-9][a-z0-9._-]{0,63} */
static bool study_id_is_valid(const char *id)
{
    size_t length = strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789._-");

    return length >= 1 && length <= STUDY_ID_MAX && id[length] == '\0' &&
           strchr("._-", id[0]) == NULL;
}

/* Whether the study may name the fit its default: a preset, or a finished fit of its own. */
static enum err_code check_default_fit(struct call *call, const char *study, const char *fit)
{
    struct fit_record record;
    struct err missing;
    int64_t id;

    if (preset_find(fit) != NULL)
        return ERR_OK;
    err_init(&missing, NULL);
    if (!answer_id(fit, &id) ||
        fit_read(call->store, id, &call->arena, &record, &missing) == ERR_FIT_NOT_FOUND)
        return err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/default_fit", 0,
                       "there is no fit '%.100s'", fit);
    if (missing.code != ERR_OK)
        return err_set(&call->err, missing.code, "%s", missing.detail);
    if (strcmp(record.study, study) != 0)
        return err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/default_fit", 0,
                       "fit %s is of the study '%s'", fit, record.study);
    if (record.status != FIT_FINISHED)
        return err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/default_fit", 0, "fit %s is %s",
                       fit, fit_status_name(record.status));
    return ERR_OK;
}

static enum err_code decode_study(struct call *call, struct study_body *ret_body)
{
    answer_body(call, ret_body);
    if (ret_body->id != NULL && strcmp(ret_body->id, call->path_param[0]) != 0)
        err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/id", 0, "the path says '%.100s'",
                call->path_param[0]);
    if (ret_body->default_fit != NULL)
        check_default_fit(call, call->path_param[0], ret_body->default_fit);
    return call->err.code;
}

enum err_code studies_put(struct call *call)
{
    const char *id = call->path_param[0];
    struct study_body body = {0};
    struct study study;
    bool created;
    struct out out;
    enum err_code code;

    if (!study_id_is_valid(id))
        err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "study", 0,
                "must match [a-z0-9][a-z0-9._-]{0,63}");
    code = decode_study(call, &body);
    if (code != ERR_OK)
        return code;
    study = (struct study){
        .id = id,
        .description = body.description,
        .eval_set = body.eval_set,
        .tokenizer = body.tokenizer,
        .loss_unit = (enum loss_unit)body.loss_unit,
        .parameter_convention = (enum parameter_convention)body.parameter_convention,
        .default_fit = body.default_fit,
        .created_at_us = call->now_us,
        .updated_at_us = call->now_us,
    };
    code = study_put(call->store, &study, &created, &call->err);
    if (code != ERR_OK)
        return code;
    writer_touch_studies(call->app->writer);
    out_init(&out, &call->arena);
    write_study(&out, &study);
    if (created)
        reply_header(call, "Location", call->request.path);
    return answer_out(call, created ? 201 : 200, &out);
}

/* Its fits that still run have nothing left to end as. */
static void cancel_fits(struct call *call, const char *study)
{
    struct snapshot *snapshot = snapshot_acquire(call->app->snapshots);

    for (size_t i = 0; i < snapshot_fit_count(snapshot); i++) {
        const struct fit_record *record = snapshot_fit_at(snapshot, i);

        if (record->status == FIT_RUNNING && strcmp(record->study, study) == 0)
            jobs_cancel(call->app->jobs, record->id);
    }
    snapshot_release(snapshot);
}

enum err_code studies_delete(struct call *call)
{
    struct delete_query query = {0};
    struct field_presence presence;
    enum err_code code = answer_query(call, NULL, NULL, &query, &presence);

    if (code == ERR_OK)
        code = study_delete(call->store, call->path_param[0], query.force, &call->err);
    if (code != ERR_OK)
        return code;
    writer_touch_studies(call->app->writer);
    cancel_fits(call, call->path_param[0]);
    return answer_nothing(call);
}
