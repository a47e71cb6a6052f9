#include "core/fit_error.h"

#include <float.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

#include "core/householder.h"

enum { TRIANGLE_ROWS = 64 + FIT_STRIDE };

/* Singular values below this share of the largest leave their directions undetermined. */
static const double flat_share = 1e-11;

/* A coordinate with this much of itself in a flat direction has no error to state. */
static const double flat_part = 1e-4;

/* Nor has one whose effect on the responses, root mean square over the runs, is lost in their
 * rounding. */
static const double least_effect = 1e-12;

/* The cosine between a coordinate's slopes and the residuals that the end of a search leaves where
 * the optimum has none: searches end where steps promise 1e-13 of the objective. */
static const double right_angle = 1e-5;

/* p columns of m values: their triangle ends in the first p of each. */
static void triangulate(double (*column)[TRIANGLE_ROWS], size_t m, size_t p)
{
    for (size_t j = 0; j < p && j < m; j++) {
        double beta, alpha = householder_make(column[j], j, m, &beta);

        for (size_t k = j + 1; k < p; k++)
            householder_turn(column[j], beta, j, m, column[k]);
        memset(column[j] + j, 0, (m - j) * sizeof *column[j]);
        column[j][j] = alpha;
    }
}

/* The triangle of the weighted Jacobian, block by block. */
static void triangle_of(const struct fit_problem *problem, const double *jacobian,
                        const bool *left_out, double (*column)[TRIANGLE_ROWS])
{
    size_t p = problem->p, filled = p;

    for (size_t j = 0; j < p; j++)
        memset(column[j], 0, p * sizeof *column[j]);
    for (size_t i = 0; i < problem->n_rows; i++) {
        double root = sqrt(problem->weight[i]);

        for (size_t j = 0; j < p; j++)
            column[j][filled] = left_out[j] ? 0.0 : root * jacobian[i * problem->stride + j];
        if (++filled == TRIANGLE_ROWS || i + 1 == problem->n_rows) {
            triangulate(column, filled, p);
            filled = p;
        }
    }
}

static void set_variance(const struct fit_problem *problem, const double *residuals, size_t active,
                         struct fit_error *error)
{
    double delta = fit_problem_delta(problem), squares = 0.0, inside = 0.0, total = 0.0, m, k;
    double n = (double)problem->n, freedom = (double)problem->n_rows - (double)active;

    for (size_t i = 0; i < problem->n_rows; i++) {
        double d = i < problem->n ? delta : INFINITY;
        double psi = fmin(fabs(residuals[i]), d);

        squares += problem->weight[i] * psi * psi;
        if (i >= problem->n)
            continue;
        inside += fabs(residuals[i]) <= delta ? problem->weight[i] : 0.0;
        total += problem->weight[i];
    }
    m = fmax(inside / total, 1.0 / n);
    k = 1.0 + (double)active / n * (1.0 - m) / m;
    error->freedom = freedom;
    error->inside = m;
    error->variance = freedom < 1.0 ? NAN : k * k * squares / freedom / (m * m);
}

/* Singular values of the p × p triangle with unit columns; V in ret_v. */
static bool decompose(double (*column)[TRIANGLE_ROWS], size_t p, const double *norm,
                      struct fit_matrix *ret_v, double *ret_s)
{
    double a[FIT_STRIDE * FIT_STRIDE];
    gsl_matrix_view u = gsl_matrix_view_array(a, p, p);
    gsl_matrix_view v = gsl_matrix_view_array_with_tda(&ret_v->at[0][0], p, p, FIT_STRIDE);
    gsl_vector_view s = gsl_vector_view_array(ret_s, p);

    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            a[i * p + j] = norm[j] > 0.0 ? column[j][i] / norm[j] : 0.0;
    return gsl_linalg_SV_decomp_jacobi(&u.matrix, &v.matrix, &s.vector) == GSL_SUCCESS;
}

/* Columns without a visible effect. The effect of an amplitude that is searched as a logarithm is
 * that of its whole term: a term of 1e-30 is no term, however it would grow. */
static void find_flat(const struct fit_problem *problem, const double *z, const double *norm,
                      bool *ret_flat)
{
    double total = 0.0;

    for (size_t i = 0; i < problem->n; i++)
        total += problem->weight[i];
    for (size_t j = 0; j < problem->p; j++) {
        size_t i = problem->index[j];
        bool is_term = problem->normalised && problem->term[i] != SIZE_MAX &&
                       problem->law->coefficients[i].transform == LAW_LN;

        ret_flat[j] = !(norm[j] * (is_term ? z[j] : 1.0) > least_effect * sqrt(total));
    }
}

/* Whether the runs hold coordinate j at its bound: it moves responses, by the measure of
 * least_effect, and not at a right angle to the residuals. */
