/* handle: what a store is inside, and how SQLite's answers become err codes. Private to db/.
 *
 * A lost transaction: some failures (full disk, I/O, memory) make SQLite roll back the whole
 * transaction by itself, after which further statements would each commit alone. The handle notices
 * (handle_fail), remembers why, and every verb repeats that error until store_commit or
 * store_rollback ends the transaction.
 */
#ifndef MOEPLAN_DB_HANDLE_H
#define MOEPLAN_DB_HANDLE_H

#include <sqlite3.h>

#include "core/arena.h"
#include "db/row.h"
#include "db/schema.h"
#include "db/stmt.h"
#include "db/store.h"

enum {
    BUSY_TIMEOUT_MS = 5000,
    SCRATCH_BYTES_MAX = 1 << 30, /* of one row: a fit's draws and run ids are the largest */
};

/* What tests put in place of the usual. {0} is the usual. */
struct store_setup {
    const char *vfs;                    /* NULL: the system's */
    const struct migration *migrations; /* NULL: schema_migrations */
    size_t n_migrations;
};

struct store {
    sqlite3 *db;
    char *path; /* absolute, symbolic links resolved */
    const char *vfs;
    int lock_fd; /* -1 for a reader */
    bool in_transaction;
    struct err lost; /* code ERR_OK unless the open transaction is lost */
    struct slot slots[STMT_COUNT];
    struct arena scratch;        /* of the row being written or read */
    int64_t given, given_stored; /* highest experiment id given out, and what the table says */
    struct {
        char id[STUDY_ID_MAX + 1];
        int64_t number; /* 0: none */
    } known_study; /* the last one put into; forgotten when anything is taken back or deleted */
};

/* store_open and store_open_reader are these with {0}. */
enum err_code handle_open_writer(const char *path, const struct store_setup *setup,
                                 struct store **ret_store, struct err *err);
enum err_code handle_open_reader(const char *path, const struct store_setup *setup,
                                 struct store **ret_store, struct err *err);

/* Connects store->db to store->path: identified (schema.h), settings verified, nothing migrated or
 * prepared. */
enum err_code handle_connect(struct store *store, bool writer, int newest, int *ret_version,
                             struct err *err);

/* Runs SQL without results. */
enum err_code handle_execute(struct store *store, const char *sql, struct err *err);

/* The first column of the first row, copied to ret_text[size]; "" without rows. */
enum err_code handle_query(sqlite3 *db, const char *sql, char *ret_text, size_t size,
                           struct err *err);

/* Translates SQLite's rc into *err, and notes a lost transaction. Returns the code. */
enum err_code handle_fail(struct store *store, int rc, struct err *err);

/* The same without a store: rc of db, which may be NULL. */
enum err_code handle_translate(sqlite3 *db, int rc, struct err *err);

/* A study's number in the tables; on the writer the last one is remembered. ERR_STUDY_NOT_FOUND. */
enum err_code study_known(struct store *store, const char *id, int64_t *ret_number,
                          struct err *err);

/* A study's number, and the highest experiment id deleted from it.
 * ERR_STUDY_NOT_FOUND. */
enum err_code study_number(struct store *store, const char *id, int64_t *ret_number,
                           int64_t *ret_high_water, struct err *err);

/* What a writing verb of several statements stands in: a transaction of its own or, nested, a mark
 * inside the caller's. scope_end keeps the work when code is ERR_OK, else takes it back; returns
 * the code of the whole. */
enum err_code scope_begin(struct store *store, bool *ret_nested, struct err *err);
enum err_code scope_end(struct store *store, bool nested, enum err_code code, struct err *err);

#endif
