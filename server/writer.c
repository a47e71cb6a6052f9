#include "server/writer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "server/dispatch.h"
#include "server/log.h"

/* Something to do in the transaction. A call's hangs in its arena, writer_run's on its stack. */
struct item {
    struct item *next;
    struct call *call; /* NULL for writer_run */
    call_handler *handler;
    enum err_code (*fn)(struct store *store, void *ctx, struct err *err);
    void *ctx;
    struct err *err;
    enum err_code code;
    bool done; /* writer_run: under the lock */
};

struct writer {
    struct store *store;
    struct snapshot_cell *cell;
    const struct log *log;
    pthread_t thread;
    /* The writer thread's own: */
    struct snapshot_changes changes; /* not yet in the snapshot */
    bool dirty;                      /* written since the last checkpoint */
    /* Under the lock: */
    pthread_mutex_t lock;
    pthread_cond_t arrived, finished;
    struct item *first, *last;
    size_t queued;
    bool closing;
    uint64_t commits, items;
};

void writer_touch_studies(struct writer *writer)
{
    writer->changes.studies = true;
}

void writer_touch_fit(struct writer *writer, int64_t fit)
{
    struct snapshot_changes *changes = &writer->changes;

    if (changes->n_fits < sizeof changes->fits / sizeof changes->fits[0])
        changes->fits[changes->n_fits++] = fit;
    else
        changes->all_fits = true;
}

static bool has_changes(const struct writer *writer)
{
    return writer->changes.studies || writer->changes.n_fits > 0 || writer->changes.all_fits;
}

/* A precondition is checked against the snapshot, so nothing before it in its own batch may have
 * changed what the snapshot will show. */
static bool has_precondition(const struct item *item)
{
    return item->call != NULL && (request_header(&item->call->request, "If-Match") != NULL ||
                                  request_header(&item->call->request, "If-None-Match") != NULL);
}

static enum err_code run_item(struct writer *writer, struct item *item)
{
    enum err_code code = store_mark(writer->store, item->err);

    if (code != ERR_OK)
        return code;
    if (item->call != NULL) {
        item->call->store = writer->store;
        code = item->handler(item->call);
        item->call->store = NULL;
    } else {
        code = item->fn(writer->store, item->ctx, item->err);
    }
    if (code == ERR_OK)
        code = store_release(writer->store, item->err);
    if (code != ERR_OK)
        store_undo(writer->store);
    return code;
}

/* Every item of a failed transaction has failed, whatever it thought itself. */
static void fail_all(struct item *first, const struct item *end, enum err_code code,
                     const char *detail)
{
    for (struct item *item = first; item != end; item = item->next)
        if (item->code == ERR_OK)
            item->code = err_set(item->err, code, "%s", detail);
}

/* After these the engine may have rolled back the whole transaction by itself. */
static bool is_engine_trouble(enum err_code code)
{
    return code == ERR_STORAGE_FULL || code == ERR_INTERNAL;
}

/* Runs items from first on in one transaction; returns the first that must wait for the next. */
static struct item *run_batch(struct writer *writer, struct item *first)
{
    struct err err;
    struct item *item = first;
    enum err_code code;
    size_t count = 0;

    err_init(&err, NULL);
    code = store_begin(writer->store, &err);
    while (item != NULL && count < WRITER_BATCH_MAX) {
        if (count > 0 && has_precondition(item) && has_changes(writer))
            break;
        item->code = code == ERR_OK ? run_item(writer, item) : ERR_OK;
        count++;
        if (is_engine_trouble(item->code)) {
            code = err_set(&err, item->code, "%s", item->err->detail);
            store_rollback(writer->store);
            item = item->next;
            break;
        }
        item = item->next;
    }
    if (code == ERR_OK) {
        code = store_commit(writer->store, &err);
        writer->dirty = true;
    }
    if (code != ERR_OK)
        fail_all(first, item, code, err.detail);
    pthread_mutex_lock(&writer->lock);
    writer->queued -= count;
    writer->commits += code == ERR_OK;
    writer->items += code == ERR_OK ? count : 0;
    pthread_mutex_unlock(&writer->lock);
    return item;
}

/* Swaps in what the commit changed. When that fails (out of memory) the old snapshot stays, and
 * the changes wait for the next time. */
static void refresh_snapshot(struct writer *writer)
{
    struct log_line line;
    struct err err;

    if (!has_changes(writer))
        return;
    err_init(&err, NULL);
    if (snapshot_replace(writer->cell, writer->store, &writer->changes, &err) == ERR_OK) {
        writer->changes = (struct snapshot_changes){.studies = false};
        return;
    }
    log_begin(&line, writer->log, LOG_ERROR, "the snapshot could not be renewed");
    log_text(&line, "detail", err.detail);
    log_end(&line);
}

static void finish_item(struct writer *writer, struct item *item)
{
    struct call *call = item->call;
    bool finished = true;

    if (call == NULL) {
        pthread_mutex_lock(&writer->lock);
        item->done = true;
        pthread_cond_broadcast(&writer->finished);
        pthread_mutex_unlock(&writer->lock);
        return;
    }
    if (item->code == ERR_OK && call->then != NULL)
        finished = dispatch_continue(call);
    else
        dispatch_finish(call, item->code);
    if (finished)
        call->ready(call);
}

