#include "server/openapi.h"

#include <stdio.h>
#include <string.h>

#include "server/answer.h"
#include "server/app.h"
#include "server/handlers.h"
#include "server/model.h"

/* Statuses that dispatch and the transport give on their own, and when. */
static const struct {
    int status;
    const char *reason;
} statuses[] = {
    {200, "The answer"},
    {201, "Made"},
    {202, "Begun"},
    {204, "Done; there is nothing to say"},
    {304, "Not modified: what If-None-Match names is still current"},
    {400, "The request itself is wrong"},
    {401, "A valid token is required"},
    {403, "Not allowed: the token's scope, the Host, another site, or something read-only"},
    {404, "There is no such thing"},
    {406, "No acceptable form of the answer"},
    {408, "The request took too long to arrive"},
    {409, "A conflict with what is stored"},
    {412, "The precondition does not hold"},
    {413, "The request, or the answer to it, is too large"},
    {414, "The URL is too long"},
    {415, "The content type is not supported"},
    {422, "The request is well-formed, but the data or the limits cannot answer it"},
    {429, "Too many requests: try again after Retry-After"},
    {431, "The headers are too many or too long"},
    {500, "An unexpected error"},
    {503, "The service cannot answer now: try again after Retry-After"},
    {507, "The storage is full"},
};

const char *openapi_reason(int status)
{
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status == status)
            return statuses[i].reason;
    return "";
}

static bool path_came_before(size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(route_at(i)->path, route_at(index)->path) == 0)
            return true;
    return false;
}

static void write_paths(struct out *out)
{
    out_object_begin(out, "paths");
    for (size_t i = 0; i < route_count(); i++) {
        if (path_came_before(i))
            continue;
        out_object_begin(out, route_at(i)->path);
        for (size_t k = i; k < route_count(); k++)
            if (strcmp(route_at(k)->path, route_at(i)->path) == 0)
                openapi_write_operation(out, route_at(k));
        out_object_end(out);
    }
    out_object_end(out);
}

static void write_tags(struct out *out)
{
    out_array_begin(out, "tags");
    for (size_t i = 0; i < route_count(); i++) {
        char tag[OPENAPI_TAG_BYTES], other[OPENAPI_TAG_BYTES];
        bool before = false;

        openapi_tag(route_at(i)->path, tag);
        for (size_t k = 0; k < i && !before; k++) {
            openapi_tag(route_at(k)->path, other);
            before = strcmp(tag, other) == 0;
        }
        if (before)
            continue;
        out_object_begin(out, NULL);
        out_text(out, "name", tag);
        out_object_end(out);
    }
    out_array_end(out);
}

/* ---- Components ------------------------------------------------------------------------------ */

static void write_header_component(struct out *out, const char *name, const char *description)
{
    out_object_begin(out, name);
    out_text(out, "description", description);
    out_object_begin(out, "schema");
    out_text(out, "type", "string");
    out_object_end(out);
    out_object_end(out);
}

static void write_parameter_component(struct out *out, const char *component, const char *name,
                                      const char *description)
{
    out_object_begin(out, component);
    out_text(out, "name", name);
    out_text(out, "in", "header");
    out_bool(out, "required", false);
    out_text(out, "description", description);
    out_object_begin(out, "schema");
    out_text(out, "type", "string");
    out_object_end(out);
    out_object_end(out);
}

static void write_problem(struct out *out, int status)
{
    char name[12];

    snprintf(name, sizeof name, "%d", status);
    out_object_begin(out, name);
    out_text(out, "description", openapi_reason(status));
    out_object_begin(out, "headers");
    openapi_write_reference(out, "X-Request-Id", "headers", "RequestId");
    if (status == 401)
        openapi_write_reference(out, "WWW-Authenticate", "headers", "WWWAuthenticate");
    if (status == 429 || status == 503)
        openapi_write_reference(out, "Retry-After", "headers", "RetryAfter");
    out_object_end(out);
    out_object_begin(out, "content");
    out_object_begin(out, "application/problem+json");
    openapi_write_reference(out, "schema", "schemas", "Problem");
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
}

