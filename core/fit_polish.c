#include "core/fit_polish.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { REFUSALS_MAX = 30 };

/* Second derivatives pay once a step promises less than this share of the objective. */
static const double exact_below = 1e-4;

/* They are taken anew where a step promises more than this share of the one before. */
static const double stale_share = 1e-3;

enum err_code fit_polish_init(struct fit_polish *polish, const struct fit_problem *problem,
                              struct arena *arena, struct err *err)
{
    size_t n = problem->n_rows, stride = problem->stride + 1; /* + 1: never 0 bytes */

    memset(polish, 0, sizeof *polish);
    polish->problem = problem;
    polish->weight = problem->weight;
    polish->residual = arena_calloc(arena, n, sizeof(double));
    polish->trial = arena_calloc(arena, n, sizeof(double));
    polish->linear = arena_calloc(arena, n, sizeof(double));
    polish->along = arena_calloc(arena, n, sizeof(double));
    polish->jacobian = arena_calloc(arena, n * stride, sizeof(double));
    polish->ahead = arena_calloc(arena, n * stride, sizeof(double));
    if (!polish->residual || !polish->trial || !polish->linear || !polish->along ||
        !polish->jacobian || !polish->ahead)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a fit of %zu runs", problem->n);
    return ERR_OK;
}

static double objective(const struct fit_polish *polish, const double *residuals, double delta)
{
    size_t n = polish->problem->n;
    double sum = 0.0;

    for (size_t i = 0; i < n; i++) {
        double size = fabs(residuals[i]);

        sum +=
            polish->weight[i] * (size <= delta ? 0.5 * size * size : delta * (size - 0.5 * delta));
    }
    for (size_t i = n; i < polish->problem->n_rows; i++)
        sum += 0.5 * polish->weight[i] * residuals[i] * residuals[i];
    return isfinite(sum) ? sum : INFINITY;
}

static void set_step(const struct fit_polish *polish, const double *z, double delta, double damping,
                     struct fit_step *step)
{
    const struct fit_problem *problem = polish->problem;
    size_t p = problem->p;

    step->n = problem->n;
    step->n_rows = problem->n_rows;
    step->p = p;
    step->stride = problem->stride;
    step->residual = polish->residual;
    step->jacobian = polish->jacobian;
    step->weight = polish->weight;
    step->delta = delta;
    step->damping = damping;
    step->linear = polish->linear;
    step->along = polish->along;
    memset(step->scale, 0, sizeof step->scale);
    for (size_t i = 0; i < problem->n_rows; i++)
        for (size_t j = 0; j < p; j++) {
            double slope = polish->jacobian[i * problem->stride + j];

            step->scale[j] += polish->weight[i] * slope * slope;
        }
    for (size_t j = 0; j < p; j++) {
        step->lower[j] = fmin(0.0, problem->lower[j] - z[j]);
        step->upper[j] = fmax(0.0, problem->upper[j] - z[j]);
    }
}

/* w·h'(r) of every row. */
static void set_pull(const struct fit_polish *polish, double delta, double *ret)
{
    for (size_t i = 0; i < polish->problem->n_rows; i++) {
        double r = polish->residual[i], d = i < polish->problem->n ? delta : INFINITY;

        ret[i] = polish->weight[i] * (fabs(r) <= d ? r : copysign(d, r));
    }
}

/* C = −Σ w·h'(r)·∇²f by differences of Σ w·h'(r)·∇f to one side, residuals as they are here, away
 * from the bound: Newton's steps need its first digits only. Zero rows where that side is not
 * feasible. */
static void set_curvature(struct fit_polish *polish, const double *z, double delta,
                          struct fit_step *step)
{
    /* The root of the precision balances rounding and the next derivative. */
    const double relative = 1e-7;
    size_t p = polish->problem->p;
    double here[LAW_MAX_COEFFICIENTS], there[LAW_MAX_COEFFICIENTS];

