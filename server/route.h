/* route: the table of everything the server answers, and the search in it.
 *
 * A route is one row in routes.c and one function in its handler's file. 404, 405 with Allow, HEAD,
 * OPTIONS, scopes, media types, conditional requests and /openapi.json all come from the table.
 */
#ifndef MOEPLAN_SERVER_ROUTE_H
#define MOEPLAN_SERVER_ROUTE_H

#include "server/call.h"
#include "server/field.h"

struct route {
    enum method method;
    const char *path; /* "/v1/experiments/{id}" */
    enum lane lane;
    enum scope scope; /* what a token must grant, when tokens are configured */
    call_handler *handler;
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
    const char *reply_form;   /* name of another schema that `format` makes JSON of; or NULL */
    const char *reply_types;  /* other media types it answers, comma-separated; NULL: only JSON */
    const char *statuses;     /* every status it may answer, "200,400,404" */
};

/* The table, in routes.c. */
size_t route_count(void);
const struct route *route_at(size_t index);

/* The position of a row, for counters; route_count() for NULL. */
size_t route_index(const struct route *route);

/* The row for a path as sent; its path parameters, percent-decoded, go into the arena. NULL with
 * *ret_allow NULL: 404; with methods in it ("GET, HEAD, OPTIONS"): 405. HEAD finds GET's row.
 * Segments match as decoded text; an empty one fits no {parameter}. ret_params has room for
 * CALL_PATH_PARAMS_MAX. */
const struct route *route_find(enum method method, const char *path, struct arena *arena,
                               const char **ret_params, size_t *ret_n_params,
                               const char **ret_allow);

/* "GET", …; "" for METHOD_OTHER. And back: METHOD_OTHER for a name not known, case-sensitive. */
const char *method_name(enum method method);
enum method method_find(const char *name);

#endif
