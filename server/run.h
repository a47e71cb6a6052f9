/* run: one experiment in the forms clients send and get: a JSON object, a CSV row.
 *
 * One table says what a run may carry; both decoders, both writers and the OpenAPI document are
 * made from it, so what is written can be posted back. Decoding reports every bad field. Memory is
 * the caller's arena's.
 */
#ifndef MOEPLAN_SERVER_RUN_H
#define MOEPLAN_SERVER_RUN_H

#include "db/values.h"
#include "server/csv.h"
#include "server/field.h"
#include "server/json.h"
#include "server/out.h"
#include "server/tables.h"

/* Where a run stands in its request, for naming its fields: JSON pointer base, or CSV row. */
struct run_site {
    enum err_place place; /* ERR_AT_POINTER or ERR_AT_CELL */
    const char *base;     /* ERR_AT_POINTER: of the object; "" at the top */
    uint64_t row;         /* ERR_AT_CELL: 1 is the first */
};

struct run_warning {
    struct run_warning *next;
    enum err_place place;
    const char *name; /* pointer or column */
    uint64_t row;
    const char *detail;
};

/* Warnings of a request, in order. All but RUN_WARNINGS_MAX are only counted. */
enum { RUN_WARNINGS_MAX = 1000 };
struct run_warnings {
    struct run_warning *first, *last;
    size_t kept, count;
};

/* A run as a request carries it. `run.id` and `run.study` are what the row claims: 0 and NULL when
 * it is silent. */
struct run_row {
    struct experiment run;
    struct field_presence presence;
    bool faulty; /* the decoding has reported faults of it */
};

/* What a run is before anything is said about it. */
struct run_row run_absent(int64_t now_us);

/* Decodes fields into row, which holds defaults, without judging them together. */
enum err_code run_from_json(const struct json *object, const char *base, struct run_row *row,
                            struct arena *arena, struct err *err);

/* The columns of a CSV file: for each its row of experiment_fields, or EXPERIMENT_FIELDS and the
 * name of a tag. */
struct run_columns {
    size_t count;
    size_t field[CSV_COLUMNS_MAX];
    const char *tag[CSV_COLUMNS_MAX];
};

/* Reads the header; every unknown, repeated and missing column is an error at row 0. */
enum err_code run_columns_read(const struct csv_cell *cells, size_t count,
                               struct run_columns *ret_columns, struct arena *arena,
                               struct err *err);
enum err_code run_from_cells(const struct run_columns *columns, const struct csv_cell *cells,
                             size_t count, uint64_t row_number, struct run_row *row,
                             struct arena *arena, struct err *err);

/* Fills what defaults depend on (n_total, name), drops null tags, checks the whole run, and lists
 * what looks like a slip. Fields already reported in err are not reported again. `present` is set
 * from the presence. warnings may be NULL. */
enum err_code run_finish(struct run_row *row, const struct run_site *site,
                         struct run_warnings *warnings, struct arena *arena, struct err *err);

/* Applies a merge patch decoded onto a copy of the stored run: nulls go back to their defaults,
 * tags are merged, a name or n_total that was a default is derived again. To be followed by
 * run_finish. Nulls of required fields are the caller's to refuse. */
enum err_code run_patch(struct run_row *patched, const struct experiment *stored, int64_t now_us,
                        struct arena *arena, struct err *err);

/* Whether what `later` says is what `earlier` says: its present fields, and those every run has,
 * are equal. Both belong to one study and one name. */
bool run_same_content(const struct experiment *later, const struct experiment *earlier);

/* Adds a field of the run to err at its site. */
enum err_code run_report(const struct run_site *site, enum err_code code, const char *field,
                         const char *detail, struct arena *arena, struct err *err);

/* {"id":…, …}: every field, null where absent; and its members alone, into an open object. */
void run_write_json(struct out *out, const struct experiment *run);
void run_write_members(struct out *out, const struct experiment *run);

/* The member `warnings`: [{pointer | row, column, code, detail}]. */
void run_write_warnings(struct out *out, const struct run_warnings *warnings);

/* A CSV header and row: the table's columns whose bit is set, then the tags. */
void run_write_header(struct out *out, uint64_t columns, const char *const *tags, size_t n_tags);
void run_write_row(struct out *out, uint64_t columns, const char *const *tags, size_t n_tags,
                   const struct experiment *run);

/* Every member of a run's object, ended by NULL. */
extern const char *const run_members[];

/* The value of one of the run's tags, NULL when it has none of that name. */
const char *run_tag(const struct experiment *run, const char *name);

#endif
