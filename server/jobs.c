#include "server/jobs.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "db/store.h"
#include "server/app.h"
#include "server/dispatch.h"
#include "server/snapshot.h"

/* A queue and the threads that empty it. */
struct pool {
    struct jobs *jobs;
    const char *name; /* of its threads */
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct job *first, **end; /* where the next one is linked */
    size_t queued, queued_max, running;
    bool closing;
    size_t n_threads, started;
    struct worker *workers;
};

struct worker {
    struct pool *pool;
    struct store *store;
    pthread_t thread;
};

enum { READERS, FITS, POOLS };

/* Fits yield to answers where cores are few: Linux has a nice value for each thread. */
enum { FIT_NICE = 10 };

struct jobs {
    struct pool pools[POOLS];
    pthread_mutex_t watch_lock; /* guards every watch in the list, and the list */
    struct fit_watch *watches;
    bool cancelling; /* new fits are cancelled too */
};

static struct pool *pool_of(struct jobs *jobs, enum lane lane)
{
    return &jobs->pools[lane == LANE_FIT ? FITS : READERS];
}

static void *worker_main(void *arg)
{
    struct worker *worker = arg;
    struct pool *pool = worker->pool;

    pthread_setname_np(pthread_self(), pool->name);
    if (pool == &pool->jobs->pools[FITS])
        setpriority(PRIO_PROCESS, (id_t)gettid(), FIT_NICE);
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        struct job *job = pool->first;
        bool refuse = pool->closing && pool == &pool->jobs->pools[FITS];

        if (job == NULL && pool->closing)
            break;
        if (job == NULL) {
            pthread_cond_wait(&pool->arrived, &pool->lock);
            continue;
        }
        pool->first = job->next;
        if (pool->first == NULL)
            pool->end = &pool->first;
        pool->queued--;
        pool->running++;
        pthread_mutex_unlock(&pool->lock);
        job->run(job, refuse ? NULL : worker->store);
        pthread_mutex_lock(&pool->lock);
        pool->running--;
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static void pool_push(struct pool *pool, struct job *job)
{
    job->next = NULL;
    *pool->end = job;
    pool->end = &job->next;
    pool->queued++;
    pthread_cond_signal(&pool->arrived);
}

/* Takes a job out of the queue; false when it is not there, or no longer. */
static bool pool_withdraw(struct pool *pool, struct job *job)
{
    struct job **at = &pool->first;
    bool found;

    pthread_mutex_lock(&pool->lock);
    while (*at != NULL && *at != job)
        at = &(*at)->next;
    found = *at == job;
    if (found) {
        *at = job->next;
        if (pool->end == &job->next)
            pool->end = at;
        pool->queued--;
    }
    pthread_mutex_unlock(&pool->lock);
    return found;
}

static enum err_code pool_open(struct pool *pool, const char *db, struct err *err)
{
    pool->workers = calloc(pool->n_threads, sizeof *pool->workers);
    if (pool->workers == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for threads");
    for (size_t i = 0; i < pool->n_threads; i++) {
        struct worker *worker = &pool->workers[i];
        enum err_code code;

        worker->pool = pool;
        code = store_open_reader(db, &worker->store, err);
        if (code != ERR_OK)
            return code;
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
            store_close(worker->store);
            return err_set(err, ERR_INTERNAL, "no thread for %s", pool->name);
        }
        pool->started++;
    }
    return ERR_OK;
}

static void pool_close(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->arrived);
    pthread_mutex_unlock(&pool->lock);
    for (size_t i = 0; i < pool->started; i++) {
        pthread_join(pool->workers[i].thread, NULL);
        store_close(pool->workers[i].store);
    }
    free(pool->workers);
    pthread_cond_destroy(&pool->arrived);
    pthread_mutex_destroy(&pool->lock);
}

enum err_code jobs_open(const char *db, const struct jobs_limits *limits, struct jobs **ret,
                        struct err *err)
{
    struct jobs *jobs = calloc(1, sizeof *jobs);
    enum err_code code = ERR_OK;

