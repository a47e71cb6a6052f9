/* stmt: the prepared statements. One row each in stmt.def, prepared at open, bound by name.
 *
 * A use of one is begin, binds, steps, end. The first failure sticks: later calls do nothing, and
 * stmt_end reports it. No statement is used twice at the same time.
 */
#ifndef MOEPLAN_DB_STMT_H
#define MOEPLAN_DB_STMT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"
#include "db/row.h"

struct store;

enum stmt_id {
#define STATEMENT(id, access, row, sql) STMT_##id,
#include "db/stmt.def"
#undef STATEMENT
    STMT_COUNT
};

/* A statement and, for those that carry a row type, where its columns stand. */
struct slot {
    sqlite3_stmt *raw;
    struct row_map map;
};

/* Prepares every statement, or only those that read. */
enum err_code stmt_prepare_all(struct store *store, bool writer, struct err *err);
void stmt_finalize_all(struct store *store);

struct stmt {
    struct store *store;
    enum stmt_id id;
    sqlite3_stmt *raw;
    int rc;
};

struct stmt stmt_begin(struct store *store, enum stmt_id id);
void stmt_bind_integer(struct stmt *stmt, const char *name, int64_t value);
void stmt_bind_real(struct stmt *stmt, const char *name, double value);     /* NAN: NULL */
void stmt_bind_text(struct stmt *stmt, const char *name, const char *text); /* NULL: NULL */
/* Not copied: must outlive the steps. Bytes as they are, of a TEXT or a BLOB. */
void stmt_bind_characters(struct stmt *stmt, const char *name, const char *text, size_t length);
void stmt_bind_blob(struct stmt *stmt, const char *name, const void *bytes, size_t length);
void stmt_bind_row(struct stmt *stmt, const void *value);

/* True while there is a row. */
bool stmt_step(struct stmt *stmt);

/* Of the current row, by the order of the SELECT. */
int64_t stmt_integer(const struct stmt *stmt, int column);
double stmt_real(const struct stmt *stmt, int column); /* NULL: NAN */

/* Reads the current row by its row type; see row_read. False: failed, which sticks. */
bool stmt_read_row(struct stmt *stmt, struct arena *arena, void *ret_value);

/* The bytes of a text or blob column, copied to arena with a NUL after them. NULL and 0 for a NULL
 * column; on failure it sticks. */
char *stmt_copy(struct stmt *stmt, int column, struct arena *arena, size_t *ret_length);

/* Makes the use fail with SQLite's rc. */
void stmt_fail(struct stmt *stmt, int rc);

/* Ends the use: ERR_OK, or the first failure translated. */
enum err_code stmt_end(struct stmt *stmt, struct err *err);

/* Steps a statement without rows to its end. */
enum err_code stmt_run(struct stmt *stmt, struct err *err);

/* The rows that the last INSERT, UPDATE or DELETE changed. */
int64_t stmt_changes(const struct stmt *stmt);

#endif
