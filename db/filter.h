/* filter: which runs a list, an export or a fit's `where` means.
 *
 * A conjunction of terms: field is one of values, field_min, field_max (inclusive), tag.NAME is one
 * of values. Pure; evaluated in C on decoded rows, so that lists and fits cannot disagree and no
 * SQL is ever assembled from a request. Filled by server/query and server/json from one table.
 */
#ifndef MOEPLAN_DB_FILTER_H
#define MOEPLAN_DB_FILTER_H

#include "db/values.h"

enum { FILTER_TERMS_MAX = 32, FILTER_VALUES_MAX = 100 };

enum filter_kind { FILTER_NUMBER, FILTER_INTEGER, FILTER_TEXT, FILTER_BOOL, FILTER_TIME };

/* The filterable fields, one row each: name and kind. Texts and bools take no MIN and MAX. */
struct filter_field {
    const char *name;
    enum filter_kind kind;
};
size_t filter_field_count(void);
const struct filter_field *filter_field_at(size_t index); /* NULL past the last */

struct filter_term {
    int field;       /* index of filter_field_at; -1 for a tag */
    const char *tag; /* its name, when field is -1 */
    enum { FILTER_ONE_OF, FILTER_MIN, FILTER_MAX } op;
    size_t n_values;          /* 1 for MIN and MAX */
    const double *numbers;    /* numbers; bools as 0/1; times in microseconds */
    const char *const *texts; /* FILTER_TEXT and tags */
};

struct filter {
    size_t n_terms;
    struct filter_term terms[FILTER_TERMS_MAX];
};

/* Whether the run satisfies every term; an absent value satisfies none. NULL, and a filter without
 * terms, match every run. */
bool filter_match(const struct filter *filter, const struct experiment *experiment);

/* Whether the filter has a term on the named field (fits add final=true and so on only if not). */
bool filter_names(const struct filter *filter, const char *field);

#endif
