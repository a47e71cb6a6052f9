/* json_string: the small parts of JSON text: strings, JSON pointers, and where a value ends.
 *
 * Pure functions of bytes; what is not said to be checked may be anything.
 */
#ifndef MOEPLAN_SERVER_JSON_STRING_H
#define MOEPLAN_SERVER_JSON_STRING_H

#include <stdbool.h>
#include <stddef.h>

/* How many bytes the escape at `at` takes, which is a backslash: 2, 6, or 12 for a surrogate pair.
 * 0 with a sentence in *ret_fault when it is not one, or stands for NUL. */
size_t json_string_escape(const char *at, const char *end, const char **ret_fault);

/* What a checked string (without its quotes) stands for. ret_text has room for length bytes: no
 * escape is shorter than its character. Returns how many. */
size_t json_string_unescape(const char *string, size_t length, char *ret_text);

/* Appends "/token", escaped by RFC 6901, at pointer[*length], not terminated; false when that could
 * pass `room` bytes with a terminator. */
bool json_pointer_append(char *pointer, size_t room, size_t *length, const char *token,
                         size_t token_length);

/* The next byte that is not white space, or end. */
const char *json_skip_space(const char *at, const char *end);

/* The end of the value that starts at `at` in checked text. */
const char *json_skip_value(const char *at, const char *end);

#endif
