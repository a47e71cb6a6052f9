/* experiments: the handlers of /v1/experiments, but for the POST (intake.c). */
#include <stddef.h>
#include <string.h>

#include "db/store.h"
#include "server/answer.h"
#include "server/dump.h"
#include "server/filters.h"
#include "server/handlers.h"
#include "server/page.h"
#include "server/run.h"
#include "server/studies.h"
#include "server/tables.h"

struct list_query {
    struct page_query page;
    const char *study;
    int format;
};

const struct field experiments_list_fields[] = {
    STUDY_FIELD(struct list_query, study),
    PAGE_FIELDS(struct list_query, page),
    {.name = "format",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct list_query, format),
     .choices = answer_format_names,
     .help = "The form of the answer, over Accept; csv and ndjson hold everything unless `limit` "
             "is given."},
};
TABLE_IS(experiments_list_fields, EXPERIMENTS_LIST_FIELDS);

static bool list_row(void *ctx, const struct experiment *run)
{
    struct page *page = ctx;

    if (!page_wants(page))
        return false;
    run_write_json(&page->item, run);
    page_item_id(page, run->id);
    return true;
}

enum err_code experiments_list(struct call *call)
{
    struct list_query query = {.format = ANSWER_BY_ACCEPT};
    struct filter filter = {0};
    struct filters filters = {.filter = &filter, .arena = &call->arena};
    struct field_presence presence;
    const struct study *study;
    enum answer_format format = ANSWER_JSON;
    struct page page;
    enum err_code code;

    answer_query(call, filters_query, &filters, &query, &presence);
    code = page_begin(&page, call, PAGE_EXPERIMENTS, &query.page, run_members);
    if (code == ERR_OK)
        code = answer_format(call, query.format,
                             1 << ANSWER_JSON | 1 << ANSWER_CSV | 1 << ANSWER_NDJSON, &format);
    if (code != ERR_OK)
        return code;
    study = studies_asked(call, query.study, ERR_AT_PARAMETER);
    if (study == NULL)
        return call->err.code;
    if (format != ANSWER_JSON) {
        struct dump_question question = {.format = format,
                                         .study = study->id,
                                         .filter = &filter,
                                         .fields = query.page.fields,
                                         .after = page_after_id(&page),
                                         .limit = (size_t)query.page.limit};
        return dump_reply(call, &question);
    }
    code = experiment_each(call->store, study->id, &filter, page_after_id(&page), INT64_MAX,
                           page.limit + 1, list_row, &page, &call->err);
    return code == ERR_OK ? page_end(&page) : code;
}

/* Reads the run of the path. */
static enum err_code read_run(struct call *call, struct experiment *ret_run)
{
    int64_t id;

    if (!answer_id(call->path_param[0], &id))
        return err_set(&call->err, ERR_EXPERIMENT_NOT_FOUND, "there is no experiment '%.100s'",
                       call->path_param[0]);
    return experiment_read(call->store, id, &call->arena, ret_run, &call->err);
}

enum err_code experiments_read(struct call *call)
{
    struct experiment run;
    struct out out;
    enum err_code code = answer_begin(call, &out, run_members);

    if (code == ERR_OK)
        code = read_run(call, &run);
    if (code != ERR_OK)
        return code;
    run_write_json(&out, &run);
    return answer_out(call, 200, &out);
}

/* A required field cannot be taken back to a default: it has none. */
static void refuse_nulls(struct call *call, const struct json *patch, const struct run_site *site)
{
    for (const struct json *at = json_first(patch); at != NULL; at = json_next(at)) {
        size_t row =
            field_find(experiment_fields, EXPERIMENT_FIELDS, json_key(at), strlen(json_key(at)));

        if (json_kind(at) == JSON_NULL && row < EXPERIMENT_FIELDS &&
            experiment_fields[row].required)
            run_report(site, ERR_INVALID, json_key(at), "is required: it cannot be null",
                       &call->arena, &call->err);
    }
}

/* Decodes the merge patch onto a copy of the stored run, and checks the result. */
static enum err_code decode_patch(struct call *call, const struct experiment *stored,
                                  struct run_row *patched, struct run_warnings *warnings)
{
    const struct run_site site = {.place = ERR_AT_POINTER, .base = ""};
    struct json *root = NULL;

    *patched = (struct run_row){.run = *stored};
    if (json_parse(call->request.body, call->request.body_length, &root, &call->err) == ERR_OK) {
        field_from_patch(experiment_fields, EXPERIMENT_FIELDS, root, &patched->run,
                         &patched->presence, &call->arena, &call->err);
        if (json_kind(root) == JSON_OBJECT)
            refuse_nulls(call, root, &site);
    }
    json_release(root);
    if (call->err.code != ERR_OK ||
        run_patch(patched, stored, call->now_us, &call->arena, &call->err) != ERR_OK)
        return call->err.code;
    if (patched->run.id != 0 && patched->run.id != stored->id)
        run_report(&site, ERR_INVALID, "id", "cannot be changed", &call->arena, &call->err);
    if (patched->run.study != NULL && strcmp(patched->run.study, stored->study) != 0)
        run_report(&site, ERR_INVALID, "study", "cannot be changed", &call->arena, &call->err);
    patched->run.id = stored->id;
    patched->run.study = stored->study;
    run_finish(patched, &site, warnings, &call->arena, &call->err);
    return call->err.code;
}

enum err_code experiments_patch(struct call *call)
{
    struct experiment stored;
    struct run_row patched;
    struct run_warnings warnings = {0};
    struct out out;
    enum err_code code = answer_no_query(call);

    if (code == ERR_OK)
        code = read_run(call, &stored);
    if (code == ERR_OK)
        code = decode_patch(call, &stored, &patched, &warnings);
    if (code == ERR_OK) {
        code = experiment_update(call->store, &patched.run, &call->err);
        if (code == ERR_CONFLICT)
            err_add(&call->err, code, ERR_AT_POINTER, "/name", 0, "%s", call->err.detail);
    }
    if (code == ERR_OK)
        code = experiment_read(call->store, stored.id, &call->arena, &stored, &call->err);
    if (code != ERR_OK)
        return code;
    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    run_write_members(&out, &stored);
    run_write_warnings(&out, &warnings);
    out_object_end(&out);
    return answer_out(call, 200, &out);
}

enum err_code experiments_delete(struct call *call)
{
    struct experiment run;
    enum err_code code = answer_no_query(call);

    if (code == ERR_OK)
        code = read_run(call, &run);
    if (code == ERR_OK)
        code = experiment_delete(call->store, run.id, &call->err);
    return code == ERR_OK ? answer_nothing(call) : code;
}
