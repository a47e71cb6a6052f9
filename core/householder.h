/* householder: reflections that turn columns onto a triangle; private to core. */
#ifndef MOEPLAN_CORE_HOUSEHOLDER_H
#define MOEPLAN_CORE_HOUSEHOLDER_H

#include <math.h>

#include "core/lanes.h"

/* Turns a column's values from `row` to m onto that one, and returns what it becomes. The reflector
 * v is left in their place; *ret_beta = 2/|v|², 0 for a column of zeros. */
static inline double householder_make(double *column, size_t row, size_t m, double *ret_beta)
{
    double first = column[row], norm = sqrt(lanes_dot(column + row, column + row, m - row));
    double alpha = first > 0.0 ? -norm : norm;

    column[row] -= alpha;
    *ret_beta = norm == 0.0 ? 0.0 : 1.0 / (norm * (norm + fabs(first)));
    return alpha;
}

/* Turns another column along. */
static inline void householder_turn(const double *v, double beta, size_t row, size_t m,
                                    double *column)
{
    lanes_add(column + row, -beta * lanes_dot(v + row, column + row, m - row), v + row, m - row);
}

#endif
