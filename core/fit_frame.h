/* fit_frame: coordinates for a law's exponents in which they do not pull at each other.
 *
 * Exponents of interactions (E with N) depend on the units of N, and all those of E on E_start and
 * E_max: as E_max nears E_start they grow without limit while the losses hardly change. Their
 * effects on the runs do neither. With features z_j = ∂ ln φ/∂θ_j over runs and terms, each cleared
 * of its mean and of those before it,
 *     ln φ = Σ_j θ_j·z_j = Σ_j e_j·(z'_j/|z'_j|),   z' orthogonal,
 * e_j is the effect: a standard deviation of ln φ over the runs. Main effects go before
 * interactions. Pure.
 */
#ifndef MOEPLAN_CORE_FIT_FRAME_H
#define MOEPLAN_CORE_FIT_FRAME_H

#include "core/law.h"

enum { FIT_FRAME_RUNS = 32 /* enough to see where the runs lie */ };

struct fit_frame {
    size_t count;                       /* exponents in the frame, 0 for none */
    size_t order[LAW_MAX_COEFFICIENTS]; /* their descriptor indices, main effects first */
    unsigned in[LAW_MAX_COEFFICIENTS];  /* by place: bits of the terms they are in */
    double mix[LAW_MAX_COEFFICIENTS]
              [LAW_MAX_COEFFICIENTS];  /* [i][j]: share of z'_i in z_j, i < j */
    double norm[LAW_MAX_COEFFICIENTS]; /* root mean square of z'_j; 1 where it vanishes */
};

/* Finds the exponents ln φ is linear in, and at natural coefficients of general position which
 * terms they move over x[count]. */
void fit_frame_init(struct fit_frame *frame, const struct law *law, const double *natural,
                    const struct law_x *x, size_t count);

/* Sets mix and norm at natural coefficients (saturations and bounded exponents are read) over
 * x[count], count <= FIT_FRAME_RUNS. */
void fit_frame_set(struct fit_frame *frame, const struct law *law, const double *natural,
                   const struct law_x *x, size_t count);

/* θ from effects by back-substitution: natural[order[o]] is written where is_free, read elsewhere.
 * effect is by place in the order. */
void fit_frame_exponents(const struct fit_frame *frame, const bool *is_free, const double *effect,
                         double *natural);

/* The effects of exponents. */
void fit_frame_effects(const struct fit_frame *frame, const double *natural, double *ret_effect);

/* ∂θ/∂e: ret[o][l] for places o <= l, exponents that are not free staying where they are. */
void fit_frame_slopes(const struct fit_frame *frame, const bool *is_free,
                      double (*ret)[LAW_MAX_COEFFICIENTS]);

#endif
