#include "server/problem.h"

#include <string.h>
#include <strings.h>

#include "server/out.h"

static const int statuses[] = {
    [ERR_OK] = 500, /* an error without a code is our bug */
    [ERR_INVALID] = 400,
    [ERR_UNBOUNDED] = 400,
    [ERR_UNAUTHORIZED] = 401,
    [ERR_FORBIDDEN] = 403,
    [ERR_NOT_FOUND] = 404,
    [ERR_STUDY_NOT_FOUND] = 404,
    [ERR_EXPERIMENT_NOT_FOUND] = 404,
    [ERR_FIT_NOT_FOUND] = 404,
    [ERR_LAW_NOT_FOUND] = 404,
    [ERR_METHOD_NOT_ALLOWED] = 405,
    [ERR_NOT_ACCEPTABLE] = 406,
    [ERR_TIMEOUT] = 408,
    [ERR_CONFLICT] = 409,
    [ERR_STUDY_NOT_EMPTY] = 409,
    [ERR_FIT_IN_USE] = 409,
    [ERR_READ_ONLY] = 403,
    [ERR_PRECONDITION_FAILED] = 412,
    [ERR_TOO_LARGE] = 413,
    [ERR_UNSUPPORTED_MEDIA_TYPE] = 415,
    [ERR_INFEASIBLE] = 422,
    [ERR_TOO_FEW_EXPERIMENTS] = 422,
    [ERR_NOT_IDENTIFIABLE] = 422,
    [ERR_UNSUPPORTED] = 422,
    [ERR_CANCELLED] = 409,
    [ERR_TOO_MANY_REQUESTS] = 429,
    [ERR_UNAVAILABLE] = 503,
    [ERR_STORAGE_FULL] = 507,
    [ERR_NO_MEMORY] = 413,
    [ERR_INTERNAL] = 500,
};
_Static_assert(sizeof statuses / sizeof statuses[0] == ERR_CODE_COUNT, "one status per err_code");

static const char retry_after_s[] = "2";

int problem_status(enum err_code code)
{
    return statuses[code];
}

static void write_field(struct out *out, const struct err_field *field)
{
    out_object_begin(out, NULL);
    switch (field->place) {
    case ERR_AT_POINTER:
        out_text(out, "pointer", field->name);
        break;
    case ERR_AT_PARAMETER:
        out_text(out, "parameter", field->name);
        break;
    case ERR_AT_CELL:
        out_integer(out, "row", (int64_t)field->row);
        out_text(out, "column", field->name);
        break;
    }
    out_text(out, "detail", field->detail);
    out_object_end(out);
}

static enum err_code write_document(struct call *call, enum err_code code, const char **ret_text,
                                    size_t *ret_length)
{
    const struct err *err = &call->err;
    struct out out;

    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    out_text(&out, "type", arena_printf(&call->arena, "/docs#%s", err_name(code)));
    out_text(&out, "title", err_title(code));
    out_integer(&out, "status", problem_status(code));
    out_text(&out, "detail", *err->detail != '\0' ? err->detail : err_title(code));
    out_text(&out, "code", err_name(code));
    if (err->first != NULL) {
        out_array_begin(&out, "errors");
        for (const struct err_field *field = err->first; field != NULL; field = field->next)
            write_field(&out, field);
        out_array_end(&out);
    }
    if (err->n_dropped > 0)
        out_integer(&out, "errors_left_out", (int64_t)err->n_dropped);
    out_text(&out, "request_id", call->id);
    out_object_end(&out);
    return out_finish(&out, ret_text, ret_length, &(struct err){.code = ERR_OK});
}

/* What a handler put there for its success must not decorate its failure. */
static void keep_headers(struct reply *reply)
{
    static const char *const kept[] = {"Allow", "WWW-Authenticate", "Retry-After",
                                       "Accept-Encoding"};
    size_t n = 0;

    for (size_t i = 0; i < reply->n_headers; i++)
        for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++)
            if (strcasecmp(reply->header[i].name, kept[k]) == 0) {
                reply->header[n++] = reply->header[i];
                break;
            }
    reply->n_headers = n;
}

static bool has_header(const struct reply *reply, const char *name)
{
    for (size_t i = 0; i < reply->n_headers; i++)
        if (strcasecmp(reply->header[i].name, name) == 0)
            return true;
    return false;
}

void problem_reply(struct call *call, enum err_code code)
{
    static const char no_memory[] =
        "{\"type\":\"/docs#no_memory\",\"title\":\"The answer needs more memory than allowed\","
        "\"status\":413,\"detail\":\"the answer needs more memory than allowed\","
        "\"code\":\"no_memory\"}";
    struct reply *reply = &call->reply;
    const char *text;
    size_t length;

    if (reply->stream != NULL && reply->stream->close != NULL)
        reply->stream->close(reply->stream->ctx);
    keep_headers(reply);
    reply->status = problem_status(code);
    reply->content_type = "application/problem+json";
    reply->body = no_memory;
    reply->length = sizeof no_memory - 1;
    reply->gzip = NULL;
    reply->etag = NULL;
    reply->stream = NULL;
    reply->no_store = true;
    if (write_document(call, code, &text, &length) == ERR_OK) {
        reply->body = text;
        reply->length = length;
    } else {
        reply->status = problem_status(ERR_NO_MEMORY);
    }
    if (reply->status == 401 && !has_header(reply, "WWW-Authenticate"))
        reply_header(call, "WWW-Authenticate", "Bearer realm=\"moeplan\"");
    if ((reply->status == 429 || reply->status == 503) && !has_header(reply, "Retry-After"))
        reply_header(call, "Retry-After", retry_after_s);
}
