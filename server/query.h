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
    const char *fault;        /* a sentence when the encoding is bad: then name is the raw text */
};

/* Takes the next pair off *at; false at the end, and with *at not NULL when the arena has run
 * out. *at is NULL when there is no query string. */
bool query_next(const char **at, struct arena *arena, struct query_pair *ret_pair);

#endif
