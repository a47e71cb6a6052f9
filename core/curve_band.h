/* curve_band: the band of a contour: the interval of the loss over a fit's draws at each of its
 * points.
 *
 * Internal to the curves. At one E and G a draw's loss is a function of the size and one of the
 * tokens added up, so that a grid of a hundred thousand points takes as many powers as it has rows
 * and columns, for each draw. The quantiles of each point are found from the sums in single
 * precision (plan_quantile.h) and taken from the few exact ones that may be them.
 */
#ifndef MOEPLAN_CORE_CURVE_BAND_H
#define MOEPLAN_CORE_CURVE_BAND_H

#include "core/plan_draws.h"

/* The axes of a grid: ln of the N that the law reads, and of the tokens. */
struct curve_band_axes {
    size_t n_sizes, n_tokens;
    const double *ln_size, *ln_tokens;
};

/* Quantiles (1 ± level)/2 of the draws' losses, as plan_draws_interval, at size i and tokens j into
 * ret_low and ret_high at i·n_tokens + j; NAN with fewer than two finite ones. draws are filled in.
 * False when the arena is full. */
bool curve_band_fill(const struct plan_draws *draws, const struct curve_band_axes *axes,
                     double level, struct arena *arena, double *ret_low, double *ret_high);

#endif
