/* The schemas of the OpenAPI document: of fields, of tables, of answers. */
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "db/filter.h"
#include "server/assets.h"
#include "server/json_string.h"
#include "server/number.h"
#include "server/openapi.h"
#include "server/predict_query.h"
#include "server/tables.h"

enum { NAME_BYTES = 64, REFERENCE_BYTES = 100 };

/* How each kind is written: its JSON type, and what a query string may hold besides numbers. */
static const struct {
    const char *type, *query_pattern;
} kinds[] = {
    [FIELD_NUMBER] = {"number", NULL},
    [FIELD_COUNT] = {"number", "^[0-9.]+([eE][+-]?[0-9]+)?[KMBT]$"},
    [FIELD_BYTES] = {"number", "^[0-9.]+([eE][+-]?[0-9]+)?([kMGT]?B|[KMGT]iB)$"},
    [FIELD_DURATION] = {"number", "^[0-9.]+([eE][+-]?[0-9]+)?[smhdw]$"},
    [FIELD_INTEGER] = {"integer", NULL},
    [FIELD_BOOL] = {"boolean", NULL},
    [FIELD_TEXT] = {"string", NULL},
    [FIELD_CHOICE] = {"string", NULL},
    [FIELD_NUMBERS] = {"array", NULL},
    [FIELD_TIME] = {"string", NULL},
    [FIELD_REFERENCE] = {"string", NULL},
};

static bool is_number(enum field_kind kind)
{
    return strcmp(kinds[kind].type, "number") == 0 || kind == FIELD_INTEGER;
}

/* The range of a number, as the decoder keeps it. */
static void write_range(struct out *out, const struct field *field)
{
    struct field_limits limits = field_limits(field);

    if (isfinite(limits.lower))
        out_number(out, limits.exclusive ? "exclusiveMinimum" : "minimum", limits.lower);
    if (isfinite(limits.upper))
        out_number(out, "maximum", limits.upper);
}

static void write_type(struct out *out, const char *type, bool nullable)
{
    if (!nullable) {
        out_text(out, "type", type);
        return;
    }
    out_array_begin(out, "type");
    out_text(out, NULL, type);
    out_text(out, NULL, "null");
    out_array_end(out);
}

static void write_choices(struct out *out, const struct field *field, bool nullable)
{
    out_array_begin(out, "enum");
    for (size_t i = 0; field->choices[i] != NULL; i++)
        out_text(out, NULL, field->choices[i]);
    if (nullable)
        out_null(out, NULL);
    out_array_end(out);
}

static void write_number(struct out *out, const struct field *field, bool nullable)
{
    write_type(out, field->whole ? "integer" : kinds[field->kind].type, nullable);
    write_range(out, field);
}

/* A number as a query string may write it: plain, or with a suffix. */
static void write_suffixed(struct out *out, const struct field *field)
{
    out_array_begin(out, "anyOf");
    out_object_begin(out, NULL);
    write_number(out, field, false);
    out_object_end(out);
    out_object_begin(out, NULL);
    out_text(out, "type", "string");
    out_text(out, "pattern", kinds[field->kind].query_pattern);
    out_object_end(out);
    out_array_end(out);
}

static void write_numbers(struct out *out, const struct field *field, enum openapi_place place)
{
    const struct field one = {.kind = field->of,
                              .min = field->min,
                              .max = field->max,
                              .min_exclusive = field->min_exclusive};

    write_type(out, kinds[field->kind].type, place == OPENAPI_IN_BODY && !field->required);
    out_integer(out, "minItems", 1);
    out_integer(out, "maxItems", FIELD_NUMBERS_MAX);
    out_object_begin(out, "items");
    if (place == OPENAPI_IN_QUERY && kinds[one.kind].query_pattern != NULL)
        write_suffixed(out, &one);
    else
        write_number(out, &one, false);
    out_object_end(out);
}

/* The keywords of a field of a kind that has a JSON type. */
static void write_keywords(struct out *out, const struct field *field, bool nullable)
{
    if (field->kind == FIELD_CHOICE) {
        write_choices(out, field, nullable);
        return;
    }
    if (is_number(field->kind)) {
        write_number(out, field, nullable);
        return;
    }
    write_type(out, kinds[field->kind].type, nullable);
    if (field->kind == FIELD_TIME)
        out_text(out, "format", "date-time");
    else if (field->kind == FIELD_TEXT || field->kind == FIELD_REFERENCE) {
        if (field->min > 0)
            out_integer(out, "minLength", (int64_t)field->min);
        if (field->max > 0)
            out_integer(out, "maxLength", (int64_t)field->max);
    }
}

/* A default that is a value of the field's type; others are words for the description. */
static bool fallback_is_value(const struct field *field)
{
    double number;

    if (field->fallback == NULL)
        return false;
    return !is_number(field->kind) ||
           number_read(field->fallback, strlen(field->fallback), &number);
}