    memset(&step->curvature, 0, sizeof step->curvature);
    set_pull(polish, delta, polish->trial);
    if (!fit_problem_pull(polish->problem, z, polish->trial, here))
        return;
    for (size_t k = 0; k < p; k++) {
        double at[LAW_MAX_COEFFICIENTS], h = relative * fmax(fabs(z[k]), 1e-2);

        if (!(step->upper[k] > step->lower[k]))
            continue;
        if (step->upper[k] < h)
            h = -h;
        memcpy(at, z, p * sizeof *at);
        at[k] += h;
        if (!fit_problem_pull(polish->problem, at, polish->trial, there))
            continue;
        for (size_t j = 0; j < p; j++)
            step->curvature.at[j][k] = (here[j] - there[j]) / h;
    }
    for (size_t j = 0; j < p; j++)
        for (size_t k = 0; k < j; k++) {
            double mean = 0.5 * (step->curvature.at[j][k] + step->curvature.at[k][j]);

            step->curvature.at[j][k] = step->curvature.at[k][j] = mean;
        }
}

static void swap(double **a, double **b)
{
    double *kept = *a;

    *a = *b;
    *b = kept;
}

/* The step that promises next to nothing is as good as the others: where the objective is flat, it
 * holds the last digits of the coefficients. */
static void last_step(struct fit_polish *polish, const struct fit_polish_goal *goal,
                      const double *d, double *z, double *objective_at)
{
    const struct fit_problem *problem = polish->problem;
    double next[LAW_MAX_COEFFICIENTS], got;

    for (size_t j = 0; j < problem->p; j++)
        next[j] = z[j] + d[j];
    fit_problem_clip(problem, next);
    if (!fit_problem_evaluate(problem, next, polish->trial, NULL))
        return;
    got = objective(polish, polish->trial, goal->delta);
    if (!(got <= *objective_at))
        return;
    memcpy(z, next, problem->p * sizeof *z);
    *objective_at = got;
}

struct fit_polished fit_polish_run(struct fit_polish *polish, const struct fit_polish_goal *goal,
                                   double *z)
{
    struct fit_polished result = {.objective = INFINITY, .stop = FIT_MAX_ITERATIONS};
    const struct fit_problem *problem = polish->problem;
    size_t p = problem->p, refused = 0;
    double damping = 1e-4, before = INFINITY;
    struct fit_step step = {0};
    bool curved = false;

    fit_problem_clip(problem, z);
    if (!fit_problem_evaluate(problem, z, polish->residual, polish->jacobian))
        return result;
    result.objective = objective(polish, polish->residual, goal->delta);
    if (p == 0)
        result.stop = FIT_CONVERGED;
    while (p > 0 && isfinite(result.objective) && result.iterations < goal->iterations) {
        double d[LAW_MAX_COEFFICIENTS], next[LAW_MAX_COEFFICIENTS], promised, got = INFINITY;

        set_step(polish, z, goal->delta, damping, &step);
        promised = fit_step_solve(&step, d);
        result.iterations++;
        if (goal->exact && promised < exact_below * result.objective &&
            (!curved || promised > stale_share * before)) {
            set_curvature(polish, z, goal->delta, &step);
            curved = true;
            before = INFINITY;
            continue;
        }
        if (promised <= goal->tolerance * result.objective) {
            if (goal->exact)
                last_step(polish, goal, d, z, &result.objective);
            if (damping > 1e-4 * (refused > 0 ? 1e4 : 1.0) && refused > 0 && promised > 0.0)
                result.stop = FIT_SMALL_STEP;
            else
                result.stop = FIT_CONVERGED;
            break;
        }
        before = promised;
        for (size_t j = 0; j < p; j++)
            next[j] = z[j] + d[j];
        fit_problem_clip(problem, next);
        /* Most steps are taken, so their slopes come along with their residuals. */
        if (fit_problem_evaluate(problem, next, polish->trial, polish->ahead))
            got = objective(polish, polish->trial, goal->delta);
        if (!(got < result.objective)) {
            if (++refused > REFUSALS_MAX) {
                result.stop = FIT_SMALL_STEP;
                break;
            }
            damping *= 10.0;
            continue;
        }
        refused = 0;
        damping = result.objective - got > 0.5 * promised ? damping * 0.1 : damping;
        memcpy(z, next, p * sizeof *z);
        result.objective = got;
        swap(&polish->residual, &polish->trial);
        swap(&polish->jacobian, &polish->ahead);
        if (polish->known != NULL && polish->known(polish->known_ctx, z)) {
            result.known = true;
            break;
        }
    }
    return result;
}