static void write_components(struct out *out)
{
    out_object_begin(out, "components");
    out_object_begin(out, "schemas");
    openapi_write_schemas(out);
    out_object_end(out);
    out_object_begin(out, "responses");
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
        if (statuses[i].status >= 400)
            write_problem(out, statuses[i].status);
    out_object_end(out);
    out_object_begin(out, "headers");
    write_header_component(out, "RequestId", "The id under which an error is logged.");
    write_header_component(out, "ETag", "Strong, one per encoding; streams have none.");
    write_header_component(out, "Location", "The path of what was made.");
    write_header_component(out, "Link",
                           "rel=\"next\": the next page, while that takes at most 896 bytes; "
                           "next_cursor always leads there.");
    write_header_component(out, "RetryAfter", "Seconds to wait.");
    write_header_component(out, "WWWAuthenticate", "Bearer.");
    for (size_t i = 0; i < MODEL_HEADERS; i++)
        write_header_component(out, model_headers[i].name, model_headers[i].help);
    out_object_end(out);
    out_object_begin(out, "parameters");
    write_parameter_component(out, "IfNoneMatch", "If-None-Match",
                              "ETags the client holds: 304 if one is current.");
    write_parameter_component(out, "IfMatch", "If-Match",
                              "ETag of what is to be changed: 412 if that is not current.");
    out_object_end(out);
    out_object_begin(out, "securitySchemes");
    out_object_begin(out, "bearer");
    out_text(out, "type", "http");
    out_text(out, "scheme", "bearer");
    out_text(out, "description", "Where tokens are configured: of read or write scope.");
    out_object_end(out);
    out_object_end(out);
    out_object_end(out);
}

static void write_info(struct out *out)
{
    out_object_begin(out, "info");
    out_text(out, "title", "moeplan");
    out_text(out, "version", MOEPLAN_VERSION);
    out_text(out, "summary", "Scaling laws of mixture-of-experts models: post runs, fit, plan.");
    out_text(
        out, "description",
        "Quantities are in base units: parameters, tokens, FLOPs, bytes, seconds. Query "
        "strings also take suffixes: counts K, M, B, T; bytes B, kB, MB, GB, TB and KiB, MiB, "
        "GiB, TiB; durations s, m, h, d, w. An unknown field or parameter is an error. "
        "A list of values is a set, in which a repeat says nothing new; a name listed twice is "
        "an error.");
    out_object_begin(out, "license");
    out_text(out, "name", "MIT");
    out_text(out, "identifier", "MIT");
    out_object_end(out);
    out_object_end(out);
}

enum err_code openapi_make(struct arena *arena, const char **ret_text, size_t *ret_length,
                           struct err *err)
{
    struct out out;

    out_init(&out, arena);
    out_object_begin(&out, NULL);
    out_text(&out, "openapi", "3.1.0");
    write_info(&out);
    out_array_begin(&out, "servers");
    out_object_begin(&out, NULL);
    out_text(&out, "url", "/");
    out_object_end(&out);
    out_array_end(&out);
    out_array_begin(&out, "security");
    out_object_begin(&out, NULL); /* none, where no tokens are configured */
    out_object_end(&out);
    out_object_begin(&out, NULL);
    out_array_begin(&out, "bearer");
    out_array_end(&out);
    out_object_end(&out);
    out_array_end(&out);
    write_tags(&out);
    write_paths(&out);
    write_components(&out);
    out_object_end(&out);
    return out_finish(&out, ret_text, ret_length, err);
}

enum err_code openapi_read(struct call *call)
{
    const char *text = call->app->openapi;
    size_t length = call->app->openapi_length;
    enum err_code code = answer_no_query(call);

    if (code == ERR_OK && text == NULL)
        code = openapi_make(&call->arena, &text, &length, &call->err);
    if (code == ERR_OK)
        reply_json(call, 200, text, length);
    return code;
}
