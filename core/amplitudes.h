/* amplitudes: the linear part of a fit: least squares in few columns, of any sign or none below 0.
 *
 *     min |y − Φ·a|²        Φ: k columns of m values, one after the other
 *
 * By Householder QR and, where the free solution leaves the bounds, by enumerating the 2^k sets of
 * amplitudes at 0. Columns that depend on earlier ones get 0. Pure; no allocation.
 */
#ifndef MOEPLAN_CORE_AMPLITUDES_H
#define MOEPLAN_CORE_AMPLITUDES_H

#include <stdbool.h>
#include <stddef.h>

#include "core/law.h"

/* A factorisation; its reflectors stay in the columns it was made of. */
struct amplitudes {
    size_t k;                               /* columns factored */
    size_t column[LAW_MAX_TERMS];           /* their indices */
    double r[LAW_MAX_TERMS][LAW_MAX_TERMS]; /* upper triangle */
    double beta[LAW_MAX_TERMS];
    unsigned used; /* of amplitudes_solve: a bit per amplitude not at 0 */
};

/* QR of the columns in mask; y is turned along. */
void amplitudes_factor(double *phi, double *y, size_t m, size_t k_count, unsigned mask,
                       struct amplitudes *ret);

/* Turns another column along: the span of the factored ones is then its first set->k values. */
void amplitudes_turn(const struct amplitudes *set, const double *phi, size_t m, double *column);

/* The best amplitudes; phi and y are overwritten, by the factorisation of all columns. Returns the
 * squared norm of the residual. */
double amplitudes_solve(double *phi, double *y, size_t m, size_t k, bool is_signed,
                        double *ret_amplitudes, struct amplitudes *ret);

#endif
