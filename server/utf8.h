/* utf8: whether bytes are UTF-8, and how many characters. Pure functions of bytes.
 *
 * UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. NUL is a
 * character like any other here; who must refuse it does.
 */
#ifndef MOEPLAN_SERVER_UTF8_H
#define MOEPLAN_SERVER_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the character at text has, 1–4; 0 when there is no whole valid one in length. */
size_t utf8_character(const char *text, size_t length);

/* How many of the length bytes come before the first fault: length when there is none. */
size_t utf8_valid(const char *text, size_t length);

/* How many leading bytes a JSON string holds as they are: ASCII but for control bytes, the quote
 * and the backslash. */
size_t utf8_plain(const char *text, size_t length);

/* How many characters valid text has. */
size_t utf8_count(const char *text, size_t length);

/* Writes the character at ret_text, 1–4 bytes, and returns how many. code_point is not a surrogate
 * and at most 0x10FFFF. */
size_t utf8_write(uint32_t code_point, char *ret_text);

/* utf8_plain, and as many bytes copied to ret, which has room for length. What lies behind them
 * there may hold anything afterwards. */
size_t utf8_copy_plain(const char *text, size_t length, char *ret);

#endif
