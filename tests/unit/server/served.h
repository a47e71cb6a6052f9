/* served: an app without transport, on a store of its own: for tests of dispatch and the lanes.
 *
 * served_make opens everything serve does but http; served_ask dispatches one request and waits for
 * its reply, whatever lane it takes.
 */
#ifndef MOEPLAN_TESTS_SERVED_H
#define MOEPLAN_TESTS_SERVED_H

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "server/app.h"
#include "server/auth.h"
#include "server/dispatch.h"
#include "server/jobs.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/openapi.h"
#include "server/snapshot.h"
#include "server/writer.h"
#include "tests/unit/db/place.h"

struct served {
    struct place *place;
    struct app app;
    struct log log;
    int log_fds[2]; /* what the app logs can be read from the first */
};

/* A call with what it needs to wait for its reply. */
struct asked {
    struct call call;
    pthread_mutex_t lock;
    pthread_cond_t done;
    bool ready;
};

static inline int served_make(void **state)
{
    struct served *served = calloc(1, sizeof *served);
    const struct jobs_limits limits = {
        .readers = 2, .fits = 1, .reads_queued = 100, .fits_queued = 2};
    void *place;
    struct place *at;

    assert_non_null(served);
    place_make_open(&place);
    at = served->place = place;
    assert_int_equal(pipe(served->log_fds), 0);
    served->log = (struct log){.fd = served->log_fds[1], .level = LOG_DEBUG};
    served->app.log = &served->log;
    served->app.options.max_answer_bytes = 1 << 24;
    served->app.listening_loopback = true;
    assert_ok(at, auth_open(NULL, false, &served->app.auth, &at->err));
    assert_ok(at, metrics_open(2, 0, &served->app.metrics, &at->err));
    assert_ok(
        at, openapi_make(&at->arena, &served->app.openapi, &served->app.openapi_length, &at->err));
    assert_ok(at, snapshot_cell_open(at->store, &served->app.snapshots, &at->err));
    assert_ok(at,
              writer_open(at->store, served->app.snapshots, NULL, &served->app.writer, &at->err));
    assert_ok(at, jobs_open(at->path, &limits, &served->app.jobs, &at->err));
    *state = served;
    return 0;
}

static inline int served_drop(void **state)
{
    struct served *served = *state;
    void *place = served->place;

    jobs_close(served->app.jobs);
    writer_close(served->app.writer);
    snapshot_cell_close(served->app.snapshots);
    metrics_close(served->app.metrics);
    auth_close(served->app.auth);
    close(served->log_fds[0]);
    close(served->log_fds[1]);
    free(served);
    return place_drop(&place);
}

static inline void asked_ready(struct call *call)
{
    struct asked *asked = call->transport;

    pthread_mutex_lock(&asked->lock);
    asked->ready = true;
    pthread_cond_signal(&asked->done);
    pthread_mutex_unlock(&asked->lock);
}

/* A request to be sent by asked_send; target is "/path?query". Free with asked_drop. */
static inline struct asked *asked_make(struct served *served, const char *method,
                                       const char *target)
{
    struct asked *asked = calloc(1, sizeof *asked);
    struct call *call;
    char *text, *mark;

    assert_non_null(asked);
    call = &asked->call;
    pthread_mutex_init(&asked->lock, NULL);
    pthread_cond_init(&asked->done, NULL);
    arena_init(&call->arena, 1 << 24);
    call_init(call, &served->app);
    text = arena_copy(&call->arena, target, strlen(target));
    assert_non_null(text);
    mark = strchr(text, '?');
    if (mark != NULL) {
        *mark = '\0';
        call->request.query = mark + 1;
    }
    call->request.path = text;
    call->request.method_name = method;
    call->request.method = method_find(method);
    call->ready = asked_ready;
    call->transport = asked;
    strcpy(call->id, "test-id");
    return asked;
}

static inline void asked_header(struct asked *asked, const char *name, const char *value)
{
    struct request *request = &asked->call.request;

    assert_true(request->n_headers < REQUEST_HEADERS_MAX);
    request->header[request->n_headers++] = (struct header){name, value};
}

static inline void asked_body(struct asked *asked, const char *type, const char *body)
{
    struct request *request = &asked->call.request;

    asked_header(asked, "Content-Type", type);
    request->body_length = strlen(body);
    request->body = arena_copy(&asked->call.arena, body, request->body_length);
    assert_non_null(request->body);
}

/* Dispatches without waiting. */
static inline void asked_start(struct asked *asked)
{
    if (dispatch(&asked->call))
        asked_ready(&asked->call);
}

/* Waits for the reply of a started call; its status. */
static inline int asked_wait(struct asked *asked)
{
    pthread_mutex_lock(&asked->lock);
    while (!asked->ready)
        pthread_cond_wait(&asked->done, &asked->lock);
    pthread_mutex_unlock(&asked->lock);
    return asked->call.reply.status;
}

static inline int asked_send(struct asked *asked)
{
    asked_start(asked);
    return asked_wait(asked);
}

static inline void asked_drop(struct asked *asked)
{
    dispatch_release(&asked->call);
    arena_release(&asked->call.arena);
    pthread_mutex_destroy(&asked->lock);
    pthread_cond_destroy(&asked->done);
    free(asked);
}

/* The value of a reply's header, NULL when it has none. */
static inline const char *asked_reply_header(const struct asked *asked, const char *name)
{
    const struct reply *reply = &asked->call.reply;

    for (size_t i = 0; i < reply->n_headers; i++)
        if (strcmp(reply->header[i].name, name) == 0)
            return reply->header[i].value;
    return NULL;
}

/* Whether the reply's body holds the text. */
static inline bool asked_says(const struct asked *asked, const char *text)
{
    const struct reply *reply = &asked->call.reply;

    return reply->body != NULL && memmem(reply->body, reply->length, text, strlen(text)) != NULL;
}

/* One GET; its status. */
static inline int served_get(struct served *served, const char *target)
{
    struct asked *asked = asked_make(served, "GET", target);
    int status = asked_send(asked);

    asked_drop(asked);
    return status;
}

#endif
