#include "server/precondition.h"

#include <string.h>

#include "server/app.h"
#include "server/etag.h"
#include "server/media.h"
#include "server/route.h"
#include "server/snapshot.h"

bool precondition_is_asked(const struct call *call)
{
    switch (call->request.method) {
    case METHOD_PUT:
    case METHOD_PATCH:
    case METHOD_DELETE:
        return request_header(&call->request, "If-Match") != NULL ||
               request_header(&call->request, "If-None-Match") != NULL;
    default:
        return false;
    }
}

/* Runs GET's handler in place of the write and takes the tag of its answer; *ret_exists is false,
 * without an error, where GET answers 404. The call is as before afterwards. */
static enum err_code current_tag(struct call *call, const struct route *get,
                                 char ret_tag[ETAG_BYTES], bool *ret_exists)
{
    const struct route *route = call->route;
    struct request request = call->request;
    enum err_code code;

    call->route = get;
    call->request.method = METHOD_GET;
    call->request.query = NULL;
    call->request.body = NULL;
    call->request.body_length = 0;
    call->request.n_headers = 0; /* the tag of the plain JSON form */
    call->snapshot = snapshot_acquire(call->app->snapshots);
    code = get->handler(call);
    *ret_exists = code == ERR_OK && call->reply.body != NULL;
    if (*ret_exists)
        etag_write(call->reply.body, call->reply.length, ret_tag);
    snapshot_release(call->snapshot);
    call->snapshot = NULL;
    call->route = route;
    call->request = request;
    call->reply = (struct reply){.status = 0};
    switch (code) {
    case ERR_NOT_FOUND:
    case ERR_STUDY_NOT_FOUND:
    case ERR_EXPERIMENT_NOT_FOUND:
    case ERR_FIT_NOT_FOUND:
        err_init(&call->err, &call->arena);
        return ERR_OK;
    default:
        return code;
    }
}

enum err_code precondition_run(struct call *call)
{
    const char *match = request_header(&call->request, "If-Match");
    const char *none_match = request_header(&call->request, "If-None-Match");
    const char *params[CALL_PATH_PARAMS_MAX], *allow;
    char tag[ETAG_BYTES] = "", zipped[ETAG_BYTES] = "";
    size_t n_params;
    bool exists = false;
    const struct route *get =
        route_find(METHOD_GET, call->request.path, &call->arena, params, &n_params, &allow);
    enum err_code code = get != NULL ? current_tag(call, get, tag, &exists) : ERR_OK;

    if (code != ERR_OK)
        return code;
    if (exists)
        etag_of_gzip(tag, zipped);
    if (match != NULL && !(exists && (media_tag_listed(match, tag, false) ||
                                      media_tag_listed(match, zipped, false))))
        return err_set(&call->err, ERR_PRECONDITION_FAILED,
                       exists ? "it has changed: its tag is now %s" : "there is nothing here%s",
                       exists ? tag : "");
    if (none_match != NULL && exists &&
        (media_tag_listed(none_match, tag, true) || media_tag_listed(none_match, zipped, true)))
        return err_set(&call->err, ERR_PRECONDITION_FAILED, "it exists: its tag is %s", tag);
    return call->route->handler(call);
}
