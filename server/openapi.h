/* openapi: the document that describes every route, made from the tables that serve it.
 *
 * Paths, parameters and bodies come from the route and field tables, replies from schemas.json in
 * the binary; so the document cannot say what the server does not do.
 */
#ifndef MOEPLAN_SERVER_OPENAPI_H
#define MOEPLAN_SERVER_OPENAPI_H

#include "core/arena.h"
#include "core/err.h"
#include "server/field.h"
#include "server/out.h"
#include "server/route.h"

/* OpenAPI 3.1 as JSON text, in the arena. Made once, when the service starts. */
enum err_code openapi_make(struct arena *arena, const char **ret_text, size_t *ret_length,
                           struct err *err);

/* Every status a route may answer, ascending, 0 at the end: those of its row and those dispatch
 * gives on its own. ret has room for OPENAPI_STATUSES_MAX. */
enum { OPENAPI_STATUSES_MAX = 32 };
void openapi_statuses(const struct route *route, int ret[OPENAPI_STATUSES_MAX]);

/* The reason phrase of a status. */
const char *openapi_reason(int status);

/* Where a field stands, which decides how its value is written. */
enum openapi_place { OPENAPI_IN_QUERY, OPENAPI_IN_BODY };

/* The schema of one field as the member `name`. In bodies null stands for absent. */
void openapi_write_field(struct out *out, const char *name, const struct field *field,
                         enum openapi_place place);

/* The member `description`: help, unit, and a default that is no plain value. */
void openapi_write_description(struct out *out, const struct field *field);

/* The object schema of a table, as the member `name`. partial: nothing is required. */
void openapi_write_table(struct out *out, const char *name, const struct field *table, size_t rows,
                         bool partial);

/* {"$ref": "#/components/<kind>/<component>"} as the member `name`. */
void openapi_write_reference(struct out *out, const char *name, const char *kind,
                             const char *component);

/* The operation of a route as the member named by its method. */
void openapi_write_operation(struct out *out, const struct route *route);

/* The group of a path: the first part behind the version. */
enum { OPENAPI_TAG_BYTES = 32 };
void openapi_tag(const char *path, char tag[OPENAPI_TAG_BYTES]);

/* The members of components.schemas: schemas.json, pages of its items, the partial forms that
 * `fields` leaves, and the inputs that stand in field tables. */
void openapi_write_schemas(struct out *out);

/* Whether the route's answer can be cut down by `fields`. */
bool openapi_takes_fields(const struct route *route);

#endif