static void write_default(struct out *out, const struct field *field)
{
    if (!fallback_is_value(field))
        return;
    if (is_number(field->kind) || field->kind == FIELD_BOOL)
        out_raw(out, "default", field->fallback, strlen(field->fallback));
    else
        out_text(out, "default", field->fallback);
}

void openapi_write_description(struct out *out, const struct field *field)
{
    char text[600];
    int length = snprintf(text, sizeof text, "%s", field->help);

    if (field->unit != NULL && length > 0 && (size_t)length < sizeof text)
        length += snprintf(text + length, sizeof text - (size_t)length, " Unit: %s.", field->unit);
    if (field->fallback != NULL && !fallback_is_value(field) && length > 0 &&
        (size_t)length < sizeof text)
        snprintf(text + length, sizeof text - (size_t)length, " Default: %s.", field->fallback);
    out_text(out, "description", text);
}

/* A field described by a schema of its own; null beside it where that stands for absent. */
static void write_named(struct out *out, const char *schema, bool nullable)
{
    char reference[REFERENCE_BYTES];

    if (!nullable) {
        snprintf(reference, sizeof reference, "#/components/schemas/%s", schema);
        out_text(out, "$ref", reference);
        return;
    }
    out_array_begin(out, "anyOf");
    openapi_write_reference(out, NULL, "schemas", schema);
    out_object_begin(out, NULL);
    out_text(out, "type", "null");
    out_object_end(out);
    out_array_end(out);
}

void openapi_write_field(struct out *out, const char *name, const struct field *field,
                         enum openapi_place place)
{
    bool in_body = place == OPENAPI_IN_BODY, nullable = in_body && !field->required;

    out_object_begin(out, name);
    if (in_body)
        openapi_write_description(out, field);
    if (field->schema != NULL)
        write_named(out, field->schema, nullable);
    else if (in_body && field->kind == FIELD_REFERENCE)
        write_named(out, "FitReference", nullable);
    else if (!in_body && kinds[field->kind].query_pattern != NULL)
        write_suffixed(out, field);
    else if (field->kind == FIELD_NUMBERS)
        write_numbers(out, field, place);
    else
        write_keywords(out, field, nullable);
    write_default(out, field);
    out_object_end(out);
}

void openapi_write_table(struct out *out, const char *name, const struct field *table, size_t rows,
                         bool partial)
{
    out_object_begin(out, name);
    out_text(out, "type", "object");
    out_array_begin(out, "required");
    for (size_t i = 0; i < rows; i++)
        if (table[i].required && !partial)
            out_text(out, NULL, table[i].name);
    out_array_end(out);
    out_object_begin(out, "properties");
    for (size_t i = 0; i < rows; i++)
        openapi_write_field(out, table[i].name, &table[i], OPENAPI_IN_BODY);
    out_object_end(out);
    out_bool(out, "additionalProperties", false);
    out_object_end(out);
}

/* One value of a filter, or several. */
static void write_filter_values(struct out *out, const char *name, const char *type)
{
    out_object_begin(out, name);
    out_array_begin(out, "anyOf");
    out_object_begin(out, NULL);
    out_text(out, "type", type);
    out_object_end(out);
    out_object_begin(out, NULL);
    out_text(out, "type", "array");
    out_integer(out, "minItems", 1);
    out_integer(out, "maxItems", FILTER_VALUES_MAX);
    out_object_begin(out, "items");
    out_text(out, "type", type);
    out_object_end(out);
    out_object_end(out);
    out_array_end(out);
    out_object_end(out);
}

/* The filters as an object: `where` of a fit, and, taken apart, the query of a list. */
static void write_where(struct out *out)
{
    static const char *const types[] = {[FILTER_NUMBER] = "number",
                                        [FILTER_INTEGER] = "integer",
                                        [FILTER_TEXT] = "string",
                                        [FILTER_BOOL] = "boolean",
                                        [FILTER_TIME] = "string"};

    out_object_begin(out, "Where");
    out_text(out, "description",
             "field: value or [values]; field_min, field_max, inclusive; tag.NAME: value or "
             "[values]. All must hold.");
    out_text(out, "type", "object");
    out_object_begin(out, "properties");
    for (size_t i = 0; i < filter_field_count(); i++) {
        const struct filter_field *field = filter_field_at(i);

        write_filter_values(out, field->name, types[field->kind]);
        for (int end = 0; end < 2; end++) {
            char name[NAME_BYTES];

            if (field->kind == FILTER_TEXT || field->kind == FILTER_BOOL)
                continue;
            snprintf(name, sizeof name, "%s_%s", field->name, end == 0 ? "min" : "max");
            out_object_begin(out, name);
            out_text(out, "type", types[field->kind]);
            out_object_end(out);
        }
    }
    out_object_end(out);
    out_object_begin(out, "patternProperties");
    write_filter_values(out, "^tag\\..+$", "string");
    out_object_end(out);
    out_integer(out, "maxProperties", FILTER_TERMS_MAX);
    out_bool(out, "additionalProperties", false);
    out_object_end(out);
}

