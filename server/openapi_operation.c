/* One operation of the OpenAPI document: its parameters, body and replies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/model.h"
#include "server/openapi.h"

static bool route_has_status(const struct route *route, int status)
{
    const char *at = route->statuses;

    switch (status) {
    case 400: /* the path, the query, a body where there is none */
    case 403: /* Host */
    case 408:
    case 413: /* also an answer that is too large */
    case 414:
    case 431:
    case 500:
    case 503:
        return true;
    case 401:
        return route->scope != SCOPE_NONE;
    case 406:
        return route->reply_schema != NULL || route->reply_types != NULL;
    case 415:
        return route->body_types != NULL;
    default:
        break;
    }
    while (at != NULL && *at != '\0') {
        char *end;

        if (strtol(at, &end, 10) == status)
            return true;
        at = *end == ',' ? end + 1 : end;
    }
    return false;
}

void openapi_statuses(const struct route *route, int ret[OPENAPI_STATUSES_MAX])
{
    size_t count = 0;

    for (int status = 200; status < 600; status++)
        if (*openapi_reason(status) != '\0' && route_has_status(route, status))
            ret[count++] = status;
    ret[count] = 0;
}

void openapi_write_reference(struct out *out, const char *name, const char *kind,
                             const char *component)
{
    char reference[120];

    snprintf(reference, sizeof reference, "#/components/%s/%s", kind, component);
    out_object_begin(out, name);
    out_text(out, "$ref", reference);
    out_object_end(out);
}

/* ---- Parameters ------------------------------------------------------------------------------ */

static void write_path_parameters(struct out *out, const char *path)
{
    for (const char *at = strchr(path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        char name[64];

        snprintf(name, sizeof name, "%.*s", (int)strcspn(at + 1, "}"), at + 1);
        out_object_begin(out, NULL);
        out_text(out, "name", name);
        out_text(out, "in", "path");
        out_bool(out, "required", true);
        out_object_begin(out, "schema");
        out_text(out, "type", "string");
        out_integer(out, "minLength", 1);
        out_object_end(out);
        out_object_end(out);
    }
}

static void write_query_parameters(struct out *out, const struct route *route)
{
    for (size_t i = 0; i < route->n_query; i++) {
        const struct field *field = &route->query[i];

        out_object_begin(out, NULL);
        out_text(out, "name", field->name);
        out_text(out, "in", "query");
        out_bool(out, "required", field->required);
        openapi_write_description(out, field);
        if (field->kind == FIELD_NUMBERS) {
            out_text(out, "style", "form");
            out_bool(out, "explode", false);
        }
        openapi_write_field(out, "schema", field, OPENAPI_IN_QUERY);
        out_object_end(out);
    }
    if (!route->filters)
        return;
    out_object_begin(out, NULL);
    out_text(out, "name", "filters");
    out_text(out, "in", "query");
    out_bool(out, "required", false);
    out_text(
        out, "description",
        "Each filter is a parameter of its own; several values are separated by commas: "
        "tag.router=S-Base,Dense&experts_min=2. A comma within a value is written \\, and a "
        "backslash before a comma or another one \\\\. Numbers take the suffixes K, M, B and T.");
    out_text(out, "style", "form");
    out_bool(out, "explode", true);
    openapi_write_reference(out, "schema", "schemas", "Where");
    out_object_end(out);
}

static void write_header_parameters(struct out *out, const struct route *route)
{
    if (route->method == METHOD_GET)
        openapi_write_reference(out, NULL, "parameters", "IfNoneMatch");
    if (route->lane == LANE_WRITER)
        openapi_write_reference(out, NULL, "parameters", "IfMatch");
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

static bool is_json(const char *type, size_t length)
{
    return length >= 4 && memcmp(type + length - 4, "json", 4) == 0 &&
           !(length >= 6 && memcmp(type + length - 6, "ndjson", 6) == 0);
}

static void write_text_schema(struct out *out, const char *description)
{
    out_object_begin(out, "schema");
    out_text(out, "type", "string");
    out_text(out, "description", description);
    out_object_end(out);
}

static const char *describe_text(const char *type)
{
    static const struct {
        const char *type, *description;
    } table[] = {
        {"text/csv", "RFC 4180 with a header row; an empty cell is an absent value, tags are "
                     "columns tag.NAME."},
        {"application/x-ndjson", "One JSON object a line."},
        {"text/html", "A page."},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].type, type) == 0)
            return table[i].description;
    return "Text.";
}

static void write_body_schema(struct out *out, const struct route *route)
{
    if (route->body_schema != NULL)
        openapi_write_reference(out, "schema", "schemas", route->body_schema);
    else
        openapi_write_table(out, "schema", route->body, route->n_body,
                            route->method == METHOD_PATCH);
}

