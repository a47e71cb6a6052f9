/* slow_descent: from a point down to a local optimum of the contract's objective.
 *
 * Reweighted Levenberg-Marquardt, or Newton with the exact second derivatives (those of the law by
 * central differences). Both are damped in the metric of the reweighted normal matrix, which
 * majorises the objective, so that steps across the kinks of a near-L1 objective still descend.
 * Bounds by active sets. Private to slow_fit.h.
 */
#ifndef MOEPLAN_TESTS_SLOW_DESCENT_H
#define MOEPLAN_TESTS_SLOW_DESCENT_H

#include "tests/lib/slow_problem.h"

typedef double slow_matrix[SLOW_MAX][SLOW_MAX];

/* Gradient g, metric M = Σ w·min(1, delta/|r|)·JᵀJ and quadratic part H = Σ_inside w·JᵀJ. */
static inline void slow_sums(const struct slow_problem *problem, const double *y, double delta,
                             double *g, slow_matrix m, slow_matrix h, double *slopes)
{
    const size_t n = problem->law->n;

    memset(g, 0, n * sizeof *g);
    memset(m, 0, sizeof(slow_matrix));
    memset(h, 0, sizeof(slow_matrix));
    for (size_t i = 0; i < problem->count; i++) {
        const struct slow_run *run = &problem->run[i];
        double by[SLOW_MAX], r = run->y - slow_predict(problem, run, y, by), size = fabs(r);
        double w = run->weight, shrunk = size <= delta ? w : w * delta / size;

        slopes[i] = shrunk * r;
        for (size_t j = 0; j < n; j++) {
            g[j] -= slopes[i] * by[j];
            for (size_t k = 0; k <= j; k++) {
                m[j][k] += shrunk * by[j] * by[k];
                h[j][k] += size <= delta ? w * by[j] * by[k] : 0;
            }
        }
    }
}

/* Σ_i slopes[i]·∂lnL̂_i. */
static inline void slow_pull(const struct slow_problem *problem, const double *y,
                             const double *slopes, double *ret)
{
    const size_t n = problem->law->n;

    memset(ret, 0, n * sizeof *ret);
    for (size_t i = 0; i < problem->count; i++) {
        double by[SLOW_MAX];

        (void)slow_predict(problem, &problem->run[i], y, by);
        for (size_t j = 0; j < n; j++)
            ret[j] += slopes[i] * by[j];
    }
}

/* h −= Σ slopes·∂²lnL̂, by central differences of the gradient. */
static inline void slow_curve(const struct slow_problem *problem, const double *y,
                              const double *slopes, slow_matrix m, slow_matrix h)
{
    const size_t n = problem->law->n;
    double total = 0;

    for (size_t i = 0; i < problem->count; i++)
        total += problem->run[i].weight;
    for (size_t j = 0; j < n; j++) {
        double up[SLOW_MAX], down[SLOW_MAX], at[SLOW_MAX], step;

        step = fmin(1e-4, 1e-4 / sqrt(fmax(m[j][j] / total, 1e-12)));
        if (problem->held[j])
            continue;
        memcpy(at, y, n * sizeof *at);
        at[j] = y[j] + step;
        slow_pull(problem, at, slopes, up);
        at[j] = y[j] - step;
        slow_pull(problem, at, slopes, down);
        for (size_t k = 0; k < n; k++) {
            double by = (up[k] - down[k]) / (4 * step); /* half: both triangles give it */

            if (k < j)
                h[j][k] -= by;
            else if (k > j)
                h[k][j] -= by;
            else
                h[j][j] -= 2 * by;
        }
    }
}

/* Solves the n×n system of a lower triangle in place of b; false when it is not positive definite.
 */
static inline bool slow_solve(slow_matrix a, size_t n, double *b)
{
    for (size_t j = 0; j < n; j++) {
        double pivot = a[j][j];

        for (size_t k = 0; k < j; k++)
            pivot -= a[j][k] * a[j][k];
        if (!(pivot > 1e-14 * fabs(a[j][j])))
            return false;
        a[j][j] = sqrt(pivot);
        for (size_t i = j + 1; i < n; i++) {
            for (size_t k = 0; k < j; k++)
                a[i][j] -= a[i][k] * a[j][k];
            a[i][j] /= a[j][j];
        }
    }
    for (size_t j = 0; j < n; j++) {
        for (size_t k = 0; k < j; k++)
            b[j] -= a[j][k] * b[k];
        b[j] /= a[j][j];
    }
    for (size_t j = n; j-- > 0;) {
        for (size_t k = j + 1; k < n; k++)
            b[j] -= a[k][j] * b[k];
        b[j] /= a[j][j];
    }
    return true;
}

