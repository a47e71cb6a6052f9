#include "core/fit_interval.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double quantile(const double *sorted, size_t n, double share)
{
    double at = share * (double)(n - 1), low, high;
    size_t below = (size_t)at;

    low = sorted[below];
    high = sorted[below + 1 < n ? below + 1 : below];
    if (!isfinite(low) || !isfinite(high))
        return at - (double)below < 0.5 ? low : high;
    return low + (at - (double)below) * (high - low);
}

void fit_interval_of(double *values, size_t n, double level, double *ret_interval)
{
    ret_interval[0] = ret_interval[1] = NAN;
    if (n == 0)
        return;
    qsort(values, n, sizeof *values, compare_doubles);
    ret_interval[0] = quantile(values, n, 0.5 * (1.0 - level));
    ret_interval[1] = quantile(values, n, 0.5 * (1.0 + level));
}

double fit_interval_normal(double level)
{
    return gsl_cdf_ugaussian_Pinv(0.5 * (1.0 + level));
}

void fit_interval_loss(const struct law *law, const double *coefficients, const double *draws,
                       size_t n, const struct law_x *x, double noise_log, double level,
                       double *scratch, double *ret_mean, double *ret_run)
{
    double centre = law_response(law, coefficients, x, NULL), noise;
    double interval[2];

    for (size_t k = 0; k < n; k++)
        scratch[k] = law_response(law, draws + k * law->n_coefficients, x, NULL);
    fit_interval_of(scratch, n, level, interval);
    noise = fit_interval_normal(level) * noise_log;
    for (int side = 0; side < 2; side++) {
        double sign = side == 0 ? -1.0 : 1.0;
        double off = fmax(0.0, sign * (interval[side] - centre));
        double run = n == 0 ? NAN : centre + sign * sqrt(off * off + noise * noise);
        bool is_loss = law->response == LAW_IDENTITY_IS_SUM;

        ret_mean[side] = is_loss ? interval[side] : exp(interval[side]);
        if (ret_run != NULL)
            ret_run[side] = is_loss ? run : exp(run);
    }
}
