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

double robust_spread(const struct robust *robust, double noise)
{
    double z = robust->delta / noise, inside, square;

    if (robust->kind == ROBUST_SQUARED || !(noise > 0))
        return noise;
    inside = erf(z * M_SQRT1_2); /* P(|r| <= delta) = E[h''] */
    square = inside - z * sqrt(2 * M_1_PI) * exp(-0.5 * z * z) + z * z * erfc(z * M_SQRT1_2);
    /* Below, the terms cancel and the limit is reached. */
    return z < 1e-4 ? noise * sqrt(M_PI_2) : noise * sqrt(square) / inside;
}
