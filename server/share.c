#include "server/share.h"

#include <pthread.h>
#include <stdatomic.h>

/* Small, so that a cancelled fit of many runs ends soon; a draw costs some ten times what beginning
 * a chunk does. */
enum { CHUNK = 4, THREADS_MAX = 256 };

struct sharing {
    const struct share *share;
    size_t count;
    fit_part *part;
    void *ctx;
    atomic_size_t next, done; /* items handed out, made */
    atomic_bool stop;
    pthread_mutex_t lock; /* guards err, of the part that failed first */
    struct err err;
};

static void fail(struct sharing *sharing, enum err_code code, const char *detail)
{
    pthread_mutex_lock(&sharing->lock);
    if (!atomic_exchange(&sharing->stop, true))
        err_set(&sharing->err, code, "%s", detail);
    pthread_mutex_unlock(&sharing->lock);
}

/* Makes the next chunk; false when there is none, or no need for it. */
static bool make_chunk(struct sharing *sharing)
{
    size_t first, n;
    struct err err;
    enum err_code code;

    if (atomic_load(&sharing->stop))
        return false;
    first = atomic_fetch_add(&sharing->next, CHUNK);
    if (first >= sharing->count)
        return false;
    n = sharing->count - first < CHUNK ? sharing->count - first : CHUNK;
    err_init(&err, NULL);
    code = sharing->part(sharing->ctx, first, n, &err);
    if (code != ERR_OK)
        fail(sharing, code, err.detail);
    else
        atomic_fetch_add(&sharing->done, n);
    return true;
}

static void *helper_main(void *arg)
{
    bool more = true;

    while (more)
        more = make_chunk(arg);
    return NULL;
}

static void tell(struct sharing *sharing)
{
    const struct share *share = sharing->share;

    if (share->progress != NULL &&
        !share->progress(share->progress_ctx, atomic_load(&sharing->done), sharing->count))
        fail(sharing, ERR_CANCELLED, "the work was cancelled");
}

static size_t helpers_of(const struct share *share, size_t count)
{
    size_t chunks = (count + CHUNK - 1) / CHUNK;
    size_t threads = share->threads < chunks ? share->threads : chunks;

    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    return threads > 0 ? threads - 1 : 0;
}

enum err_code share_run(void *share_ctx, size_t count, fit_part *part, void *ctx, struct err *err)
{
    struct sharing sharing = {.share = share_ctx, .count = count, .part = part, .ctx = ctx};
    size_t helpers = helpers_of(share_ctx, count), started = 0;
    pthread_t threads[THREADS_MAX];

    err_init(&sharing.err, NULL);
    pthread_mutex_init(&sharing.lock, NULL);
    while (started < helpers &&
           pthread_create(&threads[started], NULL, helper_main, &sharing) == 0) {
        pthread_setname_np(threads[started], "moeplan-draw");
        started++;
    }
    while (make_chunk(&sharing))
        tell(&sharing);
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    tell(&sharing); /* of what the others made last */
    pthread_mutex_destroy(&sharing.lock);
    return sharing.err.code == ERR_OK ? ERR_OK
                                      : err_set(err, sharing.err.code, "%s", sharing.err.detail);
}
