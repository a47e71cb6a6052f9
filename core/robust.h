/* robust: losses on residuals.
 *
 *   huber:   h(r) = r²/2 where |r| <= delta, else delta·(|r| − delta/2)
 *   squared: h(r) = r²/2
 *
 * Pure functions of values; delta > 0 is the caller's duty.
 */
#ifndef MOEPLAN_CORE_ROBUST_H
#define MOEPLAN_CORE_ROBUST_H

#include <stddef.h>

enum robust_kind { ROBUST_HUBER, ROBUST_SQUARED };

struct robust {
    enum robust_kind kind;
    double delta; /* in units of the residual (ln loss); huber only */
};

/* h(r). */
double robust_loss(const struct robust *robust, double residual);

/* h'(r). */
double robust_slope(const struct robust *robust, double residual);

/* h'(r)/r in [0, 1], 1 at r = 0: the weight of the run in an iteratively reweighted step, shown to
 * users as its effective weight. */
double robust_weight(const struct robust *robust, double residual);

/* What the noise of sd `noise` (normal) counts as when a law is fitted by this loss: the sd that
 * least squares would need to know the law no better, √E[h'²]/E[h''] (Huber 1964). `noise` itself
 * for squared, up to √(π/2) of it where delta is small beside it. */
double robust_spread(const struct robust *robust, double noise);

#endif
