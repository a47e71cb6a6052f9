#include "core/fit_step_rows.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { PIECES_MAX = 60, SEARCH_MAX = 40 };

/* The s in (0, most] where the slope along the direction first vanishes: Newton on a monotone
 * piecewise linear function, kept inside its bracket. base + s·bend is the slope of the quadratic
 * terms. */
static double exact_length(const struct fit_step *step, double base, double bend, double most)
{
    double low = 0.0, high = INFINITY, s = fmin(1.0, most), first = 0.0;

    for (int it = 0; it < SEARCH_MAX; it++) {
        double curvature, slope = fit_step_slope(step, s, &curvature) + base + s * bend, next;

        if (it == 0)
            first = fabs(slope);
        if (slope <= 0.0) {
            low = s;
            if (s >= most)
                return most;
        } else {
            high = s;
        }
        curvature += bend;
        next = curvature > 0.0 ? s - slope / curvature : 8.0 * s;
        if (!(next > low))
            next = isinf(high) ? 2.0 * s : 0.5 * (low + high);
        if (next >= high)
            next = 0.5 * (low + high);
        next = fmin(fmin(next, most), 16.0 * s);
        if (fabs(next - s) <= 1e-14 * s || fabs(slope) <= 1e-15 * first)
            return s;
        s = next;
    }
    return low > 0.0 ? low : s;
}

/* Newton's direction over the coordinates not held at a bound. A ridge is added where pieces are
 * too few to hold the step. */
static void direction(const struct fit_step *step, const struct fit_matrix *full,
                      const double *gradient, const bool *held, double *ret)
{
    size_t free_count = 0, free_at[LAW_MAX_COEFFICIENTS];
    double ridge = 0.0;

    for (size_t j = 0; j < step->p; j++) {
        ret[j] = 0.0;
        if (!held[j])
            free_at[free_count++] = j;
    }
    for (int attempt = 0; attempt < 40; attempt++) {
        struct fit_matrix m;
        double b[LAW_MAX_COEFFICIENTS];

        for (size_t a = 0; a < free_count; a++) {
            size_t j = free_at[a];

            for (size_t c = 0; c <= a; c++)
                m.at[a][c] = full->at[j][free_at[c]];
            m.at[a][a] += ridge * step->scale[j];
            b[a] = -gradient[j];
        }
        if (fit_matrix_factor(&m, free_count)) {
            fit_matrix_solve(&m, free_count, b);
            for (size_t a = 0; a < free_count; a++)
                ret[free_at[a]] = b[a];
            return;
        }
        ridge = ridge == 0.0 ? 1e-14 : ridge * 10.0;
    }
}

/* Newton's direction that leaves no bound it is at: a coordinate whose gradient points inwards may
 * still be carried outwards by the others, and is then held too. */
static void feasible_direction(const struct fit_step *step, const struct fit_matrix *full,
                               const double *gradient, const double *d, bool *held, double *ret)
{
    bool again = true;

    while (again) {
        again = false;
        direction(step, full, gradient, held, ret);
        for (size_t j = 0; j < step->p; j++)
            if (!held[j] && ((d[j] <= step->lower[j] && ret[j] < 0.0) ||
                             (d[j] >= step->upper[j] && ret[j] > 0.0)))
                held[j] = again = true;
    }
}

/* Along `direction` from d until a bound. */
static double room(const struct fit_step *step, const double *d, const double *direction)
{
    double most = INFINITY;

    for (size_t j = 0; j < step->p; j++) {
        if (direction[j] > 0.0)
            most = fmin(most, (step->upper[j] - d[j]) / direction[j]);
        else if (direction[j] < 0.0)
            most = fmin(most, (step->lower[j] - d[j]) / direction[j]);
    }
    return fmax(most, 0.0);
}

static void hold_bounds(const struct fit_step *step, const double *d, const double *gradient,
                        bool *ret_held)
{
    for (size_t j = 0; j < step->p; j++)
        ret_held[j] = (d[j] <= step->lower[j] && gradient[j] > 0.0) ||
                      (d[j] >= step->upper[j] && gradient[j] < 0.0) ||
                      step->lower[j] == step->upper[j] || !(step->scale[j] > 0.0);
}

/* Moves d by s·move and onto bounds it reaches. */
static void advance(struct fit_step *step, double s, const double *move, double *d)
{
    for (size_t j = 0; j < step->p; j++) {
        double to = d[j] + s * move[j];

        if (move[j] > 0.0 && to >= step->upper[j] - DBL_EPSILON * fabs(step->upper[j]))
            to = step->upper[j];
        if (move[j] < 0.0 && to <= step->lower[j] + DBL_EPSILON * fabs(step->lower[j]))
            to = step->lower[j];
        d[j] = to;
    }
    for (size_t i = 0; i < step->n_rows; i++)
        step->linear[i] -= s * step->along[i];
}

double fit_step_solve(struct fit_step *step, double *ret_d)
{
    struct fit_matrix quadratic = step->curvature;
    double before = fit_step_loss(step, step->residual), gained = 0.0, bent = 0.0;
    double bend_d[LAW_MAX_COEFFICIENTS], d[LAW_MAX_COEFFICIENTS] = {0};
    size_t p = step->p;

    for (size_t j = 0; j < p; j++)
        quadratic.at[j][j] += step->damping * step->scale[j];
    memcpy(step->linear, step->residual, step->n_rows * sizeof *step->linear);
    for (int piece = 0; piece < PIECES_MAX; piece++) {
        double gradient[LAW_MAX_COEFFICIENTS], move[LAW_MAX_COEFFICIENTS] = {0};
        double bend_move[LAW_MAX_COEFFICIENTS], base = 0.0, bend = 0.0, gain = 0.0, s;
        struct fit_matrix hessian;
        bool held[LAW_MAX_COEFFICIENTS];

        fit_step_sums(step, step->linear, gradient, &hessian);
        fit_matrix_times(&quadratic, p, d, bend_d);
        for (size_t j = 0; j < p; j++) {
            gradient[j] += bend_d[j];
            for (size_t k = 0; k < p; k++)
                hessian.at[j][k] += quadratic.at[j][k];
        }
        hold_bounds(step, d, gradient, held);
        feasible_direction(step, &hessian, gradient, d, held, move);
        fit_matrix_times(&quadratic, p, move, bend_move);
        for (size_t j = 0; j < p; j++) {
            base += move[j] * bend_d[j];
            bend += move[j] * bend_move[j];
            gain -= 0.5 * gradient[j] * move[j];
        }
        if (!(gain > step->gain_share * gained) || !(gain > DBL_EPSILON * DBL_EPSILON * before))
            break;
        fit_step_along(step, move, step->along);
        s = exact_length(step, base, bend, room(step, d, move));
        advance(step, s, move, d);
        gained += gain * fmin(s, 1.0);
    }
    fit_matrix_times(&step->curvature, p, d, bend_d);
    for (size_t j = 0; j < p; j++)
        bent += 0.5 * d[j] * bend_d[j];
    memcpy(ret_d, d, p * sizeof *ret_d);
    return before - fit_step_loss(step, step->linear) - bent;
}
