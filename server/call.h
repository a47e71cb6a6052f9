/* call: one request and the reply to it, as plain structs. No sockets here: dispatch and handlers
 * are tested without libmicrohttpd.
 *
 * A call is made by the transport (server/http), answered by dispatch, and released by the
 * transport. Everything a handler allocates comes from call->arena. A handler is one blocking
 * function on the lane its route names; it fills call->reply or returns an error with call->err
 * filled, which dispatch renders as a problem document.
 */
#ifndef MOEPLAN_SERVER_CALL_H
#define MOEPLAN_SERVER_CALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

struct app;
struct call;
struct route;
struct snapshot;
struct store;

enum method {
    METHOD_GET,
    METHOD_HEAD,
    METHOD_POST,
    METHOD_PUT,
    METHOD_PATCH,
    METHOD_DELETE,
    METHOD_OPTIONS,
    METHOD_OTHER
};

enum scope { SCOPE_NONE, SCOPE_READ, SCOPE_WRITE };

/* Where a handler runs. */
enum lane {
    LANE_INLINE, /* on the event thread, from the snapshot: no disk, no lock, microseconds */
    LANE_READER, /* on a reader thread with call->store read-only */
    LANE_WRITER, /* on the writer thread inside its transaction: replied after the group commit */
    LANE_FIT,    /* on a fit thread: seconds; persists through writer_run */
};

typedef enum err_code call_handler(struct call *call);

enum {
    REQUEST_HEADERS_MAX = 64,
    REPLY_HEADERS_MAX = 16,
    CALL_PATH_PARAMS_MAX = 4,
    CALL_ID_BYTES = 65,
};

struct header {
    const char *name, *value;
};

/* Text lives as long as the call. */
struct request {
    enum method method;
    const char *method_name;
    const char *path;  /* as sent, without query: checked visible ASCII and decodable */
    const char *query; /* raw; NULL when there is none */
    size_t n_headers;
    struct header header[REQUEST_HEADERS_MAX]; /* as sent, names in any case */
    char *body;                                /* the handler may write in it */
    size_t body_length;
    const char *peer; /* address as text, for the log; NULL when unknown */
};

/* A body produced piece by piece. The transport calls read on the route's lane, never twice at the
 * same time but on any of its threads, with call->store there as for the handler; LANE_INLINE
 * routes have no streams. A client that reads slowly holds no thread. read fills at most room bytes
 * and returns how many, or one of the codes below; it is not called again after END or FAILED.
 * close is called once, whatever happened. */
enum {
    REPLY_STREAM_END = 0,
    REPLY_STREAM_FAILED = -1,       /* the connection is cut: a truncated body cannot look whole */
    REPLY_STREAM_LATER = -2,        /* nothing yet: ask again in a moment (server-sent events) */
    REPLY_STREAM_BYTES = 64 * 1024, /* room given to read */
};
struct reply_stream {
    long (*read)(struct call *call, void *ctx, char *buffer, size_t room);
    void (*close)(void *ctx); /* may be NULL */
    void *ctx;
};

struct reply {
    int status;
    const char *content_type; /* NULL without a body */
    const char *body;         /* in the call's arena, or static */
    size_t length;
    const char *gzip; /* the same body compressed already, or NULL: then dispatch compresses */
    size_t gzip_length;
    bool no_store;    /* neither ETag nor cache */
    const char *etag; /* with quotes, known already (assets); NULL: digest of the body */
    size_t n_headers;
    struct header header[REPLY_HEADERS_MAX];
    struct reply_stream *stream; /* instead of a body; in the arena; NULL */
};

struct call {
    struct app *app;
    const struct route *route;
    struct request request;
    struct reply reply;
    struct arena arena;
    struct err err;
    char id[CALL_ID_BYTES]; /* X-Request-Id: the transport's, or a well-formed one of the client */
    size_t n_path_params;
    const char *path_param[CALL_PATH_PARAMS_MAX]; /* in order of the {…} in the route's path */
    struct snapshot *snapshot;                    /* inline, reader and fit lanes */
    struct store *store;                          /* reader, writer and fit lanes */
    int64_t started_us; /* monotonic; the transport's, or dispatch's own where that is 0 */
    int64_t ended_us;   /* monotonic: when the reply was finished */
    int64_t now_us;     /* wall clock, 0 of METHOD_GET */
    unsigned shard;     /* which counters to use: the event thread */
    /* Where to go on after the handler has returned ERR_OK; see call_continue. */
    call_handler *then;
    enum lane then_lane;
    void *stage; /* what one stage leaves for the next; in the arena */
    /* Set by the transport once the client has gone: what takes long may stop. */
    atomic_bool abandoned;
    /* Called once, on any thread, when a deferred reply is ready. */
    void (*ready)(struct call *call);
    void *transport;
};

/* An empty call: nothing is freed, the arena is the caller's to init and release. */
void call_init(struct call *call, struct app *app);

/* Reply helpers. The body must outlive the call: arena or static. */
void reply_json(struct call *call, int status, const char *body, size_t length);
void reply_text(struct call *call, int status, const char *content_type, const char *body,
                size_t length);
/* At most REPLY_HEADERS_MAX; name and value must outlive the call. */
void reply_header(struct call *call, const char *name, const char *value);
/* Replies with a stream: it must be in the arena. */
void reply_with_stream(struct call *call, int status, const char *content_type,
                       struct reply_stream *stream);

/* The value of a header, case-insensitive; NULL when absent. */
const char *request_header(const struct request *request, const char *name);

/* Asks, from a handler about to return ERR_OK, to go on with another function on another lane, so
 * that no thread waits for another: read on the reader lane, compute on the fit lane, store on the
 * writer lane. What the stages share hangs at call->stage. */
void call_continue(struct call *call, enum lane lane, call_handler *handler);

#endif
