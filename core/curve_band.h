/* curve_band: bands of curves: the interval of the loss over a fit's draws, at many points of one E
 * and G.
 *
 * Internal to the curves. There a draw's loss is a function of the size and one of the tokens added
 * up, so that a grid of a hundred thousand points takes as many powers as it has rows and columns,
 * for each draw. The quantiles of a point are found from the sums in single precision
 * (plan_quantile.h) and taken from the few exact ones that may be them.
 *
 * Memory from the arena, once.
 */
#ifndef MOEPLAN_CORE_CURVE_BAND_H
#define MOEPLAN_CORE_CURVE_BAND_H

#include <stdint.h>

#include "core/plan_draws.h"
#include "core/plan_quantile.h"

/* A term of every draw at one size or one number of tokens, exactly and nearly. */
struct curve_band_row {
    double *exact;
    float *near;
    bool is_near; /* near holds what is promised of it */
};

struct curve_band {
    struct plan_draws draws; /* at the (E, G) asked of last */
    double level;
    size_t count; /* of them, that have a loss there */
    struct curve_band_row size, tokens;
    float *sum;
    double *scratch;
    uint8_t *room; /* of plan_quantile_find */
    struct plan_quantile q[2];
};

/* Room for the model's draws, of which there are some. False when the arena is full. */
bool curve_band_init(struct curve_band *band, const struct plan_model *model, double level,
                     struct arena *arena);

/* Turns to an E and G. */
void curve_band_turn(struct curve_band *band, double experts, double granularity);

/* Quantiles (1 ± level)/2 of the draws' losses, linear between order statistics, where the N that
 * the law reads and the tokens have these logarithms; NAN with fewer than two finite ones. */
void curve_band_point(struct curve_band *band, double ln_size, double ln_tokens, double ret[2]);

/* The axes of a grid, by those logarithms. */
struct curve_band_axes {
    size_t n_sizes, n_tokens;
    const double *ln_size, *ln_tokens;
};

/* The same at size i and tokens j into ret_low and ret_high at i·n_tokens + j. False when the arena
 * is full. */
bool curve_band_grid(struct curve_band *band, const struct curve_band_axes *axes,
                     struct arena *arena, double *ret_low, double *ret_high);

#endif
