#include "core/fit_shape.h"

#include <math.h>
#include <string.h>

/* E_start, and 1 − E_start/E_max. */
static const struct {
    double e_start, left;
} of_experts[] = {
    {1, 1},   /* ln E */
    {2, 1},   /* ln (E + 1) */
    {10, 1},  /* ln (E + 9) */
    {1, 0},   /* E, as near as can be told */
    {1, 0.5}, /* ln ((E + 1)/(E + 3)) */
    {1, 0.2}, /* ln ((E + 4)/(4·E + 21)) */
};

/* t/(1 + t) at the centre, and φ. */
static const struct {
    double weight, phi;
} of_granularity[] = {
    {0.1, 0.7},                 /* K's */
    {0.999, 0.03},              /* a power of G */
    {0.999, -0.03}, {0.05, 20}, /* a step from G = 1 */
    {1e-4, -3},                 /* one towards the largest G */
};

enum {
    OF_EXPERTS = sizeof of_experts / sizeof *of_experts,
    OF_GRANULARITY = sizeof of_granularity / sizeof *of_granularity,
};
_Static_assert((OF_EXPERTS + 1) * (OF_GRANULARITY + 1) == FIT_SHAPES + 1,
               "every pair but that of what is");

/* Puts a free coordinate where it is to stay; false when it is not free. */
static bool put(const struct fit_problem *problem, size_t coefficient, double value, double *z,
                bool *held)
{
    if (coefficient >= problem->law->n_coefficients || !problem->is_free[coefficient])
        return false;
    z[problem->coordinate[coefficient]] = value;
    held[problem->coordinate[coefficient]] = true;
    return true;
}

bool fit_shape_set(const struct fit_problem *problem, size_t number, double *z, bool *ret_held)
{
    size_t e = (number + 1) % (OF_EXPERTS + 1), g = (number + 1) / (OF_EXPERTS + 1);
    size_t phi = law_coefficient_index(problem->law, "phi");

    memset(ret_held, 0, LAW_MAX_COEFFICIENTS * sizeof *ret_held);
    if (e > 0 && !(put(problem, problem->e_start, log(of_experts[e - 1].e_start), z, ret_held) &&
                   put(problem, problem->e_max, log(of_experts[e - 1].left), z, ret_held)))
        return false;
    if (g > 0 && !(put(problem, problem->kappa, of_granularity[g - 1].weight, z, ret_held) &&
                   put(problem, phi, of_granularity[g - 1].phi, z, ret_held)))
        return false;
    fit_problem_clip(problem, z);
    return true;
}
