/* instant: moments as text, RFC 3339, and as microseconds since 1970-01-01 UTC.
 *
 * Pure: no clock, no time zone data, no locale. Years 0000 to 9999, the proleptic Gregorian
 * calendar. What instant_write writes, instant_read reads back to the same microsecond.
 */
#ifndef MOEPLAN_SERVER_INSTANT_H
#define MOEPLAN_SERVER_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INSTANT_BYTES = 32 };

/* "2026-01-31T23:59:59Z", with as many digits of the fraction as it has. Not terminated; returns
 * the length, or 0 outside the years 0000 to 9999. */
size_t instant_write(int64_t us, char ret_text[INSTANT_BYTES]);

/* Strictly `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`, also with t and z in lower case, as RFC 3339
 * allows. Digits of the fraction beyond the microsecond are cut off. A leap second (23:59:60 UTC)
 * is the first instant of the next minute, as in POSIX. False when it is not such a text. */
bool instant_read(const char *text, size_t length, int64_t *ret_us);

#endif
