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
#include "server/json_walk.h"
#include "server/media.h"
#include "server/run.h"
#include "server/tables.h"

enum {
    INLINE_BYTES = 16 * 1024, /* bodies up to this are decoded on the event thread */
    FIRST_ROWS = 16,
    ROW_BYTES = 64, /* of a body; few rows are shorter */
};

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

/* One decoded run and where it stood. */
struct intake_row {
    struct experiment run;
    const char *base;   /* its JSON pointer, NULL for CSV */
    uint64_t number;    /* its row in CSV */
    int64_t claimed_id; /* the id the row names, 0 for none */
    size_t same_as;     /* an earlier row of that name in this request, or its own index */
    int64_t id;         /* stored */
    enum put_outcome outcome;
};

struct intake {
    const char *study; /* of the query, the envelope, or the first row that names one; else NULL */
    enum on_conflict on_conflict;
    struct intake_row *rows;
    size_t count, room;
    bool one; /* the body was a single object */
    struct run_warnings warnings;
};

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

static struct run_site row_site(const struct intake_row *row)
{
    return row->base == NULL ? (struct run_site){ERR_AT_CELL, NULL, row->number}
                             : (struct run_site){ERR_AT_POINTER, row->base, 0};
}

/* A row more at the end; NULL when memory has run out. */
static struct intake_row *intake_grow(struct intake *intake, struct call *call)
{
    if (intake->count == intake->room) {
        /* As many as the body is likely to hold: room that is never written to costs nothing. */
        size_t first = FIRST_ROWS + call->request.body_length / ROW_BYTES;
        size_t room = intake->room == 0 ? first : 2 * intake->room;
        struct intake_row *rows = arena_alloc(&call->arena, room * sizeof *rows);
        if (rows == NULL) {
            err_set(&call->err, ERR_NO_MEMORY, "the request holds too many runs for one piece");
            return NULL;
        }
        if (intake->count > 0)
            memcpy(rows, intake->rows, intake->count * sizeof *rows);
        intake->rows = rows;
        intake->room = room;
    }
    return &intake->rows[intake->count++];
}

/* Judges a decoded row and takes it in. */
static void intake_take(struct intake *intake, struct call *call, struct run_row *decoded,
                        const char *base, uint64_t number)
{
    struct intake_row *row = intake_grow(intake, call);
    struct run_site site;

    if (row == NULL)
        return;
    *row = (struct intake_row){.base = base, .number = number, .claimed_id = decoded->run.id};
    site = row_site(row);
    if (decoded->run.study != NULL) {
        if (intake->study == NULL)
            intake->study = decoded->run.study;
        else if (strcmp(intake->study, decoded->run.study) != 0)
            run_report(&site, ERR_INVALID, "study", "not the study of the request", &call->arena,
                       &call->err);
    }
    run_finish(decoded, &site, &intake->warnings, &call->arena, &call->err);
    decoded->run.id = 0;
    row->run = decoded->run;
}

static enum err_code keep_nothing(const struct json *value, const char *pointer, void *target,
                                  struct arena *arena, struct err *err)
{
    (void)value, (void)pointer, (void)target, (void)arena, (void)err;
    return ERR_OK;
}

/* {"study": …, "items": […]}; next_cursor may be there, so that a page can be posted as it came. */
static enum err_code decode_envelope(struct call *call, const struct json *head,
                                     struct intake *intake)
{
    struct envelope {
        const char *study, *next_cursor;
        char items;
    } envelope = {0};
    static const struct field table[] = {
        {.name = "study",
         .kind = FIELD_TEXT,
         .offset = offsetof(struct envelope, study),
         .max = STUDY_ID_MAX},
        {.name = "items",
         .kind = FIELD_CUSTOM,
         .offset = offsetof(struct envelope, items),
         .custom = keep_nothing},
        {.name = "next_cursor",
         .kind = FIELD_TEXT,
         .offset = offsetof(struct envelope, next_cursor)},
    };
    struct field_presence presence;
    enum err_code code = field_from_json(table, 3, head, "", NULL, NULL, &envelope, &presence,
                                         &call->arena, &call->err);

    if (envelope.study == NULL)
        return code;
    if (intake->study == NULL)
        intake->study = envelope.study;
    else if (strcmp(intake->study, envelope.study) != 0)
        code = err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "/study", 0,
                       "the query says '%.100s'", intake->study);
    return code;
}

static uint32_t name_hash(const char *name)
{
    uint32_t hash = 2166136261u; /* FNV-1a */

    for (; *name != '\0'; name++)
        hash = (hash ^ (unsigned char)*name) * 16777619u;
    return hash;
}

static bool is_fatal(enum err_code code)
{
    return code != ERR_OK && code != ERR_INVALID;
}

