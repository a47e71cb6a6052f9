#include "db/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/backup.h"
#include "db/handle.h"

/* Comments inside a CREATE TABLE are kept in the file: `.schema` in any SQLite shell explains it.
 *
 * Times are microseconds since 1970-01-01 UTC. REAL keeps every double but for the sign of -0; NULL
 * stands for absent. Texts are UTF-8. */

/* Facts: what was posted. Cannot be rebuilt from anything. */
static const char facts_1[] =
    "CREATE TABLE study (\n"
    "    -- Results whose losses are comparable. Other tables refer to it by number, so that a\n"
    "    -- million rows do not repeat a text.\n"
    "    number INTEGER PRIMARY KEY,\n"
    "    id TEXT NOT NULL UNIQUE CHECK (length(id) BETWEEN 1 AND 64 AND id GLOB '[a-z0-9]*'\n"
    "                                   AND id NOT GLOB '*[^a-z0-9._-]*'),\n"
    "    description TEXT,\n"
    "    eval_set TEXT,\n"
    "    tokenizer TEXT,\n"
    "    loss_unit TEXT NOT NULL CHECK (loss_unit IN ('nats_per_token', 'bits_per_byte')),\n"
    "    parameter_convention TEXT NOT NULL\n"
    "        CHECK (parameter_convention IN ('with_embedding', 'non_embedding')),\n"
    "    default_fit TEXT, -- a fit's id in digits, or the name of a published one\n"
    "    high_water INTEGER NOT NULL DEFAULT 0, -- highest experiment id deleted from it\n"
    "    created_at INTEGER NOT NULL,\n"
    "    updated_at INTEGER NOT NULL\n"
    ") STRICT;\n"

    "CREATE TABLE experiment (\n"
    "    -- One training run. Ids ascend and are never used twice (see `given`), so a cursor or a\n"
    "    -- high-water mark stays true whatever is deleted.\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    study INTEGER NOT NULL REFERENCES study (number) ON DELETE CASCADE,\n"
    "    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),\n"
    "    n_active REAL NOT NULL CHECK (n_active > 0 AND n_active < 9e999),\n"
    "    tokens REAL NOT NULL CHECK (tokens > 0 AND tokens < 9e999),\n"
    "    loss REAL NOT NULL CHECK (loss > 0 AND loss < 9e999),\n"
    "    experts REAL NOT NULL CHECK (experts >= 1 AND experts < 9e999),\n"
    "    granularity REAL NOT NULL CHECK (granularity > 0 AND granularity < 9e999),\n"
    "    n_total REAL CHECK (n_total >= n_active AND n_total < 9e999),\n"
    "    train_flops REAL CHECK (train_flops > 0 AND train_flops < 9e999),\n"
    "    weight REAL NOT NULL CHECK (weight >= 0 AND weight < 9e999),\n"
    "    loss_stderr REAL CHECK (loss_stderr >= 0 AND loss_stderr < 9e999),\n"
    "    seed INTEGER,\n"
    "    step INTEGER,\n"
    "    final INTEGER NOT NULL CHECK (final IN (0, 1)),\n"
    "    tags TEXT, -- a JSON object of strings, names ascending by bytes; NULL when it is empty\n"
    "    url TEXT,\n"
    "    excluded INTEGER NOT NULL CHECK (excluded IN (0, 1)),\n"
    "    excluded_reason TEXT,\n"
    "    recorded_at INTEGER NOT NULL,\n"
    "    UNIQUE (name, study) -- in this order: comparing texts first is what SQLite does fastest\n"
    ") STRICT;\n"
    "CREATE INDEX experiment_by_study ON experiment (study);\n" /* and id: the way of paging */

    "CREATE TABLE given (\n"
    "    -- One row: the highest experiment id given out by any committed transaction. Written "
    "once\n"
    "    -- a transaction, where AUTOINCREMENT would write once a row.\n"
    "    experiment INTEGER NOT NULL\n"
    ") STRICT;\n"
    "INSERT INTO given VALUES (0);\n";

