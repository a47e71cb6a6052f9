#include "db/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "db/handle.h"
#include "db/lock.h"

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static enum err_code check_damage(struct store *store, struct err *err)
{
    char answer[256];
    enum err_code code = handle_query(store->db, schema_check_quick, answer, sizeof answer, err);

    if (code != ERR_OK)
        err_prefix(err, "cannot check %s: ", store->path);
    else if (strcmp(answer, "ok") != 0)
        code =
            err_set(err, ERR_INTERNAL, "%s is damaged, restore a backup: %s", store->path, answer);
    return code;
}

/* What must hold before the first verb: no fit runs yet, and "default" exists. */
static enum err_code set_up(struct store *store, struct err *err)
{
    const int64_t now = now_us();
    const struct study study = {.id = "default", .created_at_us = now, .updated_at_us = now};
    struct stmt stmt;
    enum err_code code = store_begin(store, err);

    if (code != ERR_OK)
        return code;
    stmt = stmt_begin(store, STMT_FIT_INTERRUPT);
    code = stmt_run(&stmt, err);
    if (code == ERR_OK) {
        stmt = stmt_begin(store, STMT_STUDY_INSERT);
        stmt_bind_row(&stmt, &study);
        code = stmt_run(&stmt, err);
    }
    if (code == ERR_OK)
        return store_commit(store, err);
    store_rollback(store);
    return code;
}

static enum err_code read_given(struct store *store, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_GIVEN_READ);

    if (stmt_step(&stmt))
        store->given = store->given_stored = stmt_integer(&stmt, 0);
    return stmt_end(&stmt, err);
}

static enum err_code write_given(struct store *store, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_GIVEN_WRITE);

    stmt_bind_integer(&stmt, ":experiment", store->given);
    return stmt_run(&stmt, err);
}

static struct store *make(const struct store_setup *setup)
{
    struct store *store = calloc(1, sizeof *store);

    if (!store)
        return NULL;
    store->vfs = setup->vfs;
    store->lock_fd = -1;
    arena_init(&store->scratch, SCRATCH_BYTES_MAX);
    return store;
}

enum err_code handle_open_writer(const char *path, const struct store_setup *setup,
                                 struct store **ret_store, struct err *err)
{
    const struct migration *migrations = setup->migrations ? setup->migrations : schema_migrations;
    size_t n_migrations = setup->migrations ? setup->n_migrations : schema_migration_count;
    struct store *store = make(setup);
    enum err_code code;
    int version;

    if (!store)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    /* SQLite would take a lock at each allocation to count it, and nobody asks. Too late, and
     * refused, when it runs already. */
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    code = lock_resolve(path, true, &store->path, err);
    if (code == ERR_OK)
        code = lock_take(store->path, &store->lock_fd, err);
    if (code == ERR_OK)
        code = handle_connect(store, true, (int)n_migrations, &version, err);
    if (code == ERR_OK)
        code = check_damage(store, err);
    if (code == ERR_OK)
        code = schema_migrate(store, migrations, n_migrations, version, err);
    if (code == ERR_OK)
        code = stmt_prepare_all(store, true, err);
    if (code == ERR_OK)
        code = read_given(store, err);
    if (code == ERR_OK)
        code = set_up(store, err);
    if (code == ERR_OK)
        *ret_store = store;
    else
        store_close(store);
    return code;
}

enum err_code handle_open_reader(const char *path, const struct store_setup *setup,
                                 struct store **ret_store, struct err *err)
{
    size_t n_migrations = setup->migrations ? setup->n_migrations : schema_migration_count;
    struct store *store = make(setup);
    enum err_code code;
    int version;

    if (!store)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    code = lock_resolve(path, false, &store->path, err);
    if (code == ERR_OK)
        code = handle_connect(store, false, (int)n_migrations, &version, err);
    if (code == ERR_OK && (size_t)version != n_migrations)
        code = err_set(err, ERR_INVALID, "cannot read %s: its schema is version %d, not %d",
                       store->path, version, (int)n_migrations);
    if (code == ERR_OK)
        code = stmt_prepare_all(store, false, err);
    if (code == ERR_OK)
        *ret_store = store;
    else
        store_close(store);
    return code;
}

