/* backup: consistent copies of a whole database, checked before they get their name. Private to
 * db/.
 */
#ifndef MOEPLAN_DB_BACKUP_H
#define MOEPLAN_DB_BACKUP_H

#include "core/err.h"

struct store;

/* Like store_backup, but takes the place of a file already at path: of an earlier attempt. */
enum err_code backup_replace(struct store *store, const char *path, struct err *err);

#endif
