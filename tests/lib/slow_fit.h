/* slow_fit: a slow optimiser of the contract's objective, to hold fit_run against.
 *
 * Independent of core/fit* and core/varpro by design: all coefficients move at once, in the
 * coordinates of slow_law.h. From every random start: reweighted steps down a ladder of thresholds
 * from least squares to delta, then exact ones (slow_descent.h). About the best point then come
 * hops of five kinds, until so many in a row gain nothing.
 */
#ifndef MOEPLAN_TESTS_SLOW_FIT_H
#define MOEPLAN_TESTS_SLOW_FIT_H

#include "core/rng.h"
#include "tests/lib/slow_descent.h"

struct slow_effort {
    size_t starts; /* random ones */
    size_t hops;   /* in a row without gain */
    uint64_t seed;
};

struct slow_answer {
    double objective;
    double y[SLOW_MAX];
};

/* Non-negative amplitudes of least relative squares at the other coordinates of y: the best over
 * all subsets of terms. */
static inline void slow_amplitudes(const struct slow_problem *problem, double *y)
{
    const struct slow_law *law = problem->law;
    slow_matrix full = {{0}};
    double right[SLOW_TERMS] = {0}, best = INFINITY, found[SLOW_TERMS] = {0};

    for (size_t i = 0; i < problem->count; i++) {
        const struct slow_run *run = &problem->run[i];
        double phi[SLOW_TERMS], unused[SLOW_TERMS][SLOW_MAX] = {{0}};
        double aim = law->logarithmic ? run->y : 1, scale = law->logarithmic ? 1 : exp(-run->y);

        law->terms(&problem->centre, run, y, phi, unused);
        for (size_t k = 0; k < law->n_terms; k++) {
            right[k] += run->weight * aim * phi[k] * scale;
            for (size_t l = 0; l <= k; l++)
                full[k][l] += run->weight * phi[k] * phi[l] * scale * scale;
        }
    }
    for (unsigned set = 1; set < 1u << law->n_terms; set++) {
        slow_matrix a;
        double b[SLOW_TERMS], gain = 0;
        size_t index[SLOW_TERMS], n = 0;
        bool fits = true;

        for (size_t k = 0; k < law->n_terms; k++)
            if (set >> k & 1)
                index[n++] = k;
        for (size_t r = 0; r < n; r++) {
            b[r] = right[index[r]];
            for (size_t c = 0; c <= r; c++)
                a[r][c] = full[index[r]][index[c]];
        }
        if (!slow_solve(a, n, b))
            continue;
        for (size_t r = 0; r < n; r++) {
            fits = fits && (law->logarithmic || b[r] >= 0);
            gain -= b[r] * right[index[r]];
        }
        if (!fits || !(gain < best))
            continue;
        best = gain;
        memset(found, 0, sizeof found);
        for (size_t r = 0; r < n; r++)
            found[index[r]] = b[r];
    }
    memcpy(y, found, law->n_terms * sizeof *y);
}

/* New values from the boxes for the coordinates with their bit set; amplitudes follow. */
static inline void slow_draw(const struct slow_problem *problem, unsigned which, struct rng *rng,
                             double *y)
{
    const struct slow_law *law = problem->law;

    for (size_t j = law->n_terms; j < law->n; j++) {
        double u = rng_uniform(rng);

        if (problem->held[j])
            y[j] = problem->at[j];
        else if (which >> j & 1)
            y[j] = law->box[j][0] +
                   (j == law->start + 1 ? u * u : u) * (law->box[j][1] - law->box[j][0]);
    }
    slow_amplitudes(problem, y);
}

/* Home from wherever y is: reweighted steps down the ladder, exact ones at its end unless that is
 * hopeless beside `best`. */
static inline double slow_home(const struct slow_problem *problem, bool far, double best, double *y)
{
    static const double ladder[] = {1e6, 30, 10, 3};
    double value = INFINITY;

    for (size_t l = far ? 0 : 3; l < sizeof ladder / sizeof ladder[0]; l++)
        (void)slow_descend(problem, ladder[l] * problem->delta, false, l == 0 ? 60 : 15, 1e-4, y);
    value = slow_descend(problem, problem->delta, false, 15, 1e-4, y);
    if (value <= 1.3 * best || !isfinite(best))
        value = slow_descend(problem, problem->delta, true, 8, 1e-4, y);
    if (value <= 1.02 * best || !isfinite(best))
        value = slow_descend(problem, problem->delta, true, 100, 1e-13, y);
    return value;
}

