/* faults: what tests of decoders ask of a struct err. */
#ifndef MOEPLAN_TESTS_FAULTS_H
#define MOEPLAN_TESTS_FAULTS_H

#include <string.h>

#include "core/err.h"
#include "tests/unit/check.h"

static inline const struct err_field *find_fault(const struct err *err, enum err_place place,
                                                 const char *name)
{
    const struct err_field *field = err->first;
    while (field != NULL && (field->place != place || strcmp(field->name, name) != 0))
        field = field->next;
    return field;
}

/* Fails unless err has a fault at that name whose sentence holds `part`. */
#define assert_fault(err, place, name, part)                                                       \
    check_fault((err), (place), (name), (part), __FILE__, __LINE__)

static inline void check_fault(const struct err *err, enum err_place place, const char *name,
                               const char *part, const char *file, int line)
{
    const struct err_field *field = find_fault(err, place, name);
    if (field != NULL && strstr(field->detail, part) != NULL)
        return;
    print_error("no fault at '%s' saying '%s'; there are:\n", name, part);
    for (field = err->first; field != NULL; field = field->next)
        print_error("    '%s': %s\n", field->name, field->detail);
    _fail(file, line);
}

#endif
