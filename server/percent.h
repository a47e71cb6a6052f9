/* percent: the percent-encoding of URLs. Pure functions of bytes. */
#ifndef MOEPLAN_SERVER_PERCENT_H
#define MOEPLAN_SERVER_PERCENT_H

#include <stdbool.h>
#include <stddef.h>

/* Whether each byte may stand in a URL as it is: visible ASCII, and no '#'. */
bool percent_clean(const char *text, size_t length);

/* The next byte text[*at…length) means, moving *at behind it; false at the end and at a bad %XX. */
bool percent_next(const char *text, size_t length, size_t *at, char *ret_byte);

/* Whether every %XX is two hex digits, none means NUL, and the whole means valid UTF-8. */
bool percent_valid(const char *text);

/* Decodes terminated valid text in place ('+' stays '+'); the new length. */
size_t percent_decode(char *text);

#endif
