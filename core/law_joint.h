/* law_joint: J's two terms and coefficients, for `joint` and for the laws that build on it.
 *
 * Private to law_*.c. The coefficients after an amplitude lie alike in both terms: the exponent of
 * X, the exponent of Ê, and how the first changes with ln Ê.
 */
#ifndef MOEPLAN_CORE_LAW_JOINT_H
#define MOEPLAN_CORE_LAW_JOINT_H

#include <math.h>
#include <string.h>

#include "core/lanes.h"
#include "core/law_parts.h"

enum joint_coefficient {
    JOINT_A,
    JOINT_ALPHA,
    JOINT_DELTA,
    JOINT_GAMMA,
    JOINT_B,
    JOINT_BETA,
    JOINT_OMEGA,
    JOINT_ZETA,
    JOINT_E_START,
    JOINT_E_MAX,
    JOINT_C,
    JOINT_COEFFICIENTS,
    JOINT_KAPPA = JOINT_COEFFICIENTS, /* joint-granular only, from here on */
    JOINT_PHI,
    JOINT_GRANULAR_COEFFICIENTS
};

enum joint_term { JOINT_SIZE_TERM, JOINT_TOKENS_TERM, JOINT_FLOOR_TERM, JOINT_TERMS };

/* Both laws' coefficients: `joint` has the first JOINT_COEFFICIENTS of them. */
extern const struct law_coefficient joint_coefficients[JOINT_GRANULAR_COEFFICIENTS];

/* The reciprocal of E_max, 0 for an infinite one. */
static inline double joint_inverse_e_max(const double *coefficients)
{
    return 1 / coefficients[JOINT_E_MAX];
}

/* Where the runs from `from` on end that share its E and G. */
LANES_INLINE size_t joint_alike(const struct law_x *x, size_t from, size_t count)
{
    size_t to = from + 1;

    while (to < count && x[to].experts == x[from].experts &&
           x[to].ln_granularity == x[from].ln_granularity)
        to++;
    return to;
}

LANES_INLINE double joint_ln_x(const struct law_x *x, enum joint_term term)
{
    return term == JOINT_SIZE_TERM ? x->ln_n_active : x->ln_tokens;
}

/* ln(Ê^δ·X^(α + γ ln Ê)) of runs that share Ê, for the coefficients (α, δ, γ) that follow those of
 * `first`, the term's amplitude. */
LANES_INLINE void joint_exponents(const double *coefficients, enum joint_coefficient first,
                                  enum joint_term term, const struct law_saturation *at,
                                  const struct law_x *x, size_t count, double *restrict ret)
{
    const double of_experts = coefficients[first + 2] * at->ln_experts;
    const double slope = coefficients[first + 1] + coefficients[first + 3] * at->ln_experts;

    for (size_t i = 0; i < count; i++)
        ret[i] = of_experts + slope * joint_ln_x(&x[i], term);
}

/* Its power's derivatives, into the term's columns of `all` runs from their `from`th value on. */
LANES_INLINE void joint_slopes(const double *coefficients, size_t n_coefficients,
                               enum joint_coefficient first, enum joint_term term,
                               const struct law_saturation *at, const struct law_x *x, size_t from,
                               size_t to, size_t all, const double *restrict phi,
                               double *restrict dphi)
{
    const double h = at->ln_experts, delta = coefficients[first + 2];
    const double gamma = coefficients[first + 3];
    double *restrict columns = dphi + term * n_coefficients * all;

    for (size_t i = from; i < to; i++) {
        double ln_x = joint_ln_x(&x[i], term), by_ln_experts = phi[i] * (delta + gamma * ln_x);

        columns[(first + 1) * all + i] = phi[i] * ln_x;
        columns[(first + 2) * all + i] = phi[i] * h;
        columns[(first + 3) * all + i] = phi[i] * h * ln_x;
        columns[JOINT_E_START * all + i] = by_ln_experts * at->d_e_start;
        columns[JOINT_E_MAX * all + i] = by_ln_experts * at->d_inverse_e_max;
    }
}

/* φ of J's terms and, unless NULL, their derivatives in rows of n_coefficients; see law.terms. */
LANES_INLINE void joint_terms(const double *coefficients, size_t n_coefficients,
                              const struct law_x *x, size_t count, double *ret_phi,
                              double *ret_dphi)
{
    const double inverse_e_max = joint_inverse_e_max(coefficients);
    const double e_start = coefficients[JOINT_E_START];
    double *size = ret_phi + JOINT_SIZE_TERM * count, *tokens = ret_phi + JOINT_TOKENS_TERM * count;
    double *floor_term = ret_phi + JOINT_FLOOR_TERM * count;

    for (size_t from = 0, to; from < count; from = to) {
        struct law_saturation at = law_saturate(x[from].experts, e_start, inverse_e_max);

        to = joint_alike(x, from, count);
        joint_exponents(coefficients, JOINT_A, JOINT_SIZE_TERM, &at, x + from, to - from,
                        size + from);
        joint_exponents(coefficients, JOINT_B, JOINT_TOKENS_TERM, &at, x + from, to - from,
                        tokens + from);
    }
    lanes_exp_each(size, 2 * count); /* and tokens, which follow */
    for (size_t i = 0; i < count; i++)
        floor_term[i] = 1;
    for (size_t from = 0, to; from < count && ret_dphi; from = to) {
        struct law_saturation at = law_saturate(x[from].experts, e_start, inverse_e_max);

        to = joint_alike(x, from, count);
        joint_slopes(coefficients, n_coefficients, JOINT_A, JOINT_SIZE_TERM, &at, x, from, to,
                     count, size, ret_dphi);
        joint_slopes(coefficients, n_coefficients, JOINT_B, JOINT_TOKENS_TERM, &at, x, from, to,
                     count, tokens, ret_dphi);
    }
}

