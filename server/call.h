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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"

struct app;
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

struct request {
    enum method method;
    const char *method_name;
    const char *path;  /* percent-decoded once, checked UTF-8 without NUL */
    const char *query; /* raw; NULL when there is none */
    /* The value of a header, case-insensitive; NULL when absent. */
    const char *(*header)(void *ctx, const char *name);
    void *header_ctx;
    char *body; /* the handler may write in it */
    size_t body_length;
    const char *peer; /* address as text, for the log */
};

enum { REPLY_HEADERS_MAX = 8, CALL_PATH_PARAMS_MAX = 4 };

/* A body produced piece by piece. read fills at most room bytes and returns how many: 0 is the end,
 * -1 a failure (the connection is cut, so that a truncated body cannot look whole). */
struct reply_stream {
    long (*read)(void *ctx, char *buffer, size_t room);
    void (*close)(void *ctx);
    void *ctx;
};

struct reply {
    int status;
    const char *content_type;
    const char *body; /* in the call's arena, or static */
    size_t length;
    bool is_static;   /* body outlives the process: no copy, ETag may be kept */
    bool no_store;    /* neither ETag nor cache */
    const char *etag; /* computed already (static assets); NULL: from the body */
    size_t n_headers;
    struct {
        const char *name, *value;
    } header[REPLY_HEADERS_MAX];
    struct reply_stream *stream; /* instead of a body; NULL */
};

struct call {
    struct app *app;
    const struct route *route;
    struct request request;
    struct reply reply;
    struct arena arena;
    struct err err;
    char id[33]; /* X-Request-Id */
    size_t n_path_params;
    const char *path_param[CALL_PATH_PARAMS_MAX]; /* in order of the {…} in the route's path */
    struct snapshot *snapshot;                    /* inline and fit lanes: held for the call */
    struct store *store;                          /* reader, writer and fit lanes */
    int64_t started_us, now_us;                   /* monotonic; wall clock */
    /* Called once, on any thread, when a deferred reply is ready. */
    void (*ready)(struct call *call);
    void *transport;
    struct call *next; /* a lane's queue */
};

/* Reply helpers. The body must outlive the call: arena or static. */
void reply_json(struct call *call, int status, const char *body, size_t length);
void reply_header(struct call *call, const char *name, const char *value);
const char *request_header(const struct request *request, const char *name);

#endif
