#include "server/dispatch.h"

#include <string.h>
#include <strings.h>

#include "server/app.h"
#include "server/auth.h"
#include "server/jobs.h"
#include "server/log.h"
#include "server/media.h"
#include "server/metrics.h"
#include "server/percent.h"
#include "server/precondition.h"
#include "server/problem.h"
#include "server/process.h"
#include "server/reply.h"
#include "server/route.h"
#include "server/site.h"
#include "server/snapshot.h"
#include "server/writer.h"

/* A client's id is taken over when it can stand in a log and a header as it is. */
static void take_client_id(struct call *call)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    const char *id = request_header(&call->request, "X-Request-Id");
    size_t length = id != NULL ? strlen(id) : 0;

    if (length > 0 && length < CALL_ID_BYTES && strspn(id, allowed) == length)
        memcpy(call->id, id, length + 1);
}

static enum err_code check_host(struct call *call)
{
    const char *host;

    if (!call->app->listening_loopback)
        return ERR_OK;
    host = request_header(&call->request, "Host");
    if (host == NULL || site_is_local_host(host, call->app->options.allow_hosts))
        return ERR_OK;
    return err_set(&call->err, ERR_FORBIDDEN,
                   "Host '%.100s' is not this machine; --allow-hosts names others", host);
}

static enum err_code find_route(struct call *call)
{
    const char *path = call->request.path, *allow;

    if (*path != '/' || !percent_valid(path))
        return err_set(&call->err, ERR_INVALID, "the path is not valid: '%.100s'", path);
    call->route = route_find(call->request.method, path, &call->arena, call->path_param,
                             &call->n_path_params, &allow);
    if (call->route != NULL)
        return ERR_OK;
    if (allow == NULL)
        return err_set(&call->err, ERR_NOT_FOUND, "there is nothing at '%.200s'", path);
    reply_header(call, "Allow", allow);
    if (call->request.method == METHOD_OPTIONS) {
        call->reply.status = 204;
        return ERR_OK;
    }
    return err_set(&call->err, ERR_METHOD_NOT_ALLOWED, "%.20s is not among the methods here: %s",
                   call->request.method_name, allow);
}

/* What a browser asks before a request of another origin. */
static void answer_preflight(struct call *call)
{
    const char *allowed = call->app->options.cors_origin;
    const char *origin = request_header(&call->request, "Origin");

    if (allowed == NULL || origin == NULL || strcmp(origin, allowed) != 0 ||
        request_header(&call->request, "Access-Control-Request-Method") == NULL)
        return;
    reply_header(call, "Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
    reply_header(call, "Access-Control-Allow-Headers",
                 "Authorization, Content-Type, If-Match, If-None-Match, Prefer, X-Request-Id");
    reply_header(call, "Access-Control-Max-Age", "600");
}

static enum err_code check_site(struct call *call)
{
    const struct request *request = &call->request;

    if (call->route->method == METHOD_GET ||
        !site_is_cross(request_header(request, "Host"), request_header(request, "Origin"),
                       request_header(request, "Sec-Fetch-Site"), call->app->options.cors_origin))
        return ERR_OK;
    return err_set(&call->err, ERR_FORBIDDEN,
                   "writes from another site are refused; --cors-origin allows one");
}

static enum err_code check_token(struct call *call)
{
    const char *challenge = NULL;
    enum err_code code =
        auth_check(call->app->auth, request_header(&call->request, "Authorization"),
                   call->route->scope, &challenge, &call->err);

    if (code == ERR_UNAUTHORIZED)
        reply_header(call, "WWW-Authenticate", challenge);
    return code;
}

/* Bodies come as they are: a compressed one may be a bomb, and no client needs it here. */
static enum err_code check_body_headers(struct call *call)
{
    const struct request *request = &call->request;
    size_t types = 0;

    for (size_t i = 0; i < request->n_headers; i++) {
        const struct header *header = &request->header[i];

        if (strcasecmp(header->name, "Content-Type") == 0 && types++ > 0)
            return err_set(&call->err, ERR_INVALID, "there are two Content-Types");
        if (strcasecmp(header->name, "Content-Encoding") == 0 &&
            strcasecmp(header->value, "identity") != 0) {
            reply_header(call, "Accept-Encoding", "identity");
            return err_set(&call->err, ERR_UNSUPPORTED_MEDIA_TYPE,
                           "the body must come as it is, without the Content-Encoding '%.100s'",
                           header->value);
        }
    }
    return ERR_OK;
}

static enum err_code check_body_type(struct call *call)
{
    const char *types = call->route->body_types;
    const char *type = request_header(&call->request, "Content-Type");
    size_t length;
    enum err_code code;

    if (call->request.body_length == 0)
        return ERR_OK;
    if (types == NULL)
        return err_set(&call->err, ERR_INVALID, "%s %s takes no body", call->request.method_name,
                       call->route->path);
    code = check_body_headers(call);
    if (code != ERR_OK)
        return code;
    if (media_find(type, types, &length) != NULL)
        return ERR_OK;
    return err_set(&call->err, ERR_UNSUPPORTED_MEDIA_TYPE,
                   type != NULL ? "the body may be %s in UTF-8, not '%.100s'"
                                : "the body needs a Content-Type: %s",
                   types, type);
}

/* Whether the query has the parameter `format`, which outranks Accept. */
static bool has_format(const struct call *call)
{
    const char *query = call->request.query;

    while (query != NULL && *query != '\0') {
        if (strncmp(query, "format=", 7) == 0)
            return true;
        query += strcspn(query, "&");
        query += *query == '&';
    }
    return false;
}

static enum err_code check_reply_type(struct call *call)
{
    const char *accept = request_header(&call->request, "Accept");
    const char *types = call->route->reply_types;

    if (accept == NULL || strcmp(accept, "*/*") == 0)
        return ERR_OK;
    if (call->route->reply_schema != NULL &&
        media_quality(accept, "application/json", strlen("application/json")) > 0)
        return ERR_OK;
    if (call->route->reply_schema == NULL && types == NULL)
        return ERR_OK; /* it answers without a body */
    for (const char *at = types; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ",");

        if (strncmp(at, "*/*", length) == 0 || media_quality(accept, at, length) > 0)
            return ERR_OK;
        at += length;
        at += *at == ',';
    }
    if (has_format(call))
        return ERR_OK;
    return err_set(&call->err, ERR_NOT_ACCEPTABLE, "this is answered as %s%s%s",
                   call->route->reply_schema != NULL ? "application/json" : "",
                   call->route->reply_schema != NULL && types != NULL ? "," : "",
                   types != NULL ? types : "");
}

