/* law_parts: what law_*.c share; private to them and to law.c.
 *
 * A law's terms function fills columns: exponents first, then lanes_exp_each, then what follows
 * from φ by loops that the compiler makes vectors of. Pure, nothing allocated.
 */
#ifndef MOEPLAN_CORE_LAW_PARTS_H
#define MOEPLAN_CORE_LAW_PARTS_H

#include <math.h>

#include "core/lanes.h"
#include "core/law.h"

#define LAW(stem) extern const struct law law_##stem;
#include "core/law.def"
#undef LAW

#define LAW_BIT(variable) (1u << (variable))

/* Rows of coefficient tables. The boxes are what fits search: no study's loss changes much faster
 * or slower with size than an exponent of 0.02 to 1.2 says. */
#define LAW_LEAST_EXPONENT 0.02
#define LAW_MOST_EXPONENT 1.2

/* A term's scale, which spans decades; 0, no such term, is what fixing it away means. */
#define LAW_ROW_AMPLITUDE(name_, meaning_, needs_)                                                 \
    {                                                                                              \
        .name = (name_), .meaning = meaning_ ", in units of the loss", .role = LAW_AMPLITUDE,      \
        .transform = LAW_LN, .lower = 0, .upper = INFINITY, .search_lower = 1e-2,                  \
        .search_upper = 1e5, .needs = (needs_), .neutral = 0                                       \
    }

/* The loss that no model or data removes: a level, of which 0 is an ordinary value. */
#define LAW_ROW_FLOOR(name_)                                                                       \
    {                                                                                              \
        .name = (name_), .meaning = "irreducible loss, in units of the loss",                      \
        .role = LAW_AMPLITUDE, .transform = LAW_IDENTITY, .lower = 0, .upper = INFINITY,           \
        .search_lower = 0, .search_upper = 5, .needs = 0, .neutral = 0                             \
    }

#define LAW_ROW_EXPONENT(name_, meaning_, search_lower_, search_upper_, needs_)                    \
    {                                                                                              \
        .name = (name_), .meaning = (meaning_), .role = LAW_EXPONENT, .transform = LAW_IDENTITY,   \
        .lower = -INFINITY, .upper = INFINITY, .search_lower = (search_lower_),                    \
        .search_upper = (search_upper_), .needs = (needs_), .neutral = 0                           \
    }

/* J Eq. 6; neutral at J's values. The boxes keep 1/E_max below 1/E_start. */
#define LAW_ROW_E_START                                                                            \
    {                                                                                              \
        .name = "E_start", .meaning = "Ê of a dense model", .role = LAW_SATURATION,                \
        .transform = LAW_LN, .lower = 1, .upper = INFINITY, .search_lower = 1, .search_upper = 10, \
        .needs = LAW_BIT(LAW_EXPERTS), .neutral = 2.0732                                           \
    }
#define LAW_ROW_E_MAX                                                                              \
    {                                                                                              \
        .name = "E_max",                                                                           \
        .meaning = "limit of Ê for many experts, above E_start; infinite if it never saturates",   \
        .role = LAW_SATURATION, .transform = LAW_RECIPROCAL, .lower = 1, .upper = INFINITY,        \
        .search_lower = 20, .search_upper = INFINITY, .needs = LAW_BIT(LAW_EXPERTS),               \
        .neutral = 290.4521                                                                        \
    }
#define LAW_SATURATION_FORMULA "1/Ê = 1/(E - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max"
#define LAW_SATURATION_LATEX                                                                       \
    "\\frac{1}{\\hat E} = \\frac{1}{E - 1 + \\left(\\frac{1}{E_\\mathrm{start}}"                   \
    " - \\frac{1}{E_\\mathrm{max}}\\right)^{-1}} + \\frac{1}{E_\\mathrm{max}}"

/* The column of ∂φ_term/∂coefficient among a law's; see law.terms. */
static inline double *law_column(double *dphi, size_t n_coefficients, int term, int coefficient,
                                 size_t count)
{
    return dphi + ((size_t)term * n_coefficients + (size_t)coefficient) * count;
}

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
