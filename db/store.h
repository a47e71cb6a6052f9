/* store: what moeplan remembers, in the domain's verbs.
 *
 * The seam behind which SQLite stands: nothing above knows which engine it is. One handle opened by
 * store_open writes and is used by one thread at a time (server/writer owns it); any number of
 * handles from store_open_reader read, each on its own thread, and never write. Rows handed to a
 * callback live until it returns; a callback does not call the store, and does not wait: while it
 * runs, a reader keeps the log from being folded in. All errors are err.h codes: engine codes are
 * translated here (full disk ERR_STORAGE_FULL, contention ERR_UNAVAILABLE, corruption ERR_INTERNAL
 * with a sentence). Any verb may also answer these and ERR_NO_MEMORY.
 *
 * Durability: store_commit returns ERR_OK only when the transaction is on disk. After any other
 * answer the transaction is rolled back and nothing of it is visible. A verb outside a transaction
 * is one by itself. A verb that fails leaves nothing of itself; when the failure took the whole
 * transaction with it (full disk), every further verb repeats the error until it is ended.
 */
#ifndef MOEPLAN_DB_STORE_H
#define MOEPLAN_DB_STORE_H

#include "db/filter.h"
#include "db/values.h"

struct store;

enum { STORE_SCHEMA_VERSION = 1 };

/* Opens or creates the database and takes its lock, "<path>.lock": a second writer on the same
 * file, by whatever path, is refused (ERR_UNAVAILABLE). Refuses a file that is not moeplan's or is
 * newer than this program, and one with several hard links (ERR_INVALID), and a damaged one
 * (ERR_INTERNAL). Applies migrations, each after a checked copy "<path>.before-vN"; marks fits left
 * running as interrupted; makes the study "default". The process's first call comes before any
 * other thread uses a store; close readers before the writer. */
enum err_code store_open(const char *path, struct store **ret_store, struct err *err);

/* A read-only handle on the same file. The writer must be open. */
enum err_code store_open_reader(const char *path, struct store **ret_store, struct err *err);

/* Rolls back what is open, folds in the log (writer) and closes; NULL is fine. */
void store_close(struct store *store);

/* Transactions of the writer. A mark is one level inside: undo takes back everything since it and
 * ends it, release keeps it. A failed commit has rolled back. */
enum err_code store_begin(struct store *store, struct err *err);
enum err_code store_commit(struct store *store, struct err *err);
void store_rollback(struct store *store);
enum err_code store_mark(struct store *store, struct err *err);
enum err_code store_release(struct store *store, struct err *err);
void store_undo(struct store *store);

/* A cheap query that proves the handle answers. */
enum err_code store_ping(struct store *store, struct err *err);

/* A consistent copy of the whole database, of one moment, into a new file at path: one file without
 * a log, on disk and checked before it gets that name; ERR_CONFLICT when path exists. Not inside a
 * transaction. On a reader it holds up nobody. */
enum err_code store_backup(struct store *store, const char *path, struct err *err);

/* Folds the log into the main file as far as readers let it, waiting for nobody. Commits do so too
 * when the log is long; for the writer when idle. Not inside a transaction. */
enum err_code store_checkpoint(struct store *store, struct err *err);

/* Studies. Reads copy into arena. Put makes or replaces (created_at stays); a default_fit in digits
 * must be a fit: ERR_FIT_NOT_FOUND. */
enum err_code study_put(struct store *store, const struct study *study, bool *ret_created,
                        struct err *err);
enum err_code study_read(struct store *store, const char *id, struct arena *arena,
                         struct study *ret_study, struct err *err); /* ERR_STUDY_NOT_FOUND */
/* Ascending id after `after` (NULL for the start), at most limit. */
enum err_code study_list(struct store *store, const char *after, size_t limit, struct arena *arena,
                         struct study **ret_studies, size_t *ret_count, struct err *err);
/* ERR_STUDY_NOT_EMPTY when it holds experiments and force is false; ERR_READ_ONLY for "default";
 * ERR_FIT_IN_USE when a fit of it is another study's default_fit. Deletes its experiments and fits
 * with it. */
enum err_code study_delete(struct store *store, const char *id, bool force, struct err *err);

/* Experiments. The caller has checked the run (obs_check); tags ascend by name.
 *
 * Put: a name new in the study is PUT_INSERTED. Same name and same content (what the request
 * carries: n_active, tokens, loss and the fields in `present`, tags as a set) is PUT_UNCHANGED.
 * Same name, other content: ERR_CONFLICT naming the run and the fields that differ, or PUT_IGNORED,
 * or PUT_REPLACED: the stored run keeps its id and becomes what the request says, defaults for what
 * it leaves out, but for `excluded` and its reason: people's decision about a run outlives new
 * content unless the request carries `excluded` too. ERR_STUDY_NOT_FOUND. ret_id is the stored
 * row's. */
enum err_code experiment_put(struct store *store, const struct experiment *experiment,
                             enum on_conflict on_conflict, enum put_outcome *ret_outcome,
                             int64_t *ret_id, struct err *err);
enum err_code experiment_read(struct store *store, int64_t id, struct arena *arena,
                              struct experiment *ret_experiment, struct err *err);
/* Replaces the stored run of that id whole (PATCH), in the study it is in: ERR_CONFLICT when
 * another run of the study has the name, ERR_EXPERIMENT_NOT_FOUND. */
enum err_code experiment_update(struct store *store, const struct experiment *experiment,
                                struct err *err);
enum err_code experiment_delete(struct store *store, int64_t id, struct err *err);

/* Calls row(ctx, run) for runs of the study with id in (after, up_to], ascending, that match;
 * stops when row returns false or after limit rows (0: no limit). */
enum err_code experiment_each(struct store *store, const char *study, const struct filter *filter,
                              int64_t after, int64_t up_to, size_t limit,
                              bool (*row)(void *ctx, const struct experiment *run), void *ctx,
                              struct err *err);
/* The highest id ever given out in the study, 0 when none was; and how many runs there are now, by
 * counting: some 10 ms for a million. */
enum err_code experiment_high_water(struct store *store, const char *study, int64_t *ret_id,
                                    struct err *err);
enum err_code experiment_count(struct store *store, const char *study, uint64_t *ret_count,
                               struct err *err); /* study NULL: all */

/* Fits. Put inserts when record->id is 0, else it finishes a running fit (label, plain, robust and
 * results are taken anew; study, law and created_at stay): ERR_CONFLICT when it runs no more,
 * ERR_FIT_NOT_FOUND. Fits that do not run never change. Coefficients, ranges and levels are kept
 * only of fits that do not run. Numbers come back as they were, but for the sign of -0 outside
 * draws. */
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
