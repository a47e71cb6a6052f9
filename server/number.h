/* number: doubles and integers as JSON text, shortest form that reads back to the same bits.
 *
 * No locale, no allocation, no errors, no state. Not for NAN and infinities: the writer turns those
 * to null.
 */
#ifndef MOEPLAN_SERVER_NUMBER_H
#define MOEPLAN_SERVER_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_BYTES = 40 };

/* Writes at most NUMBER_BYTES − 1 bytes, not terminated, and returns how many; bytes behind these,
 * within NUMBER_BYTES, may change too. Of the decimals that read back to value, one with the fewest
 * digits, and of those the closest. Integral values below 2^53 have neither point nor exponent
 * ("64", not "64.0"); −0 is "-0"; from 2^53 on and below 1e-6 the exponent form ("1e+22" is written
 * 1e22), so that digits alone are always the exact integer. */
size_t number_write(double value, char *ret_text);
size_t number_write_integer(int64_t value, char *ret_text);

/* Strict JSON number grammar over exactly length bytes, correctly rounded whatever the locale and
 * however many digits; false when it is not one number. Overflow gives ±INFINITY and true: callers
 * check finiteness. */
bool number_read(const char *text, size_t length, double *ret_value);

/* The same times 10^exponent10, rounded once: "80.3" with 9 is the double nearest 80.3e9.
 * |exponent10| <= 1000. */
bool number_read_scaled(const char *text, size_t length, int exponent10, double *ret_value);

#endif