/* The step of (H + damp·M)·step = −g inside the bounds: a coordinate that would leave stops at its
 * bound, and the others are solved anew. */
static inline bool slow_step(const struct slow_problem *problem, const double *y, const double *g,
                             slow_matrix m, slow_matrix h, double damp, double *step)
{
    const size_t n = problem->law->n;
    bool stuck[SLOW_MAX];

    for (size_t j = 0; j < n; j++) {
        stuck[j] = problem->held[j] || (y[j] <= problem->lower[j] && g[j] >= 0) ||
                   (y[j] >= problem->upper[j] && g[j] <= 0);
        step[j] = 0;
    }
    for (size_t round = 0; round <= n; round++) {
        slow_matrix a;
        double b[SLOW_MAX];
        size_t index[SLOW_MAX], free = 0;
        bool again = false;

        for (size_t j = 0; j < n; j++)
            if (!stuck[j])
                index[free++] = j;
        for (size_t r = 0; r < free; r++) {
            size_t j = index[r];

            b[r] = -g[j];
            for (size_t k = 0; k < n; k++) {
                size_t row = k > j ? k : j, column = k > j ? j : k;
                double value = h[row][column] + damp * m[row][column];

                if (stuck[k])
                    b[r] -= value * step[k];
            }
            for (size_t c = 0; c <= r; c++)
                a[r][c] = h[j][index[c]] + damp * m[j][index[c]];
            a[r][r] += damp * 1e-10 + 1e-14 * m[j][j] + 1e-24;
        }
        if (!slow_solve(a, free, b))
            return false;
        for (size_t r = 0; r < free; r++) {
            size_t j = index[r];
            double to = y[j] + b[r];

            if (to < problem->lower[j] || to > problem->upper[j]) {
                step[j] = (to < problem->lower[j] ? problem->lower[j] : problem->upper[j]) - y[j];
                stuck[j] = again = true;
            } else {
                step[j] = b[r];
            }
        }
        if (!again)
            return true;
    }
    return true;
}

/* Descends at one threshold until steps gain less than `tolerance` of the objective; exact: with
 * the law's second derivatives. Returns the objective. */
static inline double slow_descend(const struct slow_problem *problem, double delta, bool exact,
                                  size_t steps, double tolerance, double *y)
{
    const size_t n = problem->law->n;
    double value = slow_objective(problem, y, delta), damp = exact ? 1e-6 : 1e-3;
    double slopes[SLOW_RUNS_MAX];
    size_t idle = 0;

    for (size_t s = 0; s < steps && isfinite(value) && idle < 4; s++) {
        slow_matrix m, h;
        double g[SLOW_MAX], before = value;

        slow_sums(problem, y, delta, g, m, h, slopes);
        if (exact)
            slow_curve(problem, y, slopes, m, h);
        else
            memcpy(h, m, sizeof h);
        for (size_t attempt = 0; attempt < 25; attempt++) {
            double step[SLOW_MAX], at[SLOW_MAX], got;

            if (slow_step(problem, y, g, m, h, damp, step)) {
                for (size_t j = 0; j < n; j++)
                    at[j] = fmax(problem->lower[j], fmin(problem->upper[j], y[j] + step[j]));
                got = slow_objective(problem, at, delta);
                if (got < value) {
                    memcpy(y, at, n * sizeof *at);
                    value = got;
                    damp *= attempt == 0 ? 0.1 : 1;
                    break;
                }
            }
            damp = fmax(8 * damp, 1e-6);
        }
        damp = fmin(damp, 1e6);
        idle = before - value <= tolerance * before ? idle + 1 : 0;
        if (value == before)
            break;
    }
    return value;
}

/* Descends from given coefficients, in the contract's order and natural, by exact steps; returns
 * the objective. */
static inline double slow_polish(const struct slow_problem *problem, const double *natural,
                                 double *ret_y)
{
    problem->law->point(&problem->centre, natural, ret_y);
    for (size_t j = 0; j < problem->law->n; j++)
        ret_y[j] = problem->held[j] ? problem->at[j]
                                    : fmax(problem->lower[j], fmin(problem->upper[j], ret_y[j]));
    return slow_descend(problem, problem->delta, true, 100, 1e-13, ret_y);
}

#endif
