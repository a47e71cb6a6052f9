/* count_argument: a whole number from a benchmark's command line; anything else ends it, status 2.
 */
#ifndef MOEPLAN_TESTS_COUNT_ARGUMENT_H
#define MOEPLAN_TESTS_COUNT_ARGUMENT_H

#include <errno.h>
#include <stdlib.h>

static inline size_t count_argument(const char *text)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        exit(2);
    return value;
}

#endif
