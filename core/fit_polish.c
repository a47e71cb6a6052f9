#include "core/fit_polish.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/fit_step_rows.h"

enum { REFUSALS_MAX = 15, SHORTENINGS = 3 };

static const double first_damping = 1e-6;

/* Second derivatives pay once a step promises less than this share of the objective… */
static const double exact_below = 1e-4;

/* …with little damping, as they know what is flat and what only looks so… */
static const double curved_damping = 1e-8;

/* …and are taken anew where a step gained so much more or less than it promised. */
static const double belied = 0.3;

/* A curvature that lets a step promise so many times what one without it did, or the one before, is
 * not that of a valley's floor. */
static const double bent_most = 4.0;

/* As a share of the loss at the centre of the runs. */
static const double small_factor = 1e-2;

/* Steps that promise more than this share of the objective need not be solved to the last. */
static const double far_share = 1e-2;

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
    struct fit_step rows = {.n = polish->problem->n,
                            .n_rows = polish->problem->n_rows,
                            .weight = polish->weight,
                            .delta = delta};
    double sum = fit_step_loss(&rows, residuals);

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
    fit_step_scale(step);
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

/* Where a descent stands. */
struct descent {
    struct fit_polish *polish;
    const struct fit_polish_goal *goal;
    double *z, objective;
    double damping;
    bool curved, stale; /* whether there is a curvature, and whether the way since has belied it */
    struct fit_step step;
};

/* The objective at z + length·d, clipped, into ret_next; its residuals and slopes, as most steps
 * are taken, into trial and ahead. */
static double look(struct descent *descent, const double *d, double length, double *ret_next)
{
    struct fit_polish *polish = descent->polish;
    const struct fit_problem *problem = polish->problem;

    for (size_t j = 0; j < problem->p; j++) {
        double step = length * d[j];

        ret_next[j] = descent->z[j] + step;
        /* A factor that hardly counts at the centre follows the exponents that make it count
         * elsewhere, and moves with them in its logarithm: without this next order a valley would
         * have to be walked in tiny steps. */
        if (problem->is_factor[j] && descent->z[j] < small_factor && fabs(step) < descent->z[j])
            ret_next[j] += 0.5 * step * step / descent->z[j];
    }
    fit_problem_clip(problem, ret_next);
    if (!fit_problem_evaluate(problem, ret_next, polish->trial, polish->ahead))
        return INFINITY;
    return objective(polish, polish->trial, descent->goal->delta);
}

/* The full step, or as much of it as lowers the objective: its minimum along the parabola through
 * what is known. INFINITY when a quarter of a quarter of it does not lower the objective either. */
static double take_step(struct descent *descent, const double *d, double promised, double *ret_next)
{
    double got = look(descent, d, 1.0, ret_next), length = 1.0;

    for (int shorter = 0; !(got < descent->objective) && shorter < SHORTENINGS; shorter++) {
        double rise = (got - descent->objective) / (length * promised) + 2.0;

        length *= fmax(0.1, fmin(0.5, 1.0 / rise));
        got = look(descent, d, length, ret_next);
    }
    return got < descent->objective ? got : INFINITY;
}

static void accept(struct descent *descent, const double *next, double got, double promised)
{
    struct fit_polish *polish = descent->polish;
    double share = (descent->objective - got) / promised;

    if (share > 0.75)
        descent->damping *= 0.1;
    else if (share < 0.25)
        descent->damping *= 10.0;
    descent->stale = descent->stale || fabs(share - 1.0) > belied;
    memcpy(descent->z, next, polish->problem->p * sizeof *next);
    descent->objective = got;
    swap(&polish->residual, &polish->trial);
    swap(&polish->jacobian, &polish->ahead);
}

/* With the curvature of here, or without any. */
static void bend(struct descent *descent, bool curved)
{
    if (curved)
        set_curvature(descent->polish, descent->z, descent->goal->delta, &descent->step);
    else
        memset(&descent->step.curvature, 0, sizeof descent->step.curvature);
    descent->damping = curved ? fmin(descent->damping, curved_damping) : first_damping;
    descent->curved = curved;
    descent->stale = false;
}

struct fit_polished fit_polish_run(struct fit_polish *polish, const struct fit_polish_goal *goal,
                                   double *z)
{
    struct fit_polished result = {.objective = INFINITY, .stop = FIT_MAX_ITERATIONS};
    struct descent descent = {
        .polish = polish, .goal = goal, .z = z, .damping = first_damping, .stale = true};
    size_t p = polish->problem->p, refused = 0;
    double before = INFINITY;

    fit_problem_clip(polish->problem, z);
    if (!fit_problem_evaluate(polish->problem, z, polish->residual, polish->jacobian))
        return result;
    descent.objective = objective(polish, polish->residual, goal->delta);
    if (p == 0)
        result.stop = FIT_CONVERGED;
    while (p > 0 && isfinite(descent.objective) && result.iterations < goal->iterations) {
        double d[LAW_MAX_COEFFICIENTS], next[LAW_MAX_COEFFICIENTS], promised, got;

        set_step(polish, z, goal->delta, descent.damping, &descent.step);
        descent.step.gain_share = before > far_share * descent.objective ? 1e-2 : 1e-6;
        promised = fit_step_solve(&descent.step, d);
        result.iterations++;
        if (descent.curved && !(promised < bent_most * before)) {
            bend(&descent, false);
            continue;
        }
        before = promised;
        if (goal->exact && descent.stale && promised < exact_below * descent.objective) {
            bend(&descent, true);
            continue;
        }
        if (promised <= goal->tolerance * descent.objective) {
            if (goal->exact)
                last_step(polish, goal, d, z, &descent.objective);
            result.stop = refused > 0 && promised > 0.0 ? FIT_SMALL_STEP : FIT_CONVERGED;
            break;
        }
        got = take_step(&descent, d, promised, next);
        if (!isfinite(got)) {
            if (++refused > REFUSALS_MAX) {
                result.stop = FIT_SMALL_STEP;
                break;
            }
            descent.damping *= 100.0;
            continue;
        }
        refused = 0;
        accept(&descent, next, got, promised);
        if (polish->known != NULL && polish->known(polish->known_ctx, z)) {
            result.known = true;
            break;
        }
    }
    polish->steps += result.iterations;
    result.objective = descent.objective;
    return result;
}
