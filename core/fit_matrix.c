#include "core/fit_matrix.h"

#include <math.h>

/* A pivot below this share of its diagonal is rounding. */
static const double pivot_share = 1e-15;

bool fit_matrix_factor(struct fit_matrix *matrix, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        double *row = matrix->at[j];
        double diagonal = row[j], pivot = diagonal;

        for (size_t k = 0; k < j; k++)
            pivot -= row[k] * row[k];
        if (!(pivot > pivot_share * fabs(diagonal)) || !isfinite(pivot))
            return false;
        row[j] = sqrt(pivot);
        for (size_t i = j + 1; i < n; i++) {
            double sum = matrix->at[i][j];

            for (size_t k = 0; k < j; k++)
                sum -= matrix->at[i][k] * row[k];
            matrix->at[i][j] = sum / row[j];
        }
    }
    return true;
}

void fit_matrix_solve(const struct fit_matrix *factor, size_t n, double *b)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < i; k++)
            b[i] -= factor->at[i][k] * b[k];
        b[i] /= factor->at[i][i];
    }
    for (size_t i = n; i-- > 0;) {
        for (size_t k = i + 1; k < n; k++)
            b[i] -= factor->at[k][i] * b[k];
        b[i] /= factor->at[i][i];
    }
}

void fit_matrix_times(const struct fit_matrix *matrix, size_t n, const double *v, double *ret)
{
    for (size_t i = 0; i < n; i++) {
        ret[i] = 0.0;
        for (size_t k = 0; k < n; k++)
            ret[i] += matrix->at[i][k] * v[k];
    }
}
