#include "core/suggest_space.h"

#include <math.h>

/* A direction in which the runs say less than this share of what they say of its coefficients is
 * kept from being divided by. */
static const double least_information = 1e-13;

static bool at_bound(const struct law_coefficient *c, double value)
{
    return value <= c->lower || value >= c->upper || (c->transform == LAW_LN && value <= 0) ||
           (c->transform == LAW_RECIPROCAL && !isfinite(value));
}

/* d ln L̂/d coordinate, scaled. */
static void gradient(const struct suggest_space *space, const struct obs *run, double *ret)
{
    const struct law_x x = law_x_from_obs(run);
    double natural[LAW_MAX_COEFFICIENTS];

    law_response(space->law, space->coefficient, &x, natural);
    for (size_t i = 0; i < space->rank; i++) {
        size_t k = space->index[i];
        double by_coordinate = space->law->coefficients[k].transform == LAW_LN
                                   ? natural[k] * space->coefficient[k]
                                   : natural[k];

        ret[i] = by_coordinate * space->scale[i];
    }
}

/* Lower triangle of the information, of coordinates scaled by what is in `scale`. */
static void add_information(const struct suggest_space *space, const struct fit_options *options,
                            const struct obs *runs, size_t count, double spread,
                            long double ret[SUGGEST_RANK_MAX][SUGGEST_RANK_MAX])
{
    for (size_t i = 0; i < space->rank; i++) {
        const struct fit_prior *prior = &options->prior[space->index[i]];
        double by_prior = prior->set ? space->scale[i] / (prior->sd * spread) : 0;

        for (size_t j = 0; j < i; j++)
            ret[i][j] = 0;
        ret[i][i] = by_prior * by_prior;
    }
    for (size_t r = 0; r < count; r++) {
        double g[SUGGEST_RANK_MAX], weight = runs[r].weight / (spread * spread);

        gradient(space, &runs[r], g);
        for (size_t i = 0; i < space->rank; i++)
            for (size_t j = 0; j <= i; j++)
                ret[i][j] += weight * g[i] * g[j];
    }
}

void suggest_space_init(struct suggest_space *space, const struct fit_options *options,
                        const double *coefficient, const struct obs *runs, size_t count,
                        double spread)
{
    const struct law *law = options->law;
    long double m[SUGGEST_RANK_MAX][SUGGEST_RANK_MAX];
    size_t kept = 0;

    *space = (struct suggest_space){.law = law, .coefficient = coefficient};
    for (size_t k = 0; k < law->n_coefficients; k++) {
        if (options->hold[k] == FIT_FIXED || at_bound(&law->coefficients[k], coefficient[k]))
            continue;
        space->index[space->rank] = k;
        space->scale[space->rank++] = 1;
    }
    add_information(space, options, runs, count, spread, m);
    /* One unit of information on each; what the runs do not read is left out. */
    for (size_t i = 0; i < space->rank; i++) {
        if (!(m[i][i] > 0))
            continue;
        space->index[kept] = space->index[i];
        space->scale[kept++] = 1 / (double)sqrtl(m[i][i]);
    }
    space->rank = kept;
    add_information(space, options, runs, count, spread, m);
    for (size_t i = 0; i < kept; i++) {
        for (size_t j = 0; j <= i; j++) {
            long double sum = m[i][j];

            for (size_t k = 0; k < j; k++)
                sum -= (long double)space->factor[i][k] * space->factor[j][k];
            space->factor[i][j] = i == j ? (double)sqrtl(fmaxl(sum, least_information))
                                         : (double)(sum / space->factor[j][j]);
        }
    }
}

void suggest_space_feature(const struct suggest_space *space, const struct obs *run, double *ret)
{
    gradient(space, run, ret);
    for (size_t i = 0; i < space->rank; i++) {
        for (size_t j = 0; j < i; j++)
            ret[i] -= space->factor[i][j] * ret[j];
        ret[i] /= space->factor[i][i];
    }
}