/* The next member of a checked JSON object: *at stands behind the brace or the last member. */
static bool next_member(const char **at, const char *end, const char **ret_name,
                        size_t *ret_name_length, const char **ret_value, size_t *ret_length)
{
    const char *name = json_skip_space(*at, end), *stop;

    if (name < end && *name == ',')
        name = json_skip_space(name + 1, end);
    if (name == end || *name != '"')
        return false;
    stop = json_skip_value(name, end);
    *ret_name = name + 1;
    *ret_name_length = (size_t)(stop - name) - 2;
    *ret_value = json_skip_space(json_skip_space(stop, end) + 1, end); /* past the colon */
    *at = json_skip_value(*ret_value, end);
    *ret_length = (size_t)(*at - *ret_value);
    return true;
}

/* A name inside the document, terminated. */
static const char *copy_name(char room[NAME_BYTES], const char *name, size_t length)
{
    assert(length < NAME_BYTES);
    memcpy(room, name, length);
    room[length] = '\0';
    return room;
}

/* A schema without its `required`: what is left of it when `fields` picks members. */
static void write_part(struct out *out, const char *name, const char *schema, size_t length)
{
    const char *at = schema + 1, *member, *value;
    size_t member_length, value_length;
    char room[NAME_BYTES];

    out_object_begin(out, name);
    while (next_member(&at, schema + length, &member, &member_length, &value, &value_length)) {
        copy_name(room, member, member_length);
        if (strcmp(room, "required") != 0) {
            out_raw(out, room, value, value_length);
            continue;
        }
        out_array_begin(out, "required");
        out_array_end(out);
    }
    out_object_end(out);
}

/* The page of a list of items. */
static void write_page(struct out *out, const char *name, const char *item, bool partial)
{
    out_object_begin(out, name);
    out_text(out, "type", "object");
    out_array_begin(out, "required");
    if (!partial) {
        out_text(out, NULL, "items");
        out_text(out, NULL, "next_cursor");
    }
    out_array_end(out);
    out_object_begin(out, "properties");
    out_object_begin(out, "items");
    out_text(out, "type", "array");
    openapi_write_reference(out, "items", "schemas", item);
    out_object_end(out);
    out_object_begin(out, "next_cursor");
    write_type(out, "string", true);
    out_text(out, "pattern", "^[A-Za-z0-9_-]+$");
    out_text(out, "description", "For `cursor` of the next page; null at the end.");
    out_object_end(out);
    out_object_end(out);
    out_bool(out, "additionalProperties", false);
    out_object_end(out);
}

bool openapi_takes_fields(const struct route *route)
{
    size_t length = strlen("fields");

    return route->reply_schema != NULL &&
           (field_find(route->query, route->n_query, "fields", length) < route->n_query ||
            field_find(route->body, route->n_body, "fields", length) < route->n_body);
}

/* Whether a schema is answered by a route, itself or as the items of a page; and in part. */
static bool is_answered(const char *schema, const char *ending, bool only_partial)
{
    char name[NAME_BYTES];

    snprintf(name, sizeof name, "%s%s", schema, ending);
    for (size_t i = 0; i < route_count(); i++)
        if (route_at(i)->reply_schema != NULL && strcmp(route_at(i)->reply_schema, name) == 0 &&
            (!only_partial || openapi_takes_fields(route_at(i))))
            return true;
    return false;
}

/* What follows from one schema of schemas.json: its page, and their partial forms. */
static void write_derived(struct out *out, const char *name, const char *schema, size_t length)
{
    char part[NAME_BYTES + 8], page[NAME_BYTES + 8], page_part[NAME_BYTES + 8];

    snprintf(part, sizeof part, "%sPart", name);
    snprintf(page, sizeof page, "%sPage", name);
    snprintf(page_part, sizeof page_part, "%sPagePart", name);
    if (is_answered(name, "", true) || is_answered(name, "Page", true))
        write_part(out, part, schema, length);
    if (is_answered(name, "Page", false)) {
        write_page(out, page, name, false);
        write_page(out, page_part, part, true);
    }
}

void openapi_write_schemas(struct out *out)
{
    const struct asset *asset = asset_find("server/schemas.json");
    const char *at, *end, *name, *value;
    size_t name_length, length;

    assert(asset != NULL);
    end = asset->data + asset->length;
    for (at = json_skip_space(asset->data, end) + 1;
         next_member(&at, end, &name, &name_length, &value, &length);) {
        char room[NAME_BYTES];

        copy_name(room, name, name_length);
        out_raw(out, room, value, length);
        write_derived(out, room, value, length);
    }
    openapi_write_table(out, "ExperimentInput", experiment_fields, EXPERIMENT_FIELDS, false);
    openapi_write_table(out, "PredictItem", predict_fields, PREDICT_POINT_FIELDS, false);
    openapi_write_table(out, "SuggestPlan", &question_fields[QUESTION_TARGET_FIRST],
                        QUESTION_TARGET_FIELDS, false);
    write_where(out);
}