/* Runs the handler here, or hands the call to its lane. True: the reply is finished. */
static bool start(struct call *call, enum lane lane, call_handler *handler)
{
    struct app *app = call->app;
    enum err_code code = ERR_OK;

    switch (lane) {
    case LANE_INLINE:
        if (call->snapshot == NULL)
            call->snapshot = snapshot_acquire(app->snapshots);
        return dispatch_run(call, handler);
    case LANE_READER:
    case LANE_FIT:
        code = jobs_submit(app->jobs, lane, call, handler, &call->err);
        break;
    case LANE_WRITER:
        code = writer_submit(app->writer, call, handler, &call->err);
        break;
    }
    if (code != ERR_OK)
        dispatch_finish(call, code);
    return code != ERR_OK;
}

static void begin(struct call *call)
{
    if (call->started_us == 0)
        call->started_us = process_monotonic_us();
    metrics_begin(call->app->metrics, call->shard);
    take_client_id(call);
}

bool dispatch(struct call *call)
{
    static enum err_code (*const checks[])(struct call * call) = {
        check_site, check_token, check_body_type, check_reply_type};
    enum err_code code;

    begin(call);
    code = check_host(call);
    if (code == ERR_OK)
        code = find_route(call);
    if (code == ERR_OK && call->route == NULL) {
        answer_preflight(call);
        dispatch_finish(call, ERR_OK);
        return true;
    }
    for (size_t i = 0; code == ERR_OK && i < sizeof checks / sizeof checks[0]; i++)
        code = checks[i](call);
    if (code != ERR_OK) {
        dispatch_finish(call, code);
        return true;
    }
    if (call->route->method != METHOD_GET) /* what is read does not ask when */
        call->now_us = process_wall_us();
    return start(call, call->route->lane,
                 call->route->lane == LANE_WRITER && precondition_is_asked(call)
                     ? precondition_run
                     : call->route->handler);
}

void dispatch_refuse(struct call *call, enum err_code code)
{
    begin(call);
    dispatch_finish(call, code);
}

bool dispatch_run(struct call *call, call_handler *handler)
{
    enum err_code code = handler(call);

    if (code == ERR_OK && call->then != NULL)
        return dispatch_continue(call);
    dispatch_finish(call, code);
    return true;
}

bool dispatch_continue(struct call *call)
{
    call_handler *handler = call->then;

    call->then = NULL;
    call->store = NULL;
    return start(call, call->then_lane, handler);
}

static void log_error(const struct call *call, enum err_code code, int status, int64_t duration_us)
{
    struct log_line line;

    log_begin(&line, call->app->log, status >= 500 ? LOG_ERROR : LOG_WARN, "request failed");
    log_text(&line, "request_id", call->id);
    log_integer(&line, "status", status);
    log_text(&line, "code", err_name(code));
    log_text(&line, "method", call->request.method_name);
    log_text(&line, "path", call->request.path);
    log_text(&line, "query", call->request.query);
    log_text(&line, "peer", call->request.peer);
    log_integer(&line, "duration_us", duration_us);
    log_text(&line, "detail", call->err.detail);
    log_end(&line);
}

static void log_access(const struct call *call, int64_t duration_us)
{
    struct log_line line;

    log_begin(&line, call->app->log, LOG_INFO, "request");
    log_text(&line, "request_id", call->id);
    log_integer(&line, "status", call->reply.status);
    log_text(&line, "method", call->request.method_name);
    log_text(&line, "path", call->request.path);
    log_text(&line, "peer", call->request.peer);
    log_integer(&line, "duration_us", duration_us);
    log_integer(&line, "bytes", (int64_t)call->reply.length);
    log_end(&line);
}

void dispatch_finish(struct call *call, enum err_code code)
{
    int64_t duration_us;

    call->ended_us = process_monotonic_us();
    duration_us = call->ended_us - call->started_us;
    call->store = NULL;
    if (code != ERR_OK)
        problem_reply(call, code);
    reply_complete(call);
    metrics_end(call->app->metrics, call->shard, call->route, call->reply.status, duration_us);
    if (code != ERR_OK)
        log_error(call, code, call->reply.status, duration_us);
    else if (call->app->options.access_log)
        log_access(call, duration_us);
}

void dispatch_release(struct call *call)
{
    struct reply_stream *stream = call->reply.stream;

    if (stream != NULL && stream->close != NULL)
        stream->close(stream->ctx);
    call->reply.stream = NULL;
    snapshot_release(call->snapshot);
    call->snapshot = NULL;
}
