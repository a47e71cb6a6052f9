/* fit_start: where the search begins: seeded points of the law's search box, the same in any units.
 *
 * Exponents of interaction terms (E with N) depend on the units of N: drawn as they stand, a start
 * that is sensible in parameters would be absurd in billions. They are drawn instead as effects at
 * the centre of the runs: with features z_j = ∂ ln φ/∂θ_j over runs and terms,
 *     ln φ = Σ_j θ_j·z_j = Σ_j θ'_j·z'_j,   z' orthogonal, each cleared of those before it,
 * θ' comes from the box and θ from θ' by back-substitution. Main effects go before interactions, so
 * θ' of a main effect is the exponent itself at the centre.
 */
#ifndef MOEPLAN_CORE_FIT_START_H
#define MOEPLAN_CORE_FIT_START_H

#include "core/fit_matrix.h"
#include "core/fit_problem.h"

struct fit_start {
    const struct fit_problem *problem;
    size_t count;                       /* exponents in the frame */
    size_t order[LAW_MAX_COEFFICIENTS]; /* their descriptor indices, main effects first */
    double mix[LAW_MAX_COEFFICIENTS]
              [LAW_MAX_COEFFICIENTS]; /* [i][j]: share of z'_i in z_j, i < j */
};

/* ERR_NO_MEMORY. */
enum err_code fit_start_init(struct fit_start *start, const struct fit_problem *problem,
                             struct arena *arena, struct err *err);

/* Start number `number` of a seed: searched coordinates of ret_z are set, amplitudes are 0. Number
 * 0 is the middle of the box whatever the seed. */
void fit_start_draw(const struct fit_start *start, uint64_t seed, size_t number, double *ret_z);

/* Coordinates -> the frame, for columns of a Jacobian: column j of ret (p × p) says how coordinate
 * z moves when frame coordinate j does, others kept. */
void fit_start_frame(const struct fit_start *start, struct fit_matrix *ret);

#endif
