#include "core/fit_residual.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/fit_diagnose.h"

/* The median of |residual| without memory: halves the range of the doubles, whose order is that of
 * their bits. The least value that half of the runs do not exceed. */
static double median_size(const struct fit_residual *residuals, size_t count)
{
    uint64_t low = 0, high = UINT64_MAX >> 1;
    double value;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        size_t below = 0;

        memcpy(&value, &middle, sizeof value);
        for (size_t i = 0; i < count; i++)
            below += fabs(residuals[i].residual) <= value ? 1 : 0;
        if (2 * below > count)
            high = middle;
        else
            low = middle + 1;
    }
    memcpy(&value, &low, sizeof value);
    return value;
}

void fit_residuals(const struct law *law, const double *coefficients, const struct robust *robust,
                   const struct obs *obs, size_t count, struct fit_residual *ret_residuals)
{
    double limit;

    for (size_t i = 0; i < count; i++) {
        struct law_x x = law_x_from_obs(&obs[i]);
        double response = law_response(law, coefficients, &x, NULL);
        struct fit_residual *r = &ret_residuals[i];

        r->predicted = law->response == LAW_IDENTITY_IS_SUM ? response : exp(response);
        r->residual = law_seen(law, obs[i].loss) - response;
        r->effective_weight = obs[i].weight * robust_weight(robust, r->residual);
    }
    limit = FIT_OUTLIER_SDS * FIT_SD_PER_MEDIAN * median_size(ret_residuals, count);
    for (size_t i = 0; i < count; i++)
        ret_residuals[i].outlier = !(fabs(ret_residuals[i].residual) <= limit);
}
