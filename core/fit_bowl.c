#include "core/fit_bowl.h"

#include <math.h>
#include <string.h>

bool fit_bowl_find(const struct fit_polish *polish, const double *z, struct fit_bowl *ret_bowl)
{
    const struct fit_problem *problem = polish->problem;
    double delta = fit_problem_delta(problem), squares = 0.0, inside = 0.0, total = 0.0;
    size_t p = problem->p;

    if (!fit_problem_evaluate(problem, z, polish->residual, polish->jacobian))
        return false;
    memset(ret_bowl, 0, sizeof *ret_bowl);
    ret_bowl->problem = problem;
    memcpy(ret_bowl->z, z, p * sizeof *z);
    for (size_t i = 0; i < problem->n_rows; i++) {
        const double *row = polish->jacobian + i * problem->stride;
        double size = fmin(fabs(polish->residual[i]), delta), w = problem->weight[i];

        for (size_t j = 0; j < p; j++)
            for (size_t k = 0; k <= j; k++)
                ret_bowl->factor.at[j][k] += w * row[j] * row[k];
        if (i >= problem->n)
            continue;
        squares += w * size * size;
        inside += fabs(polish->residual[i]) <= delta ? w : 0.0;
        total += w;
    }
    for (size_t j = 0; j < p; j++)
        ret_bowl->scale[j] = sqrt(ret_bowl->factor.at[j][j]);
    for (size_t j = 0; j < p; j++)
        for (size_t k = 0; k <= j; k++)
            ret_bowl->factor.at[j][k] /= ret_bowl->scale[j] > 0.0 && ret_bowl->scale[k] > 0.0
                                             ? ret_bowl->scale[j] * ret_bowl->scale[k]
                                             : 1.0;
    for (size_t j = 0; j < p; j++)
        ret_bowl->factor.at[j][j] +=
            1e-10; /* flat directions jump 1e5 residuals, not to infinity */
    ret_bowl->sd = sqrt(squares / total) / fmax(inside / total, 0.05);
    return fit_matrix_factor(&ret_bowl->factor, p);
}

/* The covariance is (factor·factorᵀ)⁻¹. */
void fit_bowl_jump(const struct fit_bowl *bowl, double length, struct rng *rng, double *z)
{
    size_t p = bowl->problem->p;
    double u[LAW_MAX_COEFFICIENTS];

    for (size_t j = 0; j < p; j++)
        u[j] = length * bowl->sd * rng_normal(rng);
    for (size_t i = p; i-- > 0;) {
        for (size_t k = i + 1; k < p; k++)
            u[i] -= bowl->factor.at[k][i] * u[k];
        u[i] /= bowl->factor.at[i][i];
    }
    for (size_t j = 0; j < p; j++)
        if (bowl->scale[j] > 0.0)
            z[j] += u[j] / bowl->scale[j];
    fit_problem_clip(bowl->problem, z);
}

/* Nearer than half a standard deviation the law is as good as linear and the objective convex. */
bool fit_bowl_holds(void *ctx, const double *z)
{
    static const double radius = 0.5;
    const struct fit_bowl *bowl = ctx;
    size_t p = bowl->problem->p;
    double sum = 0.0;

    for (size_t i = 0; i < p; i++) {
        double along = 0.0;

        for (size_t k = i; k < p; k++)
            along += bowl->factor.at[k][i] * bowl->scale[k] * (z[k] - bowl->z[k]);
        sum += along * along;
    }
    return sum < radius * radius * bowl->sd * bowl->sd;
}
