/* field_value: one value, from text or JSON, checked and put where its field says.
 *
 * The part of field.h that knows kinds, units and ranges, and nothing of names. Faults are added to
 * the site's err at the site's place; the target is untouched then.
 */
#ifndef MOEPLAN_SERVER_FIELD_VALUE_H
#define MOEPLAN_SERVER_FIELD_VALUE_H

#include "server/field.h"

/* Where a value stands in the request. */
struct field_site {
    enum err_place place;
    const char *name; /* parameter, column, or the value's own JSON pointer */
    uint64_t row;     /* ERR_AT_CELL */
    struct arena *arena;
    struct err *err;
};

/* Adds a fault at the site; returns ERR_INVALID. */
enum err_code field_fault(const struct field_site *site, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "out of memory" in the site's err. */
enum err_code field_no_memory(const struct field_site *site);

/* Text as it stands in a query string (with suffixes) or a CSV cell (without): terminated, UTF-8,
 * not empty. */
enum err_code field_put_text(const struct field *field, const char *text, size_t length,
                             bool suffixes, void *target, const struct field_site *site);

/* A JSON value other than null; the site's name is its pointer. */
enum err_code field_put_json(const struct field *field, const struct json *value, void *target,
                             const struct field_site *site);

#endif
