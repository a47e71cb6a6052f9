#include "db/handle.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* SQLite's primary codes. The rest are ERR_INTERNAL with SQLite's own sentence. */
static const struct {
    int primary;
    enum err_code code;
    const char *sentence; /* NULL: SQLite's */
} translations[] = {
    {SQLITE_FULL, ERR_STORAGE_FULL, "the disk is full"},
    {SQLITE_BUSY, ERR_UNAVAILABLE, "another program holds the database; try again"},
    {SQLITE_LOCKED, ERR_UNAVAILABLE, "the database is in use; try again"},
    {SQLITE_PROTOCOL, ERR_UNAVAILABLE, "the database is in use; try again"},
    {SQLITE_NOMEM, ERR_NO_MEMORY, "out of memory"},
    {SQLITE_TOOBIG, ERR_TOO_LARGE, "the value is too large to store"},
    {SQLITE_CORRUPT, ERR_INTERNAL, "the database is damaged; restore a backup"},
    {SQLITE_NOTADB, ERR_INVALID, "it is not a database, or is damaged at its start"},
    {SQLITE_READONLY, ERR_INTERNAL, "the database cannot be written"},
    {SQLITE_PERM, ERR_INTERNAL, "no permission"},
    {SQLITE_CANTOPEN, ERR_INTERNAL, "the database cannot be opened"},
};

enum err_code handle_translate(sqlite3 *db, int rc, struct err *err)
{
    int primary = rc & 0xff;
    int error = db ? sqlite3_system_errno(db) : 0;

    /* A quota, or a full disk met by anything but a write, is an I/O error to SQLite. */
    if ((primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN) &&
        (error == ENOSPC || error == EDQUOT))
        return err_set(err, ERR_STORAGE_FULL, "the disk is full");
    if (rc == SQLITE_IOERR_NOMEM)
        primary = SQLITE_NOMEM;
    for (size_t i = 0; i < sizeof translations / sizeof translations[0]; i++)
        if (translations[i].primary == primary)
            return err_set(err, translations[i].code, "%s", translations[i].sentence);
    if (primary == SQLITE_IOERR)
        return err_set(err, ERR_INTERNAL, "the disk failed: %s (SQLite code %d, system error %d)",
                       sqlite3_errstr(rc), rc, error);
    return err_set(err, ERR_INTERNAL, "%s (SQLite code %d)",
                   db ? sqlite3_errmsg(db) : sqlite3_errstr(rc), rc);
}

enum err_code handle_fail(struct store *store, int rc, struct err *err)
{
    enum err_code code = handle_translate(store->db, rc, err);

    if (store->in_transaction && store->lost.code == ERR_OK && sqlite3_get_autocommit(store->db))
        err_set(&store->lost, code, "%s", err->detail);
    return code;
}

enum err_code handle_execute(struct store *store, const char *sql, struct err *err)
{
    int rc = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? ERR_OK : handle_fail(store, rc, err);
}

enum err_code handle_query(sqlite3 *db, const char *sql, char *ret_text, size_t size,
                           struct err *err)
{
    sqlite3_stmt *raw = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &raw, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(raw);
        ret_text[0] = '\0';
    }
    if (rc == SQLITE_ROW) {
        bool is_null = sqlite3_column_type(raw, 0) == SQLITE_NULL;
        const char *text = (const char *)sqlite3_column_text(raw, 0);

        snprintf(ret_text, size, "%s", text ? text : "");
        rc = text || is_null ? SQLITE_DONE : SQLITE_NOMEM;
    }
    if (rc != SQLITE_DONE)
        handle_translate(db, rc, err);
    sqlite3_finalize(raw);
    return rc == SQLITE_DONE ? ERR_OK : err->code;
}

static enum err_code apply_settings(struct store *store, const struct setting *settings,
                                    struct err *err)
{
    for (const struct setting *setting = settings; setting->set; setting++) {
        char answer[32];
        enum err_code code;

        code = handle_query(store->db, setting->set, answer, sizeof answer, err);
        if (code == ERR_OK)
            code = handle_query(store->db, setting->read, answer, sizeof answer, err);
        if (code != ERR_OK)
            return code;
        if (strcmp(answer, setting->want) == 0)
            continue;
        if (setting->else_detail)
            return err_set(err, ERR_INVALID, "%s", setting->else_detail);
        return err_set(err, ERR_INTERNAL, "\"%s\" answers \"%s\", not \"%s\"", setting->read,
                       answer, setting->want);
    }
    return ERR_OK;
}

/* Switches that no SQL can turn back. A reader never checkpoints, not even as the last to close. */
static int configure(sqlite3 *db, bool writer)
{
    const struct {
        int option, on;
    } switches[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, !writer},
    };

    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++) {
        int rc = sqlite3_db_config(db, switches[i].option, switches[i].on, NULL);

        if (rc != SQLITE_OK)
            return rc;
    }
    return sqlite3_busy_timeout(db, BUSY_TIMEOUT_MS);
}

static enum err_code identify_and_set(struct store *store, bool writer, int newest,
                                      int *ret_version, struct err *err)
{
    enum err_code code = schema_identify(store, newest, writer, ret_version, err);

    if (code != ERR_OK) /* before any setting: a file of somebody else is not touched */
        return code;
    return apply_settings(store, writer ? schema_writer_settings : schema_reader_settings, err);
}

enum err_code handle_connect(struct store *store, bool writer, int newest, int *ret_version,
                             struct err *err)
{
    const int flags = (writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) |
                      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    enum err_code code;
    int rc;

    rc = sqlite3_open_v2(store->path, &store->db, flags, store->vfs);
    if (rc == SQLITE_OK)
        rc = configure(store->db, writer);
    if (rc != SQLITE_OK)
        code = handle_translate(store->db, rc, err);
    else if (writer && sqlite3_db_readonly(store->db, "main"))
        code = err_set(err, ERR_INVALID, "no permission to write it");
    else
        code = identify_and_set(store, writer, newest, ret_version, err);
    if (code != ERR_OK)
        err_prefix(err, "cannot open %s: ", store->path);
    return code;
}
