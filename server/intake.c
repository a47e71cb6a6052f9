/* intake: POST /v1/experiments. Runs in five forms, all of them stored or none.
 *
 * Decoded and checked off the writer's thread: a small body on the event thread, a large one on a
 * reader's. What is left for the writer's transaction is to compare and to store.
 */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "db/store.h"
#include "server/answer.h"
#include "server/app.h"
#include "server/handlers.h"
#include "server/intake.h"
#include "server/tables.h"

enum { INLINE_BYTES = 16 * 1024 }; /* bodies up to this are decoded on the event thread */

static const char *const conflict_names[] = {[ON_CONFLICT_ERROR] = "error",
                                             [ON_CONFLICT_REPLACE] = "replace",
                                             [ON_CONFLICT_IGNORE] = "ignore",
                                             NULL};

struct intake_query {
    const char *study;
    int on_conflict;
};

const struct field intake_fields[] = {
    STUDY_FIELD(struct intake_query, study),
    {.name = "on_conflict",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct intake_query, on_conflict),
     .choices = conflict_names,
     .fallback = "error",
     .help = "What to do with a run whose name is stored with other content."},
};
TABLE_IS(intake_fields, INTAKE_FIELDS);

static enum err_code intake_decode(struct call *call);
static enum err_code intake_store(struct call *call);

enum err_code intake_post(struct call *call)
{
    if (call->request.body_length > INLINE_BYTES) {
        call_continue(call, LANE_READER, intake_decode);
        return ERR_OK;
    }
    return intake_decode(call);
}

static uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

/* Marks rows whose name stands earlier in the request: the same run said twice is one run, two
 * runs of one name are a conflict whatever on_conflict says. */
static enum err_code find_repeats(struct call *call, struct intake *intake)
{
    size_t slots = 2;
    uint32_t *first; /* open addressing by name; index + 1 */

    while (slots < 2 * intake->count)
        slots *= 2;
    first = arena_calloc(&call->arena, slots, sizeof *first);
    if (first == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < intake->count; i++) {
        struct intake_row *row = &intake->rows[i], *other;
        size_t slot = name_hash(row->run.name) & (slots - 1);

        while (first[slot] != 0 &&
               strcmp(intake->rows[first[slot] - 1].run.name, row->run.name) != 0)
            slot = (slot + 1) & (slots - 1);
        if (first[slot] == 0)
            first[slot] = (uint32_t)i + 1;
        row->same_as = first[slot] - 1;
        other = &intake->rows[row->same_as];
        if (row->same_as != i && !run_same_content(&row->run, &other->run)) {
            struct run_site site = intake_site(row);
            bool named = row->run.present & EXPERIMENT_NAME || other->run.present & EXPERIMENT_NAME;
            run_report(&site, ERR_CONFLICT, "name",
                       named ? "the name is in this request twice, with different content"
                             : "but for recorded_at or excluded this is an earlier run of the "
                               "request: name them apart",
                       &call->arena, &call->err);
        }
    }
    return call->err.code;
}

static enum err_code intake_decode(struct call *call)
{
    struct intake_query query = {0};
    struct field_presence presence;
    struct intake *intake = arena_calloc(&call->arena, 1, sizeof *intake);

    if (intake == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    answer_query(call, NULL, NULL, &query, &presence);
    intake->study = query.study;
    intake->on_conflict = (enum on_conflict)query.on_conflict;
    if (intake_read(intake, call) != ERR_OK)
        return call->err.code;
    if (intake->study == NULL)
        intake->study = "default";
    if (intake->count > 1 && find_repeats(call, intake) != ERR_OK)
        return call->err.code;
    call->stage = intake;
    call_continue(call, LANE_WRITER, intake_store);
    return ERR_OK;
}

static enum err_code refuse_study(struct call *call, const char *detail)
{
    err_set(&call->err, ERR_STUDY_NOT_FOUND, "%s", detail);
    return err_add(&call->err, ERR_STUDY_NOT_FOUND, ERR_AT_PARAMETER, "study", 0, "%s", detail);
}

/* Stores one row; conflicts are gathered so that all of them are named. Other errors end it. */
static enum err_code store_row(struct call *call, struct intake *intake, size_t index)
{
    struct intake_row *row = &intake->rows[index], *first = &intake->rows[row->same_as];
    struct run_site site = intake_site(row);
    enum err_code code;
    struct err err;

    if (first != row) {
        row->id = first->id;
        row->outcome = first->outcome == PUT_IGNORED ? PUT_IGNORED : PUT_UNCHANGED;
    } else {
        row->run.study = intake->study;
        err_init(&err, &call->arena);
        code = experiment_put(call->store, &row->run, intake->on_conflict, &row->outcome, &row->id,
                              &err);
        if (code == ERR_CONFLICT)
            run_report(&site, code, "name", err.detail, &call->arena, &call->err);
        else if (code == ERR_STUDY_NOT_FOUND)
            return refuse_study(call, err.detail);
        else if (code != ERR_OK)
            return err_set(&call->err, code, "%s", err.detail);
        if (code != ERR_OK)
            return ERR_OK;
    }
    if (row->claimed_id != 0 && row->claimed_id != row->id)
        run_report(&site, ERR_CONFLICT, "id",
                   "not the id of the run of this name: leave it out to store a new run",
                   &call->arena, &call->err);
    return ERR_OK;
}

static enum err_code reply_stored(struct call *call, const struct intake *intake)
{
    static const char *const names[] = {[PUT_INSERTED] = "inserted",
                                        [PUT_UNCHANGED] = "unchanged",
                                        [PUT_REPLACED] = "replaced",
                                        [PUT_IGNORED] = "ignored"};
    int64_t counts[4] = {0};
    struct out out;

    for (size_t i = 0; i < intake->count; i++)
        counts[intake->rows[i].outcome]++;
    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    out_text(&out, "study", intake->study);
    for (int i = 0; i < 4; i++)
        out_integer(&out, names[i], counts[i]);
    out_array_begin(&out, "ids");
    for (size_t i = 0; i < intake->count; i++)
        out_integer(&out, NULL, intake->rows[i].id);
    out_array_end(&out);
    run_write_warnings(&out, &intake->warnings);
    out_object_end(&out);
    if (intake->one) {
        const char *location =
            arena_printf(&call->arena, "/v1/experiments/%" PRId64, intake->rows[0].id);
        if (location == NULL)
            return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
        reply_header(call, "Location", location);
    }
    return answer_out(call, counts[PUT_INSERTED] + counts[PUT_REPLACED] > 0 ? 201 : 200, &out);
}

static enum err_code intake_store(struct call *call)
{
    struct intake *intake = call->stage;
    enum err_code code = ERR_OK;
    struct study study;
    struct err err;

    err_init(&err, NULL);
    if (intake->count == 0) /* else experiment_put would say so */
        code = study_read(call->store, intake->study, &call->arena, &study, &err);
    if (code == ERR_STUDY_NOT_FOUND)
        refuse_study(call, err.detail);
    else if (code != ERR_OK)
        err_set(&call->err, code, "%s", err.detail);
    for (size_t i = 0; i < intake->count && code == ERR_OK; i++)
        code = store_row(call, intake, i);
    if (call->err.code == ERR_CONFLICT && call->err.first != NULL)
        err_set(&call->err, ERR_CONFLICT, "%zu of the runs conflict, the first: %s",
                call->err.n_fields + call->err.n_dropped, call->err.first->detail);
    return call->err.code != ERR_OK ? call->err.code : reply_stored(call, intake);
}
