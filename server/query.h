/* query: the pairs of a query string, decoded one by one.
 *
 * "a=1&b=x%20y": percent-encoding of UTF-8 without NUL, '+' is a space but in an exponent (1e+22)
 * and before a time's offset (T00:00:00+02:00), empty pairs ("a=1&&b=2") mean nothing. Memory is
 * the arena's. What names mean is not its business.
 */
#ifndef MOEPLAN_SERVER_QUERY_H
#define MOEPLAN_SERVER_QUERY_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"

struct query_pair {
    const char *name, *value; /* decoded, terminated; the value NULL when there is no '=' */
    size_t name_length, value_length;
    const char *fault; /* a sentence when the encoding is bad: then what is bad is the raw text */
};

/* What is left of a query string. */
struct query {
    char *at, *end;
    bool plain; /* nothing to decode, nothing to refuse */
};

/* text: the query string, or NULL for none. False when the arena has run out. */
bool query_begin(const char *text, struct arena *arena, struct query *ret);

/* Takes the next pair; false at the end. */
bool query_next(struct query *query, struct query_pair *ret_pair);

#endif
