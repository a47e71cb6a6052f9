/* number: doubles and integers as JSON text, shortest form that reads back to the same bits.
 *
 * No locale, no allocation, no errors, no state. Not for NAN and infinities: the writer turns those
 * to null.
 */
#ifndef MOEPLAN_SERVER_NUMBER_H
#define MOEPLAN_SERVER_NUMBER_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NUMBER_BYTES = 40 };

/* Of what size and more values are written with an exponent: readers take digits alone for an exact
 * integer, and from here on the shortest digits are not the double's own. */
#define NUMBER_WHOLE_BELOW 0x1p53

/* Whether value is written as the integer *ret_whole is. */
static inline bool number_is_whole(double value, int64_t *ret_whole)
{
    if (!(fabs(value) < NUMBER_WHOLE_BELOW))
        return false;
    *ret_whole = (int64_t)value;
    return (double)*ret_whole == value && (*ret_whole != 0 || !signbit(value));
}

size_t number_write_integer(int64_t value, char *ret_text);

/* number_write of what number_is_whole does not hold for. */
size_t number_write_fraction(double value, char *ret_text);

/* Writes at most NUMBER_BYTES − 1 bytes, not terminated, and returns how many; bytes behind these,
 * within NUMBER_BYTES, may change too. Of the decimals that read back to value, one with the fewest
 * digits, and of those the closest. Integral values below 2^53 have neither point nor exponent
 * ("64", not "64.0"); −0 is "-0"; from 2^53 on and below 1e-6 the exponent form ("1e+22" is written
 * 1e22), so that digits alone are always the exact integer. */
static inline size_t number_write(double value, char *ret_text)
{
    int64_t whole;
    if (number_is_whole(value, &whole))
        return number_write_integer(whole, ret_text);
    return number_write_fraction(value, ret_text);
}

/* Strict JSON number grammar over exactly length bytes, correctly rounded whatever the locale and
 * however many digits; false when it is not one number. Overflow gives ±INFINITY and true: callers
 * check finiteness. */
bool number_read(const char *text, size_t length, double *ret_value);

/* The same times 10^exponent10, rounded once: "80.3" with 9 is the double nearest 80.3e9.
 * |exponent10| <= 1000. */
bool number_read_scaled(const char *text, size_t length, int exponent10, double *ret_value);

#endif