/* The slice of `joint` at one Ê: J's m, mu, n, nu. */
static inline struct law_slice joint_slice(const double *coefficients,
                                           const struct law_saturation *at)
{
    const double *k = coefficients;
    const double h = at->ln_experts;

    return (struct law_slice){
        .n_size_terms = 1,
        .m = {k[JOINT_A] * exp(k[JOINT_DELTA] * h)},
        .mu = {k[JOINT_ALPHA] + k[JOINT_GAMMA] * h},
        .n = k[JOINT_B] * exp(k[JOINT_OMEGA] * h),
        .nu = k[JOINT_BETA] + k[JOINT_ZETA] * h,
        .c = k[JOINT_C],
    };
}

/* LANES runs, one to a lane. */
struct joint_x {
    double more_experts[LANES], ln_n[LANES], ln_d[LANES], ln_g[LANES];
};

/* LANES losses, of `joint` or, with G, of `joint-granular`, by the coefficients k[j][lane]. Returns
 * how many arguments lay beyond the ranges of lanes.h. See law_saturate for Ê. */
LANES_INLINE uint64_t joint_lanes(double k[JOINT_GRANULAR_COEFFICIENTS][LANES],
                                  const struct joint_x *x, bool granular, double ret[LANES])
{
    uint64_t beyond = 0;

    for (int i = 0; i < LANES; i++) {
        const double ln_n = x->ln_n[i], ln_d = x->ln_d[i];
        double start = k[JOINT_E_START][i], q = 1 / k[JOINT_E_MAX][i];
        double more = x->more_experts[i] * (1 - q * start);
        double ratio = (start + more) / (1 + q * more), h = lanes_log(ratio);
        double size = k[JOINT_DELTA][i] * h + (k[JOINT_ALPHA][i] + k[JOINT_GAMMA][i] * h) * ln_n;
        double data = k[JOINT_OMEGA][i] * h + (k[JOINT_BETA][i] + k[JOINT_ZETA][i] * h) * ln_d;
        double factor = 1;

        beyond += lanes_beyond(size) + lanes_beyond(data) + lanes_beyond(ratio) +
                  (lanes_bits(ratio) >> 63);
        if (granular) {
            double t = k[JOINT_KAPPA][i] * (h - lanes_log(start)),
                   fine = -k[JOINT_PHI][i] * x->ln_g[i];

            beyond += lanes_beyond(fine);
            factor = (1 + t * lanes_exp(fine)) / (1 + t);
        }
        ret[i] = k[JOINT_A][i] * lanes_exp(size) * factor + k[JOINT_B][i] * lanes_exp(data) +
                 k[JOINT_C][i];
    }
    return beyond;
}

/* law.losses of both laws. What is left of the last block repeats the first set. */
LANES_INLINE bool joint_losses(const double *columns, const struct law_x *x, size_t count,
                               bool granular, double *ret_loss)
{
    const size_t n = granular ? JOINT_GRANULAR_COEFFICIENTS : JOINT_COEFFICIENTS;
    double k[JOINT_GRANULAR_COEFFICIENTS][LANES], loss[LANES];
    struct joint_x lanes;

    for (size_t at = 0; at < count; at += LANES) {
        size_t some = count - at < LANES ? count - at : LANES;

        for (size_t j = 0; j < n; j++) {
            const double *column = columns + j * count;

            if (some == LANES) {
                memcpy(k[j], column + at, sizeof k[j]); /* of a size known: a few moves */
                continue;
            }
            for (size_t i = 0; i < LANES; i++)
                k[j][i] = column[i < some ? at + i : 0];
        }
        for (size_t i = 0; i < LANES; i++) {
            const struct law_x *of = &x[i < some ? at + i : 0];

            lanes.more_experts[i] = of->experts - 1;
            lanes.ln_n[i] = of->ln_n_active;
            lanes.ln_d[i] = of->ln_tokens;
            lanes.ln_g[i] = of->ln_granularity;
        }
        if (joint_lanes(k, &lanes, granular, loss) > 0)
            return false;
        if (some == LANES)
            memcpy(ret_loss + at, loss, sizeof loss);
        else
            memcpy(ret_loss + at, loss, some * sizeof *loss);
    }
    return true;
}

#endif