static bool is_held(const struct fit_problem *problem, const double *residuals,
                    const double *jacobian, size_t j)
{
    double delta = fit_problem_delta(problem), total = 0.0;
    double pull = 0.0, pulls = 0.0, slopes = 0.0; /* Σ w·ψ·∂f/∂z_j, Σ w·ψ², Σ w·(∂f/∂z_j)² */

    for (size_t i = 0; i < problem->n_rows; i++) {
        double d = i < problem->n ? delta : INFINITY, w = problem->weight[i];
        double psi = fmax(-d, fmin(residuals[i], d)), slope = jacobian[i * problem->stride + j];

        total += w;
        pull += w * psi * slope;
        pulls += w * psi * psi;
        slopes += w * slope * slope;
    }
    return slopes > least_effect * least_effect * total &&
           fabs(pull) > right_angle * sqrt(pulls) * sqrt(slopes);
}

/* What moves nothing, or would go either way, is where it is by chance: it is not held back. */
static void find_bounds(const struct fit_problem *problem, const double *z, const double *residuals,
                        const double *jacobian, bool *ret_at_bound)
{
    for (size_t j = 0; j < problem->p; j++)
        ret_at_bound[j] = (z[j] <= problem->lower[j] || z[j] >= problem->upper[j]) &&
                          is_held(problem, residuals, jacobian, j);
}

/* (JᵀWJ)⁻¹ from the decomposition of its scaled triangle. */
static void covariance_of(const struct fit_matrix *v, const double *s, const double *norm, size_t p,
                          struct fit_error *error, bool *ret_flat)
{
    struct fit_matrix half = {0}; /* D⁻¹·V·S⁻¹ */

    for (size_t j = 0; j < p; j++)
        for (size_t q = 0; q < p && norm[j] > 0.0; q++) {
            if (s[q] > flat_share * s[0])
                half.at[j][q] = v->at[j][q] / norm[j] / s[q];
            else if (fabs(v->at[j][q]) > flat_part)
                ret_flat[j] = true;
        }
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++) {
            error->covariance.at[i][j] = 0.0;
            for (size_t q = 0; q < p; q++)
                error->covariance.at[i][j] += half.at[i][q] * half.at[j][q];
        }
}

static void set_errors(const struct fit_problem *problem, const double *z, const bool *flat,
                       struct fit_error *error)
{
    struct fit_matrix slopes;
    double x[LAW_MAX_COEFFICIENTS];

    fit_problem_transformed(problem, z, x, &slopes);
    for (size_t j = 0; j < problem->p; j++) {
        double *slope = slopes.at[j], sum = 0.0, unit = 0.0;

        for (size_t k = 0; k < problem->p; k++)
            unit = fmax(unit, fabs(slope[k])); /* losses of 1e-300 have no squares */
        for (size_t k = 0; k < problem->p; k++)
            for (size_t l = 0; l < problem->p; l++) {
                double part = error->covariance.at[k][l];

                if (part != 0.0)
                    sum += slope[k] / unit * part * (slope[l] / unit);
            }
        error->error[j] = error->at_bound[j] || flat[j] || !isfinite(sum) || !(sum > 0.0)
                              ? NAN
                              : unit * sqrt(sum * error->variance);
    }
}

void fit_error_set(const struct fit_problem *problem, const double *z, const double *residuals,
                   const double *jacobian, struct fit_error *ret_error)
{
    double column[FIT_STRIDE][TRIANGLE_ROWS], norm[FIT_STRIDE] = {0}, s[FIT_STRIDE] = {0};
    struct fit_matrix v;
    bool flat[LAW_MAX_COEFFICIENTS] = {false};
    size_t p = problem->p, active = 0;

    memset(ret_error, 0, sizeof *ret_error);
    ret_error->p = p;
    ret_error->condition_number = 1.0;
    find_bounds(problem, z, residuals, jacobian, ret_error->at_bound);
    for (size_t j = 0; j < p; j++)
        active += ret_error->at_bound[j] ? 0 : 1;
    set_variance(problem, residuals, active, ret_error);
    for (size_t j = 0; j < p; j++)
        ret_error->error[j] = NAN;
    if (active == 0)
        return;
    triangle_of(problem, jacobian, ret_error->at_bound, column);
    for (size_t j = 0; j < p; j++) {
        for (size_t i = 0; i <= j; i++)
            norm[j] += column[j][i] * column[j][i];
        norm[j] = sqrt(norm[j]);
    }
    find_flat(problem, z, norm, flat);
    if (!decompose(column, p, norm, &v, s))
        return;
    covariance_of(&v, s, norm, p, ret_error, flat);
    ret_error->condition_number = s[active - 1] > 0.0 ? s[0] / s[active - 1] : INFINITY;
    set_errors(problem, z, flat, ret_error);
}
