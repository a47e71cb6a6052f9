/* fit_shape: where the coefficients that bend a law may lie.
 *
 * E_start and E_max only say how ln Ê bends with E: its level and slope are the exponents'. With
 * x = (1 − E_start/E_max)/E_start and y = x·E_start/E_max it is, but for them,
 *     ln((1 + x·(E − 1))/(1 + y·(E − 1))),   0 <= y <= x·(1 − x), x <= 1,
 * a closed region of two dimensions. So it is with κ and φ, which say how a term bends with G: its
 * weight t/(1 + t) is in [0, 1], and G^(−φ) has the limits of a step and of a straight line.
 * Noisy runs often lie nearest to a corner of these regions, far from where starts are drawn; from
 * a few points of each, and their pairs, descents reach the optimum that belongs to them.
 */
#ifndef MOEPLAN_CORE_FIT_SHAPE_H
#define MOEPLAN_CORE_FIT_SHAPE_H

#include "core/fit_problem.h"

enum { FIT_SHAPES = 41 }; /* of both, or of one with the other as it is */

/* Moves z to a shape, number < FIT_SHAPES, and tells which coordinates make it. False where the
 * problem has no such coordinates free. */
bool fit_shape_set(const struct fit_problem *problem, size_t number, double *z, bool *ret_held);

#endif
