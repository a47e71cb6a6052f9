/* fit_matrix: the small symmetric systems of a fit, at most LAW_MAX_COEFFICIENTS wide.
 *
 * Matrices are row-major with a stride of LAW_MAX_COEFFICIENTS. Pure; no allocation.
 */
#ifndef MOEPLAN_CORE_FIT_MATRIX_H
#define MOEPLAN_CORE_FIT_MATRIX_H

#include <stdbool.h>
#include <stddef.h>

#include "core/law.h"

enum { FIT_STRIDE = LAW_MAX_COEFFICIENTS };

struct fit_matrix {
    double at[FIT_STRIDE][FIT_STRIDE];
};

/* Lower Cholesky factor in place (the upper triangle is not read); false when a pivot is not
 * positive relative to its diagonal. */
bool fit_matrix_factor(struct fit_matrix *matrix, size_t n);

/* Solves L·Lᵀ·x = b in place. */
void fit_matrix_solve(const struct fit_matrix *factor, size_t n, double *b);

/* vᵀ·M·v and M·v of the full symmetric matrix. */
void fit_matrix_times(const struct fit_matrix *matrix, size_t n, const double *v, double *ret);

#endif
