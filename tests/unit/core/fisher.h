/* fisher: how well a set of runs determines a law, by the information of its gradients alone.
 *
 * The linear theory of least squares on ln L with equal noise, in long doubles: another route to a
 * prediction's variance than core/suggest takes. E_start and E_max are known.
 */
#ifndef MOEPLAN_TESTS_FISHER_H
#define MOEPLAN_TESTS_FISHER_H

#include <math.h>
#include <string.h>

#include "core/law.h"

enum { FISHER_MAX = LAW_MAX_COEFFICIENTS };

struct fisher {
    const struct law *law;
    const double *coefficient;
    size_t n, index[FISHER_MAX];                /* free coefficients */
    long double matrix[FISHER_MAX][FISHER_MAX]; /* of coefficients relative to themselves */
};

static inline struct fisher fisher_make(const struct law *law, const double *coefficient)
{
    struct fisher fisher = {.law = law, .coefficient = coefficient};

    for (size_t k = 0; k < law->n_coefficients; k++)
        if (law->coefficients[k].role != LAW_SATURATION)
            fisher.index[fisher.n++] = k;
    return fisher;
}

/* d ln L/d ln coefficient. */
static inline void fisher_gradient(const struct fisher *fisher, const struct obs *obs,
                                   long double *ret)
{
    double gradient[LAW_MAX_COEFFICIENTS];
    struct law_x x = law_x_from_obs(obs);

    law_response(fisher->law, fisher->coefficient, &x, gradient);
    for (size_t i = 0; i < fisher->n; i++)
        ret[i] = gradient[fisher->index[i]] * fisher->coefficient[fisher->index[i]];
}

static inline void fisher_add(struct fisher *fisher, const struct obs *obs, double noise_log)
{
    long double g[FISHER_MAX];

    fisher_gradient(fisher, obs, g);
    for (size_t i = 0; i < fisher->n; i++)
        for (size_t j = 0; j < fisher->n; j++)
            fisher->matrix[i][j] += g[i] * g[j] / ((long double)noise_log * noise_log);
}

/* Lower Cholesky factor of the information. */
static inline void fisher_factor(const struct fisher *fisher, long double l[FISHER_MAX][FISHER_MAX])
{
    for (size_t i = 0; i < fisher->n; i++) {
        for (size_t j = 0; j <= i; j++) {
            long double sum = fisher->matrix[i][j];

            for (size_t k = 0; k < j; k++)
                sum -= l[i][k] * l[j][k];
            l[i][j] = i == j ? sqrtl(sum) : sum / l[j][j];
        }
    }
}

/* Variance of ln L at a run: |l^-1 g|². */
static inline double fisher_variance(const struct fisher *fisher, const struct obs *obs)
{
    long double l[FISHER_MAX][FISHER_MAX], y[FISHER_MAX], sum = 0;

    fisher_factor(fisher, l);
    fisher_gradient(fisher, obs, y);
    for (size_t i = 0; i < fisher->n; i++) {
        for (size_t k = 0; k < i; k++)
            y[i] -= l[i][k] * y[k];
        y[i] /= l[i][i];
        sum += y[i] * y[i];
    }
    return (double)sum;
}

#endif