/* What can be rebuilt: fits of the runs above. */
static const char fits_1[] =
    "CREATE TABLE fit (\n"
    "    id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "    study INTEGER NOT NULL REFERENCES study (number) ON DELETE CASCADE,\n"
    "    law TEXT NOT NULL,\n"
    "    label TEXT,\n"
    "    status TEXT NOT NULL\n"
    "        CHECK (status IN ('running', 'finished', 'failed', 'cancelled', 'interrupted')),\n"
    "    created_at INTEGER NOT NULL,\n"
    "    finished_at INTEGER, -- NULL while running, and for ever when interrupted\n"
    "    plain INTEGER NOT NULL CHECK (plain IN (0, 1)), -- neither where nor fixed nor prior\n"
    "    parameter_convention TEXT NOT NULL -- the study's then: it may change, a fit may not\n"
    "        CHECK (parameter_convention IN ('with_embedding', 'non_embedding')),\n"
    "    robust TEXT NOT NULL CHECK (robust IN ('huber', 'squared')),\n"
    "    robust_delta REAL,\n"
    "    document TEXT, -- JSON members of the answer, byte for byte as first given\n"
    "    -- Little-endian doubles, one draw after another, coefficients in their order.\n"
    "    draws BLOB CHECK (length(draws) % 8 = 0),\n"
    "    -- Little-endian int64 ids of the experiments fitted, ascending.\n"
    "    runs BLOB CHECK (length(runs) % 8 = 0)\n"
    ") STRICT;\n"
    "CREATE INDEX fit_by_study ON fit (study);\n"

    "CREATE TABLE fit_coefficient (\n"
    "    fit INTEGER NOT NULL REFERENCES fit (id) ON DELETE CASCADE,\n"
    "    position INTEGER NOT NULL,\n"
    "    name TEXT NOT NULL,\n"
    "    value REAL, -- natural value; may be infinite; NULL is not a number\n"
    "    PRIMARY KEY (fit, position)\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE fit_range (\n"
    "    -- The range of a variable among the runs; no row for one the law does not read.\n"
    "    fit INTEGER NOT NULL REFERENCES fit (id) ON DELETE CASCADE,\n"
    "    variable TEXT NOT NULL,\n"
    "    low REAL NOT NULL,\n"
    "    high REAL NOT NULL,\n"
    "    PRIMARY KEY (fit, variable)\n"
    ") STRICT, WITHOUT ROWID;\n"

    "CREATE TABLE fit_level (\n"
    "    -- The distinct values of experts and granularity among the runs, where they are few.\n"
    "    fit INTEGER NOT NULL REFERENCES fit (id) ON DELETE CASCADE,\n"
    "    variable TEXT NOT NULL CHECK (variable IN ('experts', 'granularity')),\n"
    "    value REAL NOT NULL,\n"
    "    PRIMARY KEY (fit, variable, value)\n"
    ") STRICT, WITHOUT ROWID;\n";

const struct migration schema_migrations[] = {
    {{facts_1, fits_1}},
};
const size_t schema_migration_count = sizeof schema_migrations / sizeof schema_migrations[0];
_Static_assert(sizeof schema_migrations / sizeof schema_migrations[0] == STORE_SCHEMA_VERSION,
               "store.h says the version that the last migration makes");

const char schema_check_quick[] = "PRAGMA quick_check(1)";
const char schema_check_all[] = "PRAGMA integrity_check(1)";
const char schema_one_file[] = "PRAGMA journal_mode = DELETE";

/* Durability first: a commit is answered when the log is on disk (FULL). The log is folded into the
 * main file by the writer alone, every wal_autocheckpoint pages: one connection writes and
 * checkpoints, which is what keeps SQLite 3.40.1's WAL-reset bug away. secure_delete would rewrite
 * every page freed. Sorting and undo never need a directory for temporary files (temp_store).
 * Negative cache sizes are KiB. */
const struct setting schema_writer_settings[] = {
    {"PRAGMA journal_mode = WAL", "PRAGMA journal_mode", "wal",
     "the file system cannot hold a database with a write-ahead log; use a local disk"},
    {"PRAGMA synchronous = FULL", "PRAGMA synchronous", "2", NULL},
    {"PRAGMA wal_autocheckpoint = 8000", "PRAGMA wal_autocheckpoint", "8000", NULL},
    {"PRAGMA journal_size_limit = 67108864", "PRAGMA journal_size_limit", "67108864", NULL},
    {"PRAGMA foreign_keys = ON", "PRAGMA foreign_keys", "1", NULL},
    {"PRAGMA trusted_schema = OFF", "PRAGMA trusted_schema", "0", NULL},
    {"PRAGMA cell_size_check = ON", "PRAGMA cell_size_check", "1", NULL},
    {"PRAGMA mmap_size = 0", "PRAGMA mmap_size", "0", NULL},
    {"PRAGMA secure_delete = OFF", "PRAGMA secure_delete", "0", NULL},
    {"PRAGMA temp_store = MEMORY", "PRAGMA temp_store", "2", NULL},
    {"PRAGMA cache_size = -65536", "PRAGMA cache_size", "-65536", NULL},
    {NULL, NULL, NULL, NULL},
};

