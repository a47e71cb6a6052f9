/* The body of POST /v1/experiments, in whatever form, into rows. */
#include <stddef.h>
#include <string.h>

#include "server/answer.h"
#include "server/intake.h"
#include "server/json_walk.h"
#include "server/media.h"

enum {
    FIRST_ROWS = 16,
    ROW_BYTES = 64, /* of a body; few rows are shorter */
};

struct run_site intake_site(const struct intake_row *row)
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
    site = intake_site(row);
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

enum err_code intake_read(struct intake *intake, struct call *call)
{
    const char *type = request_header(&call->request, "Content-Type");

    if (call->request.body_length == 0)
        err_add(&call->err, ERR_INVALID, ERR_AT_POINTER, "", 0, "the body is empty");
    else if (media_is(type, "text/csv"))
        decode_csv(call, intake);
    else if (media_is(type, "application/json"))
        decode_json(call, intake);
    else
        decode_lines(call, intake);
    return call->err.code;
}