static inline void slow_keep(struct slow_answer *answer, double value, const double *y, size_t n)
{
    if (!(value < answer->objective))
        return;
    answer->objective = value;
    memcpy(answer->y, y, n * sizeof *y);
}

/* A normal jump about y by so many standard deviations of the robust estimate. */
static inline void slow_jump(const struct slow_problem *problem, double length, struct rng *rng,
                             double *y)
{
    const size_t n = problem->law->n;
    slow_matrix m, h;
    double g[SLOW_MAX], slopes[SLOW_RUNS_MAX], squares = 0, noise[SLOW_MAX] = {0};

    slow_sums(problem, y, problem->delta, g, m, h, slopes);
    for (size_t i = 0; i < problem->count; i++)
        squares += slopes[i] * slopes[i];
    squares /= (double)problem->count;
    /* Σ √(w)·J·ε has covariance M: solved by M it has M⁻¹. */
    for (size_t i = 0; i < problem->count; i++) {
        const struct slow_run *run = &problem->run[i];
        double by[SLOW_MAX], r = run->y - slow_predict(problem, run, y, by);
        double size = fmax(fabs(r), problem->delta);
        double root = sqrt(run->weight * problem->delta / size) * rng_normal(rng);

        for (size_t j = 0; j < n; j++)
            noise[j] -= root * by[j] * length * sqrt(squares / (problem->delta / size));
    }
    if (slow_step(problem, y, noise, m, m, 1e-9, g))
        for (size_t j = 0; j < n; j++)
            y[j] = fmax(problem->lower[j], fmin(problem->upper[j], y[j] + g[j]));
}

/* Minimises with random weights (half the hops: a random half of the runs), from y. */
static inline void slow_reweigh(struct slow_problem *problem, struct rng *rng, double *y)
{
    double kept[SLOW_RUNS_MAX];
    bool halves = rng_uniform(rng) < 0.5;

    for (size_t i = 0; i < problem->count; i++) {
        double u = rng_uniform(rng);

        kept[i] = problem->run[i].weight;
        problem->run[i].weight *= halves ? (u < 0.5 ? 0.02 : 1) : -log(1 - u);
    }
    (void)slow_descend(problem, 3 * problem->delta, false, 15, 1e-3, y);
    (void)slow_descend(problem, problem->delta, false, 25, 1e-3, y);
    for (size_t i = 0; i < problem->count; i++)
        problem->run[i].weight = kept[i];
}

/* One hop from the best point: `kind` by turns. */
static inline double slow_hop(struct slow_problem *problem, const struct slow_answer *best,
                              size_t kind, struct rng *rng, double *y)
{
    memcpy(y, best->y, sizeof best->y);
    switch (kind % 5) {
    case 0: /* near */
        slow_jump(problem, 1 + 9 * rng_uniform(rng), rng, y);
        break;
    case 1: /* far */
        slow_jump(problem, 10 * exp(3 * rng_uniform(rng)), rng, y);
        break;
    case 2:
        slow_reweigh(problem, rng, y);
        break;
    case 3: /* some exponents anew */
        slow_draw(problem, (unsigned)rng_next(rng) & (unsigned)rng_next(rng), rng, y);
        return slow_home(problem, true, best->objective, y);
    default: /* closer to L1, and back */
        slow_jump(problem, 2, rng, y);
        (void)slow_descend(problem, 0.2 * problem->delta, false, 40, 1e-4, y);
        (void)slow_descend(problem, 0.2 * problem->delta, true, 10, 1e-6, y);
        return slow_descend(problem, problem->delta, true, 100, 1e-13, y);
    }
    return slow_home(problem, false, best->objective, y);
}

/* The best point found with the effort, from an answer so far (objective INFINITY for none). Works
 * on the problem's weights but leaves them as they were. */
static inline void slow_fit_run(struct slow_problem *problem, const struct slow_effort *effort,
                                struct slow_answer *answer)
{
    const size_t n = problem->law->n;
    size_t idle = 0;

    for (size_t s = 0; s < effort->starts; s++) {
        struct rng rng = rng_stream(effort->seed, s);
        double y[SLOW_MAX] = {0}, value;

        slow_draw(problem, ~0u, &rng, y);
        value = slow_home(problem, true, answer->objective, y);
        slow_keep(answer, value, y, n);
    }
    for (size_t k = 0; isfinite(answer->objective) && idle < effort->hops; k++, idle++) {
        struct rng rng = rng_stream(effort->seed, ~(uint64_t)k);
        double y[SLOW_MAX], value = slow_hop(problem, answer, k, &rng, y);

        if (value < answer->objective * (1 - 1e-9))
            idle = 0;
        slow_keep(answer, value, y, n);
    }
}

#endif
