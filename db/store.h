/* store: what moeplan remembers, in the domain's verbs.
 *
 * The seam behind which SQLite stands: nothing above knows which engine it is. One handle opened by
 * store_open writes and is used by one thread at a time (server/writer owns it); any number of
 * handles from store_open_reader read, each on its own thread, and never write. Rows handed to a
 * callback live until it returns. All errors are err.h codes: engine codes are translated here
 * (full disk ERR_STORAGE_FULL, contention ERR_UNAVAILABLE, corruption ERR_INTERNAL with a
 * sentence).
 *
 * Durability: store_commit returns ERR_OK only when the transaction is on disk. After any other
 * answer the transaction is rolled back and nothing of it is visible.
 */
#ifndef MOEPLAN_DB_STORE_H
#define MOEPLAN_DB_STORE_H

#include "db/filter.h"
#include "db/values.h"

struct store;

enum { STORE_SCHEMA_VERSION = 1 };

/* Opens or creates the database and takes its lock: a second writer on the same file is refused
 * with a sentence. Applies migrations (a copy "<path>.before-vN" is made first), refuses a file
 * that is not moeplan's or is newer than this program, runs quick_check, marks fits left running
 * as interrupted, and makes the study "default". */
enum err_code store_open(const char *path, struct store **ret_store, struct err *err);

/* A read-only handle on the same file. The writer must be open. */
enum err_code store_open_reader(const char *path, struct store **ret_store, struct err *err);

/* Checkpoints (writer) and closes; NULL is fine. */
void store_close(struct store *store);

/* Transactions of the writer. Marks nest one level inside: undo takes back everything since. */
enum err_code store_begin(struct store *store, struct err *err);
enum err_code store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);
enum err_code store_mark(struct store *store, struct err *err);
enum err_code store_release(struct store *store, struct err *err);
void store_undo(struct store *store);

/* A cheap query that proves the handle answers. */
enum err_code store_ping(struct store *store, struct err *err);

/* A consistent copy of the whole database into a new file at path, checked after writing. */
enum err_code store_backup(struct store *store, const char *path, struct err *err);

/* Folds the log into the main file; done by the writer when idle and at close. */
enum err_code store_checkpoint(struct store *store, struct err *err);

/* Studies. Reads copy into arena. */
enum err_code study_put(struct store *store, const struct study *study, bool *ret_created,
                        struct err *err);
enum err_code study_read(struct store *store, const char *id, struct arena *arena,
                         struct study *ret_study, struct err *err); /* ERR_STUDY_NOT_FOUND */
/* Ascending id after `after` (NULL for the start), at most limit. */
enum err_code study_list(struct store *store, const char *after, size_t limit, struct arena *arena,
                         struct study **ret_studies, size_t *ret_count, struct err *err);
/* ERR_STUDY_NOT_EMPTY when it holds experiments and force is false; ERR_READ_ONLY for "default".
 * Deletes its experiments and fits with it. */
enum err_code study_delete(struct store *store, const char *id, bool force, struct err *err);

/* Experiments. Put: same name and same content (the fields in `present`) PUT_UNCHANGED; same name,
 * other content: ERR_CONFLICT naming the run, or replace or ignore. A replaced run keeps its id.
 * ret_id is the stored row's. */
enum err_code experiment_put(struct store *store, const struct experiment *experiment,
                             enum on_conflict on_conflict, enum put_outcome *ret_outcome,
                             int64_t *ret_id, struct err *err);
enum err_code experiment_read(struct store *store, int64_t id, struct arena *arena,
                              struct experiment *ret_experiment, struct err *err);
/* Replaces a stored run whole (PATCH): ERR_CONFLICT when another run of the study has the name. */
enum err_code experiment_update(struct store *store, const struct experiment *experiment,
                                struct err *err);
enum err_code experiment_delete(struct store *store, int64_t id, struct err *err);

/* Calls row(ctx, run) for runs of the study with id in (after, up_to], ascending, that match;
 * stops when row returns false or after limit rows (0: no limit). */
enum err_code experiment_each(struct store *store, const char *study, const struct filter *filter,
                              int64_t after, int64_t up_to, size_t limit,
                              bool (*row)(void *ctx, const struct experiment *run), void *ctx,
                              struct err *err);
/* The highest id ever given out in the study, 0 when empty; and how many runs there are now. */
enum err_code experiment_high_water(struct store *store, const char *study, int64_t *ret_id,
                                    struct err *err);
enum err_code experiment_count(struct store *store, const char *study, uint64_t *ret_count,
                               struct err *err); /* study NULL: all */

/* Fits. Put inserts when record->id is 0 and writes the id back through ret_id; else it finishes a
 * running fit. Finished fits are never changed. */
enum err_code fit_put(struct store *store, const struct fit_record *record, int64_t *ret_id,
                      struct err *err);
enum err_code fit_read(struct store *store, int64_t id, struct arena *arena,
                       struct fit_record *ret_record, struct err *err); /* ERR_FIT_NOT_FOUND */
/* All fits, ascending id, whole: how the snapshot is loaded. */
enum err_code fit_each(struct store *store, bool (*row)(void *ctx, const struct fit_record *record),
                       void *ctx, struct err *err);
/* ERR_FIT_IN_USE when a study's default_fit is this one. */
enum err_code fit_delete(struct store *store, int64_t id, struct err *err);

#endif
