/* law_parts: what law_*.c share; private to them and to law.c.
 *
 * A law's terms function walks over runs and fills one row of φ and one block of ∂φ a run. Pure,
 * nothing allocated.
 */
#ifndef MOEPLAN_CORE_LAW_PARTS_H
#define MOEPLAN_CORE_LAW_PARTS_H

#include "core/law.h"

#define LAW(stem) extern const struct law law_##stem;
#include "core/law.def"
#undef LAW

#define LAW_BIT(variable) (1u << (variable))

/* What an exponent is searched in: the loss of no real study changes faster or slower with size. */
#define LAW_LEAST_EXPONENT 0.02
#define LAW_MOST_EXPONENT 1.2

/* The saturating expert count Ê at one E; see law_ln_experts. */
struct law_saturation {
    double experts;            /* the E it was made at; NAN at first, which no E equals */
    double ln_experts;         /* ln Ê */
    double ln_gain;            /* ln(Ê/E_start): 0 exactly at E = 1 */
    double d_e_start;          /* ∂ ln Ê/∂E_start */
    double d_inverse_e_max;    /* ∂ ln Ê/∂(1/E_max), and of ln_gain */
    double d_ln_gain_by_start; /* ∂ ln_gain/∂E_start */
};
struct law_saturation law_saturate(double experts, double e_start, double inverse_e_max);

#endif
