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

double fit_interval_least_draws(double level)
{
    static const double rounding = 1e-9; /* more than it adds to 2/(1 - 0.9) */

    return ceil(2.0 / (1.0 - level) * (1.0 - rounding));
}

double fit_interval_normal(double level)
{
    return gsl_cdf_ugaussian_Pinv(0.5 * (1.0 + level));
}

void fit_interval_loss(const struct law *law, const double *coefficients, const double *draws,
                       size_t n, const struct law_x *x, double noise_log, double level,
                       double *scratch, double *ret_mean, double *ret_run)
{
    double centre = law_loss(law, coefficients, x), noise = fit_interval_normal(level) * noise_log;
    size_t finite = 0;

    for (size_t k = 0; k < n; k++) {
        scratch[finite] = law_loss(law, draws + k * law->n_coefficients, x);
        finite += isfinite(scratch[finite]) ? 1 : 0;
    }
    fit_interval_of(scratch, finite < 2 ? 0 : finite, level, ret_mean);
    for (int side = 0; ret_run != NULL && side < 2; side++) {
        double sign = side == 0 ? -1.0 : 1.0;
        bool is_loss = law->response == LAW_IDENTITY_IS_SUM;
        double off = is_loss ? ret_mean[side] - centre : log(ret_mean[side] / centre);
        double reach = sign * hypot(fmax(0.0, sign * off), noise);

        ret_run[side] = finite < 2 ? NAN : is_loss ? centre + reach : centre * exp(reach);
    }
}
