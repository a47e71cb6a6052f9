/* lock: which file a path means, and that nobody else writes it.
 *
 * The lock is an advisory flock on "<file>.lock", beside the database under its resolved name, so
 * that every path to it meets the same lock. The kernel drops it when the process ends, however it
 * ends; the lock file itself stays. (A lock on the database file would not do: closing any
 * descriptor of it drops SQLite's own locks in this process.)
 */
#ifndef MOEPLAN_DB_LOCK_H
#define MOEPLAN_DB_LOCK_H

#include <stdbool.h>

#include "core/err.h"

/* The absolute path behind `path`, to be freed. With create, an empty file is made where there is
 * none, durably. Refuses what is not a plain file, and one with several hard links: SQLite would
 * look for its log under each name apart. */
enum err_code lock_resolve(const char *path, bool create, char **ret_path, struct err *err);

/* Takes the lock of a resolved path: ERR_UNAVAILABLE naming the process that has it. */
enum err_code lock_take(const char *path, int *ret_fd, struct err *err);
void lock_drop(int fd); /* -1 is fine */

/* Makes what happened to names in the directory of `path` durable. */
enum err_code lock_sync_directory(const char *path, struct err *err);

/* errno after doing something ("create") to path, as a sentence. */
enum err_code lock_fail(int error, const char *doing, const char *path, struct err *err);

#endif