static void run_items(struct writer *writer, struct item *first)
{
    while (first != NULL) {
        struct item *end = run_batch(writer, first);

        refresh_snapshot(writer);
        while (first != end) {
            struct item *next = first->next; /* the item goes with its call */

            finish_item(writer, first);
            first = next;
        }
    }
}

static void checkpoint(struct writer *writer)
{
    struct log_line line;
    struct err err;

    err_init(&err, NULL);
    if (store_checkpoint(writer->store, &err) != ERR_OK) {
        log_begin(&line, writer->log, LOG_WARN, "the log could not be folded into the database");
        log_text(&line, "detail", err.detail);
        log_end(&line);
    }
    writer->dirty = false;
}

/* Waits for items and takes them all; NULL when closing and none is left, or idle for a while. */
static struct item *take(struct writer *writer, bool *ret_closing)
{
    struct timespec until;
    struct item *first;
    int status = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += WRITER_IDLE_MS / 1000;
    pthread_mutex_lock(&writer->lock);
    while (writer->first == NULL && !writer->closing && status == 0)
        status = writer->dirty || has_changes(writer)
                     ? pthread_cond_timedwait(&writer->arrived, &writer->lock, &until)
                     : pthread_cond_wait(&writer->arrived, &writer->lock);
    first = writer->first;
    writer->first = writer->last = NULL;
    *ret_closing = writer->closing;
    pthread_mutex_unlock(&writer->lock);
    return first;
}

static void *writer_main(void *arg)
{
    struct writer *writer = arg;
    bool closing = false;

    pthread_setname_np(pthread_self(), "moeplan-writer");
    for (;;) {
        struct item *first = take(writer, &closing);

        if (first != NULL) {
            run_items(writer, first);
        } else if (closing) {
            return NULL;
        } else {
            refresh_snapshot(writer);
            if (writer->dirty)
                checkpoint(writer);
        }
    }
}

enum err_code writer_open(struct store *store, struct snapshot_cell *cell, const struct log *log,
                          struct writer **ret, struct err *err)
{
    struct writer *writer = calloc(1, sizeof *writer);
    pthread_condattr_t attributes;

    if (writer == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the writer");
    writer->store = store;
    writer->cell = cell;
    writer->log = log;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->arrived, &attributes);
    pthread_cond_init(&writer->finished, NULL);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&writer->thread, NULL, writer_main, writer) != 0) {
        free(writer);
        return err_set(err, ERR_INTERNAL, "no thread for the writer");
    }
    *ret = writer;
    return ERR_OK;
}

void writer_close(struct writer *writer)
{
    if (writer == NULL)
        return;
    pthread_mutex_lock(&writer->lock);
    writer->closing = true;
    pthread_cond_signal(&writer->arrived);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    pthread_cond_destroy(&writer->arrived);
    pthread_cond_destroy(&writer->finished);
    pthread_mutex_destroy(&writer->lock);
    free(writer);
}

static enum err_code enqueue(struct writer *writer, struct item *item, struct err *err)
{
    enum err_code code = ERR_OK;

    pthread_mutex_lock(&writer->lock);
    if (writer->closing) {
        code = err_set(err, ERR_UNAVAILABLE, "the service is ending");
    } else if (writer->queued == WRITER_QUEUE_MAX) {
        code = err_set(err, ERR_UNAVAILABLE, "%d writes are waiting already", WRITER_QUEUE_MAX);
    } else {
        if (writer->last == NULL)
            writer->first = item;
        else
            writer->last->next = item;
        writer->last = item;
        writer->queued++;
        pthread_cond_signal(&writer->arrived);
    }
    pthread_mutex_unlock(&writer->lock);
    return code;
}

enum err_code writer_submit(struct writer *writer, struct call *call, call_handler *handler,
                            struct err *err)
{
    struct item *item = arena_calloc(&call->arena, 1, sizeof *item);

    if (item == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the request");
    item->call = call;
    item->handler = handler;
    item->err = &call->err;
    return enqueue(writer, item, err);
}

enum err_code writer_run(struct writer *writer,
                         enum err_code (*fn)(struct store *store, void *ctx, struct err *err),
                         void *ctx, struct err *err)
{
    struct item item = {.fn = fn, .ctx = ctx, .err = err};
    enum err_code code = enqueue(writer, &item, err);

    if (code != ERR_OK)
        return code;
    pthread_mutex_lock(&writer->lock);
    while (!item.done)
        pthread_cond_wait(&writer->finished, &writer->lock);
    pthread_mutex_unlock(&writer->lock);
    return item.code;
}

struct writer_stats writer_stats(struct writer *writer)
{
    struct writer_stats stats;

    pthread_mutex_lock(&writer->lock);
    stats = (struct writer_stats){writer->commits, writer->items, writer->queued};
    pthread_mutex_unlock(&writer->lock);
    return stats;
}