    if (jobs == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for threads");
    jobs->pools[READERS] = (struct pool){
        .name = "moeplan-reader", .n_threads = limits->readers, .queued_max = limits->reads_queued};
    jobs->pools[FITS] = (struct pool){
        .name = "moeplan-fit", .n_threads = limits->fits, .queued_max = limits->fits_queued};
    pthread_mutex_init(&jobs->watch_lock, NULL);
    for (size_t i = 0; i < POOLS; i++) {
        jobs->pools[i].jobs = jobs;
        pthread_mutex_init(&jobs->pools[i].lock, NULL);
        pthread_cond_init(&jobs->pools[i].arrived, NULL);
        jobs->pools[i].end = &jobs->pools[i].first;
    }
    for (size_t i = 0; i < POOLS && code == ERR_OK; i++)
        code = pool_open(&jobs->pools[i], db, err);
    if (code == ERR_OK)
        *ret = jobs;
    else
        jobs_close(jobs);
    return code;
}

static void cancel_all(struct jobs *jobs)
{
    pthread_mutex_lock(&jobs->watch_lock);
    jobs->cancelling = true;
    for (struct fit_watch *watch = jobs->watches; watch != NULL; watch = watch->next)
        watch->cancelled = true;
    pthread_mutex_unlock(&jobs->watch_lock);
}

void jobs_close(struct jobs *jobs)
{
    if (jobs == NULL)
        return;
    cancel_all(jobs);
    pool_close(&jobs->pools[FITS]); /* a fit may go on to read or write: its lane ends first */
    pool_close(&jobs->pools[READERS]);
    pthread_mutex_destroy(&jobs->watch_lock);
    free(jobs);
}

/* A call as a job, in the call's arena. */
struct call_job {
    struct job job;
    struct call *call;
    call_handler *handler;
    bool skips; /* not begun for a client that has gone */
};

static void run_call(struct job *job, struct store *store)
{
    struct call_job *call_job = (struct call_job *)job;
    struct call *call = call_job->call;
    bool finished = true;

    if (store == NULL || (call_job->skips && atomic_load(&call->abandoned))) {
        dispatch_finish(call, jobs_stopped(call));
    } else {
        call->store = store;
        if (call->snapshot == NULL)
            call->snapshot = snapshot_acquire(call->app->snapshots);
        finished = dispatch_run(call, call_job->handler);
    }
    if (finished)
        call->ready(call);
}

enum err_code jobs_submit(struct jobs *jobs, enum lane lane, struct call *call,
                          call_handler *handler, struct err *err)
{
    struct pool *pool = pool_of(jobs, lane);
    struct call_job *job = arena_alloc(&call->arena, sizeof *job);
    enum err_code code = ERR_OK;

    if (job == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the request");
    *job = (struct call_job){
        .job.run = run_call, .call = call, .handler = handler, .skips = lane == LANE_FIT};
    pthread_mutex_lock(&pool->lock);
    if (pool->closing)
        code = err_set(err, ERR_UNAVAILABLE, "the service is ending");
    else if (pool->queued >= pool->queued_max && lane == LANE_FIT)
        code = err_set(err, ERR_TOO_MANY_REQUESTS, "%zu fits are waiting already", pool->queued);
    else if (pool->queued >= pool->queued_max)
        code = err_set(err, ERR_UNAVAILABLE, "%zu reads are waiting already", pool->queued);
    else
        pool_push(pool, &job->job);
    pthread_mutex_unlock(&pool->lock);
    return code;
}

void jobs_post(struct jobs *jobs, enum lane lane, struct job *job)
{
    struct pool *pool = pool_of(jobs, lane);
    bool closing;

    pthread_mutex_lock(&pool->lock);
    closing = pool->closing;
    if (!closing)
        pool_push(pool, job);
    pthread_mutex_unlock(&pool->lock);
    if (closing)
        job->run(job, NULL);
}

enum err_code jobs_room(struct jobs *jobs, struct err *err)
{
    struct pool *pool = &jobs->pools[FITS];
    enum err_code code = ERR_OK;

    pthread_mutex_lock(&pool->lock);
    if (pool->queued >= pool->queued_max)
        code = err_set(err, ERR_TOO_MANY_REQUESTS, "%zu fits are waiting already", pool->queued);
    pthread_mutex_unlock(&pool->lock);
    return code;
}

struct jobs_stats jobs_stats(struct jobs *jobs)
{
    struct jobs_stats stats;

    pthread_mutex_lock(&jobs->pools[READERS].lock);
    stats.reads_queued = jobs->pools[READERS].queued;
    pthread_mutex_unlock(&jobs->pools[READERS].lock);
    pthread_mutex_lock(&jobs->pools[FITS].lock);
    stats.fits_queued = jobs->pools[FITS].queued;
    stats.fits_running = jobs->pools[FITS].running;
    pthread_mutex_unlock(&jobs->pools[FITS].lock);
    return stats;
}

void jobs_watch(struct jobs *jobs, struct fit_watch *watch, int64_t fit, struct job *job,
                const struct fit_progress *begun)
{
    *watch = (struct fit_watch){.fit = fit, .job = job};
    if (begun != NULL)
        watch->progress = *begun;
    if (jobs == NULL)
        return;
    pthread_mutex_lock(&jobs->watch_lock);
    watch->cancelled = jobs->cancelling;
    watch->next = jobs->watches;
    jobs->watches = watch;
    pthread_mutex_unlock(&jobs->watch_lock);
}

void jobs_watch_call(struct jobs *jobs, struct fit_watch *watch, const struct call *client)
{
    jobs_watch(jobs, watch, 0, NULL, NULL);
    watch->client = client;
}

enum err_code jobs_stopped(struct call *call)
{
    return atomic_load(&call->abandoned)
               ? err_set(&call->err, ERR_CANCELLED, "the client has gone")
               : err_set(&call->err, ERR_UNAVAILABLE, "the service is ending");
}

void jobs_unwatch(struct jobs *jobs, struct fit_watch *watch)
{
    if (jobs == NULL)
        return;
    pthread_mutex_lock(&jobs->watch_lock);
    for (struct fit_watch **at = &jobs->watches; *at != NULL; at = &(*at)->next)
        if (*at == watch) {
            *at = watch->next;
            break;
        }
    pthread_mutex_unlock(&jobs->watch_lock);
}

bool jobs_progress(struct jobs *jobs, struct fit_watch *watch, const struct fit_progress *progress)
{
    bool go_on;

    if (jobs == NULL)
        return true;
    pthread_mutex_lock(&jobs->watch_lock);
    watch->progress = *progress;
    watch->changes++;
    go_on = !watch->cancelled && (watch->client == NULL || !atomic_load(&watch->client->abandoned));
    pthread_mutex_unlock(&jobs->watch_lock);
    return go_on;
}

static struct fit_watch *find_watch(struct jobs *jobs, int64_t fit)
{
    for (struct fit_watch *watch = jobs->watches; watch != NULL; watch = watch->next)
        if (watch->fit == fit)
            return watch;
    return NULL;
}

bool jobs_cancel(struct jobs *jobs, int64_t fit)
{
    struct fit_watch *watch;
    struct job *withdrawn = NULL;
    bool found;

    if (jobs == NULL)
        return false;
    pthread_mutex_lock(&jobs->watch_lock);
    watch = find_watch(jobs, fit);
    found = watch != NULL;
    if (found) {
        watch->cancelled = true;
        if (watch->job != NULL && pool_withdraw(&jobs->pools[FITS], watch->job))
            withdrawn = watch->job;
    }
    pthread_mutex_unlock(&jobs->watch_lock);
    if (withdrawn != NULL)
        withdrawn->run(withdrawn, NULL);
    return found;
}

bool jobs_look(struct jobs *jobs, int64_t fit, struct fit_watch *ret)
{
    struct fit_watch *watch;

    if (jobs == NULL)
        return false;
    pthread_mutex_lock(&jobs->watch_lock);
    watch = find_watch(jobs, fit);
    if (watch != NULL)
        *ret = *watch;
    pthread_mutex_unlock(&jobs->watch_lock);
    return watch != NULL;
}
