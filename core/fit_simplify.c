#include "core/fit_simplify.h"

#include <math.h>

enum { ENOUGH_RUNS = 2000 /* for a search */ };

/* The standard deviation of a prior, in its coefficient's transform and beside runs of weight 1,
 * that steps still can follow. */
static const double sure = 1e-3;

/* The least that a search can do with. */
static double least_sd(const struct fit_problem *problem)
{
    double weight = 0.0;

    for (size_t i = 0; i < problem->n; i++)
        weight += problem->weight[i];
    return sure / sqrt(weight / (double)problem->n);
}

bool fit_simplify_is_simple(const struct fit_problem *problem)
{
    double least = least_sd(problem);

    for (size_t m = 0; m < problem->n_priors; m++)
        if (problem->prior[m].sd < least)
            return false;
    return problem->n < 2 * ENOUGH_RUNS;
}

bool fit_simplify_priors(struct fit_problem *problem)
{
    double least = least_sd(problem);
    bool any = false;

    for (size_t m = 0; m < problem->n_priors; m++) {
        any = any || problem->prior[m].sd < least;
        problem->prior[m].sd = fmax(problem->prior[m].sd, least);
    }
    return any;
}

enum err_code fit_simplify(const struct fit_problem *problem, struct arena *arena,
                           struct fit_problem *ret_simple, struct err *err)
{
    enum err_code code = ERR_OK;

    *ret_simple = *problem;
    (void)fit_simplify_priors(ret_simple);
    if (problem->n >= 2 * ENOUGH_RUNS)
        code = fit_problem_thin(ret_simple, problem->n / ENOUGH_RUNS, arena, ret_simple, err);
    return code;
}