/* Calls for each type of a comma-separated list. */
static void write_types(struct out *out, const char *types, const struct route *route,
                        void (*write_json)(struct out *, const struct route *))
{
    for (const char *at = types; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ",");
        char type[80];

        snprintf(type, sizeof type, "%.*s", (int)length, at);
        out_object_begin(out, type);
        if (write_json != NULL && is_json(at, length))
            write_json(out, route);
        else
            write_text_schema(out, describe_text(type));
        out_object_end(out);
        at += length + (at[length] == ',');
    }
}

static void write_request_body(struct out *out, const struct route *route)
{
    bool required = route->body_schema != NULL || route->method == METHOD_PATCH;

    if (route->body_types == NULL)
        return;
    for (size_t i = 0; i < route->n_body; i++)
        required |= route->body[i].required;
    out_object_begin(out, "requestBody");
    out_bool(out, "required", required);
    out_object_begin(out, "content");
    write_types(out, route->body_types, route, write_body_schema);
    out_object_end(out);
    out_object_end(out);
}

/* ---- Replies --------------------------------------------------------------------------------- */

static void write_reply_schema(struct out *out, const struct route *route)
{
    char part[80];

    if (!openapi_takes_fields(route)) {
        openapi_write_reference(out, "schema", "schemas", route->reply_schema);
        return;
    }
    snprintf(part, sizeof part, "%sPart", route->reply_schema);
    out_object_begin(out, "schema");
    out_text(out, "description", "Whole, or what `fields` leaves of it.");
    out_array_begin(out, "anyOf");
    openapi_write_reference(out, NULL, "schemas", route->reply_schema);
    openapi_write_reference(out, NULL, "schemas", part);
    if (route->reply_form != NULL)
        openapi_write_reference(out, NULL, "schemas", route->reply_form);
    out_array_end(out);
    out_object_end(out);
}

/* Answers from a fit that may come in a form without room for its name. */
static bool names_fit_in_headers(const struct route *route)
{
    return route->reply_types != NULL &&
           (field_find(route->query, route->n_query, "fit", 3) < route->n_query ||
            field_find(route->body, route->n_body, "fit", 3) < route->n_body);
}

static void write_reply_headers(struct out *out, const struct route *route, int status)
{
    out_object_begin(out, "headers");
    openapi_write_reference(out, "X-Request-Id", "headers", "RequestId");
    if (route->method == METHOD_GET && (status == 200 || status == 304))
        openapi_write_reference(out, "ETag", "headers", "ETag");
    if (status == 201)
        openapi_write_reference(out, "Location", "headers", "Location");
    if (status == 200 && field_find(route->query, route->n_query, "cursor", 6) < route->n_query)
        openapi_write_reference(out, "Link", "headers", "Link");
    for (size_t i = 0; i < MODEL_HEADERS && status < 400 && names_fit_in_headers(route); i++)
        openapi_write_reference(out, model_headers[i].name, "headers", model_headers[i].name);
    out_object_end(out);
}

static void write_reply(struct out *out, const struct route *route, int status)
{
    char name[12];

    snprintf(name, sizeof name, "%d", status);
    if (status >= 400) {
        openapi_write_reference(out, name, "responses", name);
        return;
    }
    out_object_begin(out, name);
    out_text(out, "description", openapi_reason(status));
    write_reply_headers(out, route, status);
    if (status < 204 && (route->reply_schema != NULL || route->reply_types != NULL)) {
        out_object_begin(out, "content");
        if (route->reply_schema != NULL)
            write_types(out, "application/json", route, write_reply_schema);
        write_types(out, route->reply_types, route, NULL);
        out_object_end(out);
    }
    out_object_end(out);
}

void openapi_tag(const char *path, char tag[OPENAPI_TAG_BYTES])
{
    const char *at = strncmp(path, "/v1/", 4) == 0 ? path + 4 : "operations";

    snprintf(tag, OPENAPI_TAG_BYTES, "%.*s", (int)strcspn(at, "/"), at);
}

void openapi_write_operation(struct out *out, const struct route *route)
{
    int found[OPENAPI_STATUSES_MAX];
    char method[8] = "", tag[OPENAPI_TAG_BYTES];

    for (size_t i = 0; i < sizeof method - 1 && method_name(route->method)[i] != '\0'; i++)
        method[i] = (char)(method_name(route->method)[i] | 0x20); /* lower case */
    openapi_tag(route->path, tag);
    out_object_begin(out, method);
    out_text(out, "operationId", route->operation);
    out_text(out, "summary", route->help);
    out_array_begin(out, "tags");
    out_text(out, NULL, tag);
    out_array_end(out);
    out_array_begin(out, "parameters");
    write_path_parameters(out, route->path);
    write_query_parameters(out, route);
    write_header_parameters(out, route);
    out_array_end(out);
    write_request_body(out, route);
    out_object_begin(out, "responses");
    openapi_statuses(route, found);
    for (size_t i = 0; found[i] != 0; i++)
        write_reply(out, route, found[i]);
    out_object_end(out);
    if (route->scope == SCOPE_NONE) {
        out_array_begin(out, "security");
        out_array_end(out);
    }
    out_object_end(out);
}