const struct setting schema_reader_settings[] = {
    {"PRAGMA query_only = ON", "PRAGMA query_only", "1", NULL},
    {"PRAGMA trusted_schema = OFF", "PRAGMA trusted_schema", "0", NULL},
    {"PRAGMA cell_size_check = ON", "PRAGMA cell_size_check", "1", NULL},
    {"PRAGMA mmap_size = 0", "PRAGMA mmap_size", "0", NULL},
    {"PRAGMA temp_store = MEMORY", "PRAGMA temp_store", "2", NULL},
    {"PRAGMA cache_size = -8192", "PRAGMA cache_size", "-8192", NULL},
    {NULL, NULL, NULL, NULL},
};

static enum err_code query_integer(struct store *store, const char *sql, long *ret_value,
                                   struct err *err)
{
    char text[32];
    enum err_code code = handle_query(store->db, sql, text, sizeof text, err);

    if (code == ERR_OK)
        *ret_value = strtol(text, NULL, 10); /* SQLite's own digits */
    return code;
}

enum err_code schema_identify(struct store *store, int newest, bool may_be_new, int *ret_version,
                              struct err *err)
{
    long application_id, version, tables;
    enum err_code code;

    code = query_integer(store, "PRAGMA application_id", &application_id, err);
    if (code == ERR_OK)
        code = query_integer(store, "PRAGMA user_version", &version, err);
    if (code == ERR_OK)
        code = query_integer(store, "SELECT count(*) FROM sqlite_schema", &tables, err);
    if (code != ERR_OK)
        return code;

    if (application_id == 0 && version == 0 && tables == 0 && may_be_new) {
        *ret_version = 0;
        return ERR_OK;
    }
    if (application_id != SCHEMA_APPLICATION_ID || version < 1)
        return err_set(err, ERR_INVALID, "it is an SQLite database, but not one of moeplan");
    if (version > newest)
        return err_set(err, ERR_INVALID,
                       "it was written by a newer moeplan: its schema is version %ld, this program "
                       "knows versions up to %d; use the newer program",
                       version, newest);
    *ret_version = (int)version;
    return ERR_OK;
}

/* One step: all of it, with its version number, or nothing. */
static enum err_code apply(struct store *store, const struct migration *migration, int version,
                           struct err *err)
{
    char stamp[96];
    enum err_code code;

    snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
             SCHEMA_APPLICATION_ID, version);
    code = handle_execute(store, "BEGIN IMMEDIATE", err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < MIGRATION_SCRIPTS_MAX && migration->sql[i] && code == ERR_OK; i++)
        code = handle_execute(store, migration->sql[i], err);
    if (code == ERR_OK)
        code = handle_execute(store, stamp, err);
    if (code != ERR_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL); /* the first error is the story */
    return code;
}

enum err_code schema_migrate(struct store *store, const struct migration *migrations, size_t count,
                             int version, struct err *err)
{
    enum { SUFFIX_BYTES = 32 };
    size_t size = strlen(store->path) + SUFFIX_BYTES;
    char *copy = malloc(size);
    enum err_code code = ERR_OK;
    bool was_empty = version == 0;

    if (!copy)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (size_t i = (size_t)version; i < count && code == ERR_OK; i++) {
        int next = (int)i + 1;

        if (!was_empty) {
            snprintf(copy, size, "%s.before-v%d", store->path, next);
            code = backup_replace(store, copy, err);
        }
        if (code == ERR_OK)
            code = apply(store, &migrations[i], next, err);
        if (code != ERR_OK)
            err_prefix(err, "cannot move %s to schema version %d: ", store->path, next);
    }
    free(copy);
    return code;
}
