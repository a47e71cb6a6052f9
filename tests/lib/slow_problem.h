/* slow_problem: the runs of a study and the contract's objective, as the judge of slow_fit.h has
 * them.
 *
 * Shares nothing with core/fit*. Plain values, nothing allocated; runs of weight 0 are left out,
 * and so are those beyond SLOW_RUNS_MAX.
 */
#ifndef MOEPLAN_TESTS_SLOW_PROBLEM_H
#define MOEPLAN_TESTS_SLOW_PROBLEM_H

#include "core/obs.h"
#include "tests/lib/slow_law.h"

enum { SLOW_RUNS_MAX = 400 };

struct slow_problem {
    const struct slow_law *law;
    double delta;
    size_t count;
    struct slow_run run[SLOW_RUNS_MAX];
    struct slow_centre centre;
    double lower[SLOW_MAX], upper[SLOW_MAX];
    bool held[SLOW_MAX]; /* fixed at `at` */
    double at[SLOW_MAX];
};

static inline void slow_problem_init(struct slow_problem *problem, const char *law, double delta,
                                     const struct obs *obs, size_t count)
{
    struct slow_centre *c = &problem->centre;

    memset(problem, 0, sizeof *problem);
    problem->law = slow_law_find(law);
    problem->delta = delta;
    slow_law_bounds(problem->law, problem->lower, problem->upper);
    for (size_t i = 0; i < count; i++) {
        if (obs[i].weight > 0 && problem->count < SLOW_RUNS_MAX)
            problem->run[problem->count++] = (struct slow_run){
                .n = log(problem->law->total ? obs[i].n_total : obs[i].n_active),
                .d = log(obs[i].tokens),
                .e = log(obs[i].experts),
                .g = log(obs[i].granularity),
                .experts = obs[i].experts,
                .ln_granularity = log(obs[i].granularity),
                .y = log(obs[i].loss),
                .weight = obs[i].weight,
            };
    }
    for (size_t i = 0; i < problem->count; i++) {
        const struct slow_run *run = &problem->run[i];
        double share = 1.0 / (double)problem->count;

        c->n += share * run->n;
        c->d += share * run->d;
        c->e += share * run->e;
        c->g += share * run->g;
        c->y += share * run->y;
    }
    for (size_t i = 0; i < problem->count; i++) {
        problem->run[i].n -= c->n;
        problem->run[i].d -= c->d;
        problem->run[i].e -= c->e;
        problem->run[i].g -= c->g;
        problem->run[i].y -= c->y;
    }
}

/* Holds E_start and E_max. */
static inline void slow_problem_hold_saturations(struct slow_problem *problem, double e_start,
                                                 double e_max)
{
    size_t start = problem->law->start;

    if (start == SLOW_MAX)
        return;
    problem->held[start] = problem->held[start + 1] = true;
    problem->at[start] = log(e_start);
    problem->at[start + 1] = e_start / e_max;
}

/* ln L̂ of a run about the centre, and its gradient; NAN where there is none. */
static inline double slow_predict(const struct slow_problem *problem, const struct slow_run *run,
                                  const double *y, double *ret_gradient)
{
    const struct slow_law *law = problem->law;
    double phi[SLOW_TERMS], slope[SLOW_TERMS][SLOW_MAX] = {{0}}, sum = 0;

    law->terms(&problem->centre, run, y, phi, slope);
    for (size_t k = 0; k < law->n_terms; k++)
        sum += y[k] * phi[k];
    if (ret_gradient != NULL) {
        double by_sum = law->logarithmic ? 1 : 1 / sum;

        for (size_t j = 0; j < law->n; j++) {
            double total = j < law->n_terms ? phi[j] : 0;

            for (size_t k = 0; k < law->n_terms; k++)
                total += y[k] * slope[k][j];
            ret_gradient[j] = total * by_sum;
        }
    }
    return law->logarithmic ? sum : log(sum);
}

static inline double slow_loss(double residual, double delta)
{
    double size = fabs(residual);

    return size <= delta ? 0.5 * residual * residual : delta * (size - 0.5 * delta);
}

/* The objective of natural coefficients in the contract's order, at a threshold; INFINITY where it
 * is not a number. */
static inline double slow_objective_natural(const struct slow_problem *problem,
                                            const double *natural, double delta)
{
    double y[SLOW_MAX], sum = 0;

    problem->law->point(&problem->centre, natural, y);
    for (size_t i = 0; i < problem->count; i++) {
        const struct slow_run *run = &problem->run[i];

        sum += run->weight * slow_loss(run->y - slow_predict(problem, run, y, NULL), delta);
    }
    return isfinite(sum) ? sum : INFINITY;
}

/* Whether the amplitudes that go with the exponents of a point, were each term to count 1 at the
 * centre, are numbers with room to spare. */
static inline bool slow_can_be_told(const struct slow_problem *problem, const double *y)
{
    const struct slow_law *law = problem->law;
    double at[SLOW_MAX], natural[SLOW_MAX];

    memcpy(at, y, law->n * sizeof *at);
    for (size_t k = 0; k < law->n_terms && !law->logarithmic; k++)
        at[k] = 1;
    law->natural(&problem->centre, at, natural);
    for (size_t j = 0; j < law->n; j++)
        if (natural[j] != 0 && natural[j] < INFINITY &&
            !(fabs(natural[j]) > 1e-250 && fabs(natural[j]) < 1e250))
            return false;
    return true;
}

/* The objective at a point, as its natural coefficients have it: a fit is told in those, so where
 * they are beyond the doubles there is none. */
static inline double slow_objective(const struct slow_problem *problem, const double *y,
                                    double delta)
{
    double natural[SLOW_MAX];

    if (!slow_can_be_told(problem, y))
        return INFINITY;
    problem->law->natural(&problem->centre, y, natural);
    return slow_objective_natural(problem, natural, delta);
}

#endif
