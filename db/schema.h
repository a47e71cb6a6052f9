/* schema: the tables, as ordered migrations, and the settings of every connection.
 *
 * A migration runs in one transaction and moves user_version up by one. What has been released is
 * never edited: a change is a new row at the end.
 */
#ifndef MOEPLAN_DB_SCHEMA_H
#define MOEPLAN_DB_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

struct store;

/* "MoEp", in the file's header: what tells a moeplan database from any other. */
enum { SCHEMA_APPLICATION_ID = 0x4d6f4570 };

enum { MIGRATION_SCRIPTS_MAX = 4 };

struct migration {
    const char *sql[MIGRATION_SCRIPTS_MAX]; /* in order; NULL after the last */
};

/* Row i makes version i + 1. */
extern const struct migration schema_migrations[];
extern const size_t schema_migration_count;

/* Answer "ok", or the first damage found: of the tables, or of every index too. */
extern const char schema_check_quick[], schema_check_all[];

/* Makes a database one file, without a log. */
extern const char schema_one_file[];

/* A setting, and what reading it back must answer: a setting that did not take is an error. */
struct setting {
    const char *set, *read, *want;
    const char *else_detail; /* the sentence when it did not */
};
extern const struct setting schema_writer_settings[], schema_reader_settings[]; /* set NULL ends */

/* Whose file it is: ERR_INVALID when it is not moeplan's, or is newer than `newest`. *ret_version
 * is 0 for an empty file, which is refused unless may_be_new. */
enum err_code schema_identify(struct store *store, int newest, bool may_be_new, int *ret_version,
                              struct err *err);

/* Migrates from `version` to the last row. Before each step a copy "<path>.before-vN" is made, N
 * the version to come, unless the file was empty. A step that fails leaves the file as it was
 * before it. */
enum err_code schema_migrate(struct store *store, const struct migration *migrations, size_t count,
                             int version, struct err *err);

#endif