enum err_code store_open(const char *path, struct store **ret_store, struct err *err)
{
    return handle_open_writer(path, &(struct store_setup){0}, ret_store, err);
}

enum err_code store_open_reader(const char *path, struct store **ret_store, struct err *err)
{
    return handle_open_reader(path, &(struct store_setup){0}, ret_store, err);
}

void store_close(struct store *store)
{
    if (!store)
        return;
    stmt_finalize_all(store);
    sqlite3_close(store->db); /* the writer's folds the log in */
    lock_drop(store->lock_fd);
    arena_release(&store->scratch);
    free(store->path);
    free(store);
}

static enum err_code run(struct store *store, enum stmt_id id, struct err *err)
{
    struct stmt stmt = stmt_begin(store, id);

    return stmt_run(&stmt, err);
}

enum err_code store_begin(struct store *store, struct err *err)
{
    enum err_code code;

    assert(!store->in_transaction);
    code = run(store, STMT_BEGIN, err);
    store->in_transaction = code == ERR_OK;
    return code;
}

enum err_code store_commit(struct store *store, struct err *err)
{
    enum err_code code = ERR_OK;

    assert(store->in_transaction);
    if (store->given > store->given_stored)
        code = write_given(store, err);
    if (code == ERR_OK)
        code = run(store, STMT_COMMIT, err); /* or why the transaction is lost */
    if (code != ERR_OK) {
        store_rollback(store);
        return code;
    }
    store->in_transaction = false;
    store->given_stored = store->given;
    return ERR_OK;
}

void store_rollback(struct store *store)
{
    struct err ignored; /* there is nobody to tell, and nothing else to do */

    err_init(&ignored, NULL);
    store->lost.code = ERR_OK;
    store->in_transaction = false;
    store->known_study.number = 0;
    if (!sqlite3_get_autocommit(store->db))
        run(store, STMT_ROLLBACK, &ignored);
}

enum err_code store_mark(struct store *store, struct err *err)
{
    assert(store->in_transaction);
    return run(store, STMT_MARK, err);
}

enum err_code store_release(struct store *store, struct err *err)
{
    return run(store, STMT_MARK_RELEASE, err);
}

/* Takes back to a savepoint and ends it. Should even that fail, the transaction is given up as
 * lost: what was to be undone must never be committed. */
static void undo(struct store *store, enum stmt_id to, enum stmt_id release)
{
    struct err err;

    err_init(&err, NULL);
    store->known_study.number = 0;
    if (run(store, to, &err) == ERR_OK && run(store, release, &err) == ERR_OK)
        return;
    if (store->lost.code == ERR_OK)
        store->lost = err;
}

void store_undo(struct store *store)
{
    undo(store, STMT_MARK_UNDO, STMT_MARK_RELEASE);
}

enum err_code scope_begin(struct store *store, bool *ret_nested, struct err *err)
{
    *ret_nested = store->in_transaction;
    return *ret_nested ? run(store, STMT_VERB, err) : store_begin(store, err);
}

enum err_code scope_end(struct store *store, bool nested, enum err_code code, struct err *err)
{
    if (code == ERR_OK)
        return nested ? run(store, STMT_VERB_RELEASE, err) : store_commit(store, err);
    if (nested)
        undo(store, STMT_VERB_UNDO, STMT_VERB_RELEASE);
    else
        store_rollback(store);
    return code;
}

enum err_code store_ping(struct store *store, struct err *err)
{
    struct stmt stmt = stmt_begin(store, STMT_PING);

    stmt_step(&stmt);
    return stmt_end(&stmt, err);
}

enum err_code store_checkpoint(struct store *store, struct err *err)
{
    int rc;

    assert(!store->in_transaction);
    rc = sqlite3_wal_checkpoint_v2(store->db, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return rc == SQLITE_OK || rc == SQLITE_BUSY ? ERR_OK : handle_fail(store, rc, err);
}
