/* filters: db/filter's terms out of a request: a list's query string, a fit's `where` object.
 *
 * `field: value | [values]` ("a,b" in a query), `field_min`, `field_max` (inclusive; numbers and
 * times), `tag.NAME: value | [values]`, with the fields and kinds of filter_field_at. Numbers in
 * queries take the suffixes K M B T; in a list of texts in a query a backslash before a comma (or
 * backslash) makes it part of the value. Faults name the parameter or the pointer. Memory is the
 * arena's. The names not known here are left to whoever asked.
 */
#ifndef MOEPLAN_SERVER_FILTERS_H
#define MOEPLAN_SERVER_FILTERS_H

#include "db/filter.h"
#include "server/field.h"
#include "server/json.h"
#include "server/out.h"

/* The ctx of the two hooks below. Terms are added to filter, which starts zeroed. */
struct filters {
    struct filter *filter;
    struct arena *arena;
};

/* field_other_query and field_other_json. */
bool filters_query(void *ctx, const char *name, const char *value, struct err *err);
bool filters_json(void *ctx, const char *name, const struct json *value, const char *pointer,
                  struct err *err);

/* `custom` of a FIELD_CUSTOM whose target is a struct filter: a whole `where` object. */
enum err_code filters_custom(const struct json *value, const char *pointer, void *target,
                             struct arena *arena, struct err *err);

/* The filter as such an object: reads back to the same terms. */
void filters_write(struct out *out, const char *name, const struct filter *filter);

#endif