static void decode_walk(struct call *call, struct intake *intake, struct json_walk *walk)
{
    enum err_code code;

    do {
        struct json *item = NULL;
        struct run_row decoded = run_absent(call->now_us);
        const char *base;

        code = json_walk_next(walk, &item, &call->err);
        if (code == ERR_OK && item == NULL)
            return;
        base = json_walk_pointer(walk, &call->arena);
        if (base == NULL)
            code = err_set(&call->err, ERR_NO_MEMORY, "out of memory");
        if (code == ERR_OK) {
            run_from_json(item, base, &decoded, &call->arena, &call->err);
            if (json_kind(item) == JSON_OBJECT)
                intake_take(intake, call, &decoded, base, 0);
        }
        json_release(item);
    } while (!is_fatal(call->err.code));
}

static void decode_json(struct call *call, struct intake *intake)
{
    struct json_walk walk;

    if (json_walk_open(&walk, call->request.body, call->request.body_length, "items", &call->err) !=
        ERR_OK)
        return;
    intake->one = walk.form == JSON_WALK_ONE;
    if (walk.form == JSON_WALK_MEMBER)
        decode_envelope(call, walk.head, intake);
    decode_walk(call, intake, &walk);
    json_walk_close(&walk);
}

static void decode_lines(struct call *call, struct intake *intake)
{
    struct json_walk walk;

    json_walk_open_lines(&walk, call->request.body, call->request.body_length);
    decode_walk(call, intake, &walk);
    json_walk_close(&walk);
}

static void decode_csv(struct call *call, struct intake *intake)
{
    struct csv_cell cells[CSV_COLUMNS_MAX];
    struct run_columns columns;
    struct csv csv;
    size_t count;
    bool end;

    csv_init(&csv, call->request.body, call->request.body_length);
    if (csv_next(&csv, cells, &count, &end, &call->err) != ERR_OK)
        return;
    if (end) {
        err_add(&call->err, ERR_INVALID, ERR_AT_CELL, "", 0, "there is no header row");
        return;
    }
    run_columns_read(cells, count, &columns, &call->arena, &call->err);
    /* Rows under a header that cannot be understood have nothing of their own to say. */
    if (columns.count != count)
        return;
    while (!is_fatal(call->err.code)) {
        struct run_row decoded = run_absent(call->now_us);

        if (csv_next(&csv, cells, &count, &end, &call->err) != ERR_OK || end)
            return;
        run_from_cells(&columns, cells, count, csv.row, &decoded, &call->arena, &call->err);
        if (count == columns.count)
            intake_take(intake, call, &decoded, NULL, csv.row);
    }
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
            struct run_site site = row_site(row);
            run_report(&site, ERR_CONFLICT, "name",
                       "the name is in this request twice, with different content", &call->arena,
                       &call->err);
        }
    }
    return call->err.code;
}

static enum err_code intake_decode(struct call *call)
{
    struct intake_query query = {0};
    struct field_presence presence;
    struct intake *intake = arena_calloc(&call->arena, 1, sizeof *intake);
    const char *type = request_header(&call->request, "Content-Type");

    if (intake == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    answer_query(call, NULL, NULL, &query, &presence);
    intake->study = query.study;
    intake->on_conflict = (enum on_conflict)query.on_conflict;
    if (call->request.body_length == 0)
        err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "", 0, "the body is empty");
    else if (media_is(type, "text/csv"))
        decode_csv(call, intake);
    else if (media_is(type, "application/json"))
        decode_json(call, intake);
    else
        decode_lines(call, intake);
    if (call->err.code != ERR_OK)
        return call->err.code;
    if (intake->study == NULL)
        intake->study = "default";
    if (intake->count > 1 && find_repeats(call, intake) != ERR_OK)
        return call->err.code;
    call->stage = intake;
    call_continue(call, LANE_WRITER, intake_store);
    return ERR_OK;
}

/* Stores one row; conflicts are gathered so that all of them are named. Other errors end it. */
static enum err_code store_row(struct call *call, struct intake *intake, size_t index)
{
    struct intake_row *row = &intake->rows[index], *first = &intake->rows[row->same_as];
    struct run_site site = row_site(row);
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
    struct study study;
    enum err_code code = ERR_OK;

    if (intake->count == 0) /* else experiment_put would say so */
        code = study_read(call->store, intake->study, &call->arena, &study, &call->err);
    for (size_t i = 0; i < intake->count && code == ERR_OK; i++)
        code = store_row(call, intake, i);
    if (call->err.code == ERR_CONFLICT && call->err.first != NULL)
        err_set(&call->err, ERR_CONFLICT, "%zu of the runs conflict, the first: %s",
                call->err.n_fields + call->err.n_dropped, call->err.first->detail);
    return call->err.code != ERR_OK ? call->err.code : reply_stored(call, intake);
}
