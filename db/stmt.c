#include "db/stmt.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "db/handle.h"

enum access { READ, WRITE };

#define none NULL
static const struct {
    enum access access;
    const struct row_type *row;
    const char *sql;
} statements[] = {
#define STATEMENT(id, access, row, sql) [STMT_##id] = {access, row, sql},
#include "db/stmt.def"
#undef STATEMENT
};
#undef none

enum err_code stmt_prepare_all(struct store *store, bool writer, struct err *err)
{
    for (int i = 0; i < STMT_COUNT; i++) {
        struct slot *slot = &store->slots[i];
        int rc;

        if (statements[i].access == WRITE && !writer)
            continue;
        rc = sqlite3_prepare_v3(store->db, statements[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
                                &slot->raw, NULL);
        if (rc != SQLITE_OK)
            return handle_fail(store, rc, err);
        if (statements[i].row)
            row_map_make(statements[i].row, slot->raw, &slot->map);
    }
    return ERR_OK;
}

void stmt_finalize_all(struct store *store)
{
    for (int i = 0; i < STMT_COUNT; i++) {
        sqlite3_finalize(store->slots[i].raw);
        store->slots[i].raw = NULL;
    }
}

struct stmt stmt_begin(struct store *store, enum stmt_id id)
{
    struct stmt stmt = {store, id, store->slots[id].raw, SQLITE_OK};

    assert(stmt.raw); /* a reader does not write */
    assert(!sqlite3_stmt_busy(stmt.raw));
    if (store->lost.code != ERR_OK)
        stmt.rc = SQLITE_ABORT; /* stmt_end says why the transaction is lost */
    return stmt;
}

/* Keeps the first. */
void stmt_fail(struct stmt *stmt, int rc)
{
    if (stmt->rc == SQLITE_OK)
        stmt->rc = rc;
}

static int parameter(const struct stmt *stmt, const char *name)
{
    int index = sqlite3_bind_parameter_index(stmt->raw, name);

    assert(index > 0);
    return index;
}

void stmt_bind_integer(struct stmt *stmt, const char *name, int64_t value)
{
    stmt_fail(stmt, sqlite3_bind_int64(stmt->raw, parameter(stmt, name), value));
}

void stmt_bind_real(struct stmt *stmt, const char *name, double value)
{
    stmt_fail(stmt, sqlite3_bind_double(stmt->raw, parameter(stmt, name), value));
}

void stmt_bind_text(struct stmt *stmt, const char *name, const char *text)
{
    stmt_fail(stmt, sqlite3_bind_text(stmt->raw, parameter(stmt, name), text, -1, SQLITE_STATIC));
}

void stmt_bind_characters(struct stmt *stmt, const char *name, const char *text, size_t length)
{
    stmt_fail(stmt, sqlite3_bind_text64(stmt->raw, parameter(stmt, name), text, length,
                                        SQLITE_STATIC, SQLITE_UTF8));
}

void stmt_bind_blob(struct stmt *stmt, const char *name, const void *bytes, size_t length)
{
    stmt_fail(stmt,
              sqlite3_bind_blob64(stmt->raw, parameter(stmt, name), bytes, length, SQLITE_STATIC));
}

void stmt_bind_row(struct stmt *stmt, const void *value)
{
    stmt_fail(stmt, row_bind(statements[stmt->id].row, &stmt->store->slots[stmt->id].map, stmt->raw,
                             value));
}

bool stmt_step(struct stmt *stmt)
{
    int rc;

    if (stmt->rc != SQLITE_OK)
        return false;
    rc = sqlite3_step(stmt->raw);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        stmt->rc = rc;
    return rc == SQLITE_ROW;
}

int64_t stmt_integer(const struct stmt *stmt, int column)
{
    return sqlite3_column_int64(stmt->raw, column);
}

double stmt_real(const struct stmt *stmt, int column)
{
    return sqlite3_column_type(stmt->raw, column) == SQLITE_NULL
               ? (double)NAN
               : sqlite3_column_double(stmt->raw, column);
}

bool stmt_read_row(struct stmt *stmt, struct arena *arena, void *ret_value)
{
    if (stmt->rc == SQLITE_OK &&
        !row_read(statements[stmt->id].row, &stmt->store->slots[stmt->id].map, stmt->raw, arena,
                  ret_value))
        stmt->rc = SQLITE_NOMEM;
    return stmt->rc == SQLITE_OK;
}

char *stmt_copy(struct stmt *stmt, int column, struct arena *arena, size_t *ret_length)
{
    const char *bytes;
    char *copy;

    *ret_length = 0;
    if (stmt->rc != SQLITE_OK || sqlite3_column_type(stmt->raw, column) == SQLITE_NULL)
        return NULL;
    bytes = sqlite3_column_blob(stmt->raw, column); /* NULL when empty */
    *ret_length = (size_t)sqlite3_column_bytes(stmt->raw, column);
    copy = bytes || *ret_length == 0 ? arena_copy(arena, bytes, *ret_length) : NULL;
    if (!copy) {
        *ret_length = 0;
        stmt->rc = SQLITE_NOMEM;
    }
    return copy;
}

enum err_code stmt_end(struct stmt *stmt, struct err *err)
{
    struct store *store = stmt->store;
    enum err_code code = ERR_OK;

    if (store->lost.code != ERR_OK)
        code = err_set(err, store->lost.code, "%s", store->lost.detail);
    else if (stmt->rc != SQLITE_OK)
        code = handle_fail(store, stmt->rc, err);
    sqlite3_reset(stmt->raw);
    return code;
}

enum err_code stmt_run(struct stmt *stmt, struct err *err)
{
    bool row = stmt_step(stmt);

    assert(!row);
    (void)row;
    return stmt_end(stmt, err);
}

int64_t stmt_changes(const struct stmt *stmt)
{
    return sqlite3_changes64(stmt->store->db);
}
