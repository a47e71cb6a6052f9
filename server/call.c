#include "server/call.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

/* Headers beyond n_headers need not be cleared. */
static void reply_clear(struct reply *reply)
{
    reply->status = 0;
    reply->content_type = NULL;
    reply->body = NULL;
    reply->length = 0;
    reply->gzip = NULL;
    reply->gzip_length = 0;
    reply->no_store = false;
    reply->etag = NULL;
    reply->n_headers = 0;
    reply->stream = NULL;
}

void call_init(struct call *call, struct app *app)
{
    call->app = app;
    call->route = NULL;
    call->request.method = METHOD_OTHER;
    call->request.method_name = "";
    call->request.path = "";
    call->request.query = NULL;
    call->request.n_headers = 0;
    call->request.body = NULL;
    call->request.body_length = 0;
    call->request.peer = NULL;
    reply_clear(&call->reply);
    err_init(&call->err, &call->arena);
    call->id[0] = '\0';
    call->n_path_params = 0;
    call->snapshot = NULL;
    call->store = NULL;
    call->started_us = call->ended_us = 0;
    call->now_us = 0;
    call->shard = 0;
    call->then = NULL;
    call->then_lane = LANE_INLINE;
    atomic_init(&call->abandoned, false);
    call->ready = NULL;
    call->transport = NULL;
}

void reply_text(struct call *call, int status, const char *content_type, const char *body,
                size_t length)
{
    call->reply.status = status;
    call->reply.content_type = content_type;
    call->reply.body = body;
    call->reply.length = length;
}

void reply_json(struct call *call, int status, const char *body, size_t length)
{
    reply_text(call, status, "application/json", body, length);
}

void reply_header(struct call *call, const char *name, const char *value)
{
    struct reply *reply = &call->reply;

    assert(reply->n_headers < REPLY_HEADERS_MAX);
    if (reply->n_headers == REPLY_HEADERS_MAX)
        return;
    reply->header[reply->n_headers].name = name;
    reply->header[reply->n_headers].value = value;
    reply->n_headers++;
}

void reply_with_stream(struct call *call, int status, const char *content_type,
                       struct reply_stream *stream)
{
    reply_text(call, status, content_type, NULL, 0);
    call->reply.stream = stream;
}

const char *request_header(const struct request *request, const char *name)
{
    for (size_t i = 0; i < request->n_headers; i++) {
        const struct header *header = &request->header[i];

        /* The first letter, whatever its case, rules out most without a call. */
        if (((header->name[0] ^ name[0]) & ~0x20) == 0 && strcasecmp(header->name, name) == 0)
            return header->value;
    }
    return NULL;
}

void call_continue(struct call *call, enum lane lane, call_handler *handler)
{
    call->then = handler;
    call->then_lane = lane;
}
