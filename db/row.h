/* row: one table says how a struct's members lie in a statement's parameters and columns.
 *
 * Each kind of value kept has a const table, a row per member; binding, reading and comparing are
 * loops over it. A column appears as ":name" in a statement that writes it and under its name in
 * one that reads it; where it stands is looked up once, when the statement is prepared.
 */
#ifndef MOEPLAN_DB_ROW_H
#define MOEPLAN_DB_ROW_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"

enum column_kind {
    COLUMN_INTEGER,  /* int64_t */
    COLUMN_TIME,     /* int64_t microseconds; 0 is NULL */
    COLUMN_OPTIONAL, /* int64_t; NULL unless its bit is present */
    COLUMN_REAL,     /* double; NAN is NULL */
    COLUMN_BOOL,     /* bool, as 0 or 1 */
    COLUMN_TEXT,     /* const char *; NULL is NULL */
    COLUMN_CHOICE,   /* an enum from 0, as its name */
};

struct column {
    const char *name;
    enum column_kind kind;
    size_t offset; /* of the member */
    unsigned bit;  /* set in `present` when the column is read and not NULL; 0 for none */
    const char *(*choice_name)(unsigned value); /* COLUMN_CHOICE: NULL past the last */
};

enum { ROW_COLUMNS_MAX = 24 };

struct row_type {
    const struct column *columns;
    size_t count;
    bool has_present;
    size_t present_offset; /* of the `unsigned present` */
};

extern const struct row_type study_row, experiment_row, fit_row;

/* Where the columns of a row type stand in a prepared statement; 0 and -1 where they do not. */
struct row_map {
    short parameter[ROW_COLUMNS_MAX], result[ROW_COLUMNS_MAX];
};
void row_map_make(const struct row_type *type, sqlite3_stmt *raw, struct row_map *ret_map);

/* Binds every member that has a parameter. Texts are not copied: value must outlive the step.
 * Returns SQLite's code. */
int row_bind(const struct row_type *type, const struct row_map *map, sqlite3_stmt *raw,
             const void *value);

/* Reads every column of the current row into *ret_value and makes its `present`. Texts are copied
 * to arena or, when it is NULL, live until the next step. False: out of memory. */
bool row_read(const struct row_type *type, const struct row_map *map, sqlite3_stmt *raw,
              struct arena *arena, void *ret_value);

/* Whether both values agree in the column; absent agrees with absent. */
bool column_equal(const struct column *column, const void *a, const void *b);

#endif
