/* writer: the one thread that writes. Group commit: whatever waits goes into one transaction.
 *
 * Each item runs inside a mark of its own: one that fails is undone alone; when the commit itself
 * fails, every item of the batch gets that error. Replies go out only after the commit.
 */
#ifndef MOEPLAN_SERVER_WRITER_H
#define MOEPLAN_SERVER_WRITER_H

#include "server/call.h"
#include "server/snapshot.h"

struct log;
struct writer;

enum { WRITER_QUEUE_MAX = 4096, WRITER_BATCH_MAX = 1024, WRITER_IDLE_MS = 1000 };

/* log may be NULL. The store stays the caller's, but only this thread uses it until close. */
enum err_code writer_open(struct store *store, struct snapshot_cell *cell, const struct log *log,
                          struct writer **ret, struct err *err);

/* Finishes what is queued, then stops the thread. NULL is fine. */
void writer_close(struct writer *writer);

/* Queues a call: handler runs with call->store the writer's handle; the call is finished after the
 * commit. ERR_UNAVAILABLE when the queue is full or the writer is closing. */
enum err_code writer_submit(struct writer *writer, struct call *call, call_handler *handler,
                            struct err *err);

/* Runs fn in the writer's transaction and waits for the commit. From fit threads. */
enum err_code writer_run(struct writer *writer,
                         enum err_code (*fn)(struct store *store, void *ctx, struct err *err),
                         void *ctx, struct err *err);

/* To be called by what runs inside the transaction: this commit touches the snapshot. */
void writer_touch_studies(struct writer *writer);
void writer_touch_fit(struct writer *writer, int64_t fit);

struct writer_stats {
    uint64_t commits, items; /* transactions on disk, and the items in them */
    size_t queued;
};
struct writer_stats writer_stats(struct writer *writer);

#endif
