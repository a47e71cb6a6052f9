#include "core/plan_local.h"

#include <math.h>

/* |N/N0 − 1| and |exponent·ln(N/N0)|, and the same of D, within which the polynomials below hold to
 * 1e-15 of the loss. */
static const double near = 1.0 / 16;

void plan_local_init(struct plan_local *local, const struct law_slice *slice, double n_params,
                     double tokens)
{
    double ln_n = log(n_params);

    local->slice = slice;
    local->per_n = 1 / n_params;
    local->per_tokens = 1 / tokens;
    local->data = slice->n * exp(slice->nu * log(tokens));
    local->loss = slice->c + local->data;
    for (size_t j = 0; j < slice->n_size_terms; j++) {
        local->size[j] = slice->m[j] * exp(slice->mu[j] * ln_n);
        local->loss += local->size[j];
    }
}

/* Coefficients from the highest power down to the constant. */
static inline double polynomial(const double *coefficient, size_t count, double x)
{
    double sum = coefficient[0];

    for (size_t k = 1; k < count; k++)
        sum = sum * x + coefficient[k];
    return sum;
}

/* ln(1 + r) = 2·artanh(s), s = r/(2 + r). */
static double ln_of(double r)
{
    static const double series[] = {2. / 11, 2. / 9, 2. / 7, 2. / 5, 2. / 3, 2};
    double s = r / (2 + r);

    return s * polynomial(series, sizeof series / sizeof series[0], s * s);
}

/* e^z − 1. */
static double power_beyond_1(double z)
{
    static const double series[] = {1. / 40320, 1. / 5040, 1. / 720, 1. / 120,
                                    1. / 24,    1. / 6,    1. / 2,   1};

    return z * polynomial(series, sizeof series / sizeof series[0], z);
}

double plan_local_loss(const struct plan_local *local, double n_params, double tokens)
{
    const struct law_slice *slice = local->slice;
    double more_n = n_params * local->per_n - 1, more_tokens = tokens * local->per_tokens - 1;
    double ln_n, z, loss = local->loss;

    if (!(fabs(more_n) <= near && fabs(more_tokens) <= near))
        return law_slice_loss(slice, n_params, tokens);
    ln_n = ln_of(more_n);
    z = slice->nu * ln_of(more_tokens);
    loss += local->data * power_beyond_1(z);
    for (size_t j = 0; j < slice->n_size_terms; j++) {
        double y = slice->mu[j] * ln_n;

        if (!(fabs(y) <= near))
            return law_slice_loss(slice, n_params, tokens);
        loss += local->size[j] * power_beyond_1(y);
    }
    return fabs(z) <= near ? loss : law_slice_loss(slice, n_params, tokens);
}
