/* json_check: whether a text is JSON of the strict kind, before any parser builds a tree of it.
 *
 * RFC 8259 grammar, UTF-8, and no byte order mark, no NUL in a string, no lone surrogates, no
 * repeated member names, nothing after the value, and the limits of json.h. Works in one pass over
 * the bytes with a small table of the names of the objects that are open; builds nothing.
 */
#ifndef MOEPLAN_SERVER_JSON_CHECK_H
#define MOEPLAN_SERVER_JSON_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

/* What a checked text holds, for those who go on with it. */
struct json_facts {
    size_t n_values;
    bool long_numbers; /* a number of more bytes than cJSON reads */
};

enum { JSON_CJSON_NUMBER_BYTES = 63 }; /* cJSON 1.7 copies no more of a number, and goes wrong */

/* Checks text[length]. Adds each fault to err with its JSON pointer below `base` ("" for a whole
 * document) and its byte offset: one fault of grammar, at which the pass stops, but every repeated
 * name before it. ERR_INVALID, ERR_NO_MEMORY. */
enum err_code json_check(const char *text, size_t length, const char *base,
                         struct json_facts *ret_facts, struct err *err);

#endif
