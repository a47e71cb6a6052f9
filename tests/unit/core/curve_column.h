/* curve_column: a column of a curve by name, for tests. */
#ifndef MOEPLAN_TESTS_CURVE_COLUMN_H
#define MOEPLAN_TESTS_CURVE_COLUMN_H

#include <string.h>

#include "core/curve.h"
#include "tests/unit/check.h"

static inline const double *column(const struct curve *curve, const char *name)
{
    for (size_t k = 0; k < curve->n_columns; k++)
        if (strcmp(curve->column[k], name) == 0)
            return curve->value[k];
    fail_msg("no column %s", name);
    return NULL;
}

#endif
