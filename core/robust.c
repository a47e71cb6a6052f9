#include "core/robust.h"

#include <math.h>

double robust_loss(const struct robust *robust, double residual)
{
    double size = fabs(residual);

    if (robust->kind == ROBUST_SQUARED || size <= robust->delta)
        return 0.5 * residual * residual;
    return robust->delta * (size - 0.5 * robust->delta);
}

double robust_slope(const struct robust *robust, double residual)
{
    if (robust->kind == ROBUST_SQUARED || fabs(residual) <= robust->delta)
        return residual;
    return copysign(robust->delta, residual);
}

double robust_weight(const struct robust *robust, double residual)
{
    double size = fabs(residual);

    if (robust->kind == ROBUST_SQUARED || size <= robust->delta)
        return 1.0;
    return robust->delta / size;
}
