/* route: the route table, and dispatch over it on plain structs.
 *
 * A route is one row here and one function in its handler's file. 404, 405 with Allow, HEAD,
 * OPTIONS, scopes, media types, conditional requests and /openapi.json all come from the table.
 */
#ifndef MOEPLAN_SERVER_ROUTE_H
#define MOEPLAN_SERVER_ROUTE_H

#include "server/call.h"
#include "server/field.h"

/* Where a handler runs. */
enum lane {
    LANE_INLINE, /* on the event thread, from the snapshot: no disk, no lock, microseconds */
    LANE_READER, /* on a reader thread with call->store read-only */
    LANE_WRITER, /* on the writer thread inside its transaction: replied after the group commit */
    LANE_FIT,    /* on a fit thread: seconds; persists through writer_run */
};

enum { ROUTE_STATUSES_MAX = 12 };

struct route {
    enum method method;
    const char *path; /* "/v1/experiments/{id}" */
    enum lane lane;
    enum scope scope; /* what a token must grant, when tokens are configured */
    enum err_code (*handler)(struct call *call);
    const char *operation;     /* operationId, "listExperiments" */
    const char *help;          /* one line */
    const struct field *query; /* the query parameters it takes */
    size_t n_query;
    bool filters;             /* takes the filter parameters too */
    const struct field *body; /* the JSON object it takes, NULL when none or when body_schema */
    size_t n_body;
    const char *body_schema;  /* name of a schema in openapi components, NULL when none */
    const char *body_types;   /* media types accepted, comma-separated; NULL: no body */
    const char *reply_schema; /* name of a schema in openapi components; NULL: not JSON */
    const char *reply_types;  /* other media types it answers, comma-separated; NULL: only JSON */
    const char *statuses;     /* every status it may answer, "200,400,404" */
};

size_t route_count(void);
const struct route *route_at(size_t index);

/* Finds the row and the path parameters (into the arena). NULL with *ret_allow empty: 404; with
 * methods in it ("GET, HEAD, OPTIONS"): 405. HEAD finds GET's row. */
const struct route *route_find(enum method method, const char *path, struct arena *arena,
                               const char **ret_params, size_t *ret_n_params,
                               const char **ret_allow);

/* Answers a call: everything but transport. Either fills call->reply and returns true, or hands the
 * call to a lane and returns false: call->ready will be called. */
bool dispatch(struct call *call);

/* The same after the handler: problem document for an error, ETag, 304, HEAD, gzip, log, metrics.
 * Lanes call it when a handler has returned. */
void dispatch_finish(struct call *call, enum err_code code);

#endif
