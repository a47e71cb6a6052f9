/* writer: the one thread that writes. Group commit: whatever waits goes into one transaction.
 *
 * Each item runs inside a mark of its own: one that fails is undone alone; when the commit itself
 * fails, every item of the batch gets that error. Replies go out only after the commit.
 */
#ifndef MOEPLAN_SERVER_WRITER_H
#define MOEPLAN_SERVER_WRITER_H

#include "server/call.h"
#include "server/snapshot.h"

struct writer;

enum { WRITER_QUEUE_MAX = 4096 };

enum err_code writer_open(struct store *store, struct snapshot_cell *cell, struct writer **ret,
                          struct err *err);

/* Finishes what is queued, then stops the thread. */
void writer_close(struct writer *writer);

/* Queues a call whose route is LANE_WRITER. ERR_UNAVAILABLE when the queue is full or draining. */
enum err_code writer_submit(struct writer *writer, struct call *call, struct err *err);

/* Runs fn in the writer's transaction and waits for the commit. From fit threads. */
enum err_code writer_run(struct writer *writer,
                         enum err_code (*fn)(struct store *store, void *ctx, struct err *err),
                         void *ctx, struct err *err);

/* To be called by what runs inside the transaction: this commit touches the snapshot. */
void writer_touch_studies(struct writer *writer);
void writer_touch_fit(struct writer *writer, int64_t fit);

#endif
