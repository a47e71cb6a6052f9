/* slow_formulas: terms, slopes and coordinates of each law of slow_law.h, from the papers.
 *
 * Shares nothing with core/law_*: other coordinates, other derivatives, the saturation as printed.
 * A law is ln L̂ = ln Σ_k A_k·φ_k (routed: ln L̂ = Σ_k A_k·φ_k). Logarithms are taken from the
 * runs' means and losses in units of their geometric mean, so that a change of units leaves a
 * point y where it is. With n, d, e, g the centred logarithms and h = ln Ê − h0, its value at the
 * centre's E, the sums are
 *
 *     chinchilla       A + B·exp(−α n) + C·exp(−β d)
 *     fine-grained     A·exp(−α n) + B·exp(−β d) + C·exp(−α n − γ g) + D
 *     joint(-granular) A·exp(α n + δ h + γ n h)·s + B·exp(β d + ω h + ζ d h) + C
 *     routed           A·n + B·h + C·n·h + D
 *     sparsity         A·exp(−α n) + B·exp(−β d) + C·exp(λ e) + D·exp(δ e − γ n) + E
 *
 * Pure, nothing allocated.
 */
#ifndef MOEPLAN_TESTS_SLOW_FORMULAS_H
#define MOEPLAN_TESTS_SLOW_FORMULAS_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { SLOW_MAX = 16, SLOW_TERMS = 5 };

struct slow_run {
    double n, d, e, g; /* ln N, ln D, ln E, ln G about the centre */
    double experts, ln_granularity;
    double y; /* ln loss about the centre */
    double weight;
};

struct slow_centre {
    double n, d, e, g, y;
};

/* φ of one run, and ∂φ_k/∂y_j into ret_slope[k][j] (zero on entry). */
typedef void slow_terms(const struct slow_centre *centre, const struct slow_run *run,
                        const double *y, double *ret_phi, double (*ret_slope)[SLOW_MAX]);

/* J Eq. 6 with E_start = exp(start), E_max = E_start/ratio: ln Ê and its slopes by both. With
 * p = 1/E_start − 1/E_max, Ê = E_start·(1 + p·(E − 1))/(1 + ratio·p·(E − 1)): as printed it would
 * lose all digits of what E does where E_max is near E_start. */
static inline double slow_ln_experts(double experts, double start, double ratio, double *ret_slope)
{
    double more = experts - 1, p = (1 - ratio) * exp(-start);
    double up = 1 + p * more, down = 1 + ratio * p * more;

    ret_slope[0] = 1 - p * more / up + ratio * p * more / down;
    ret_slope[1] = -exp(-start) * more / up - (p - ratio * exp(-start)) * more / down;
    return start + (log1p(p * more) - log1p(ratio * p * more));
}

/* h = ln Ê − h0 and its slopes by ln E_start and E_start/E_max, which are at[]. */
static inline double slow_h(const struct slow_centre *centre, double experts, const double *at,
                            double *ret_slope, double *ret_ln_experts)
{
    double middle[2], h0 = slow_ln_experts(exp(centre->e), at[0], at[1], middle);

    *ret_ln_experts = slow_ln_experts(experts, at[0], at[1], ret_slope);
    ret_slope[0] -= middle[0];
    ret_slope[1] -= middle[1];
    return *ret_ln_experts - h0;
}

static inline double slow_h0(const struct slow_centre *centre, const double *at)
{
    double unused[2];

    return slow_ln_experts(exp(centre->e), at[0], at[1], unused);
}

static inline void slow_chinchilla(const struct slow_centre *centre, const struct slow_run *run,
                                   const double *y, double *ret_phi, double (*ret_slope)[SLOW_MAX])
{
    (void)centre;
    ret_phi[0] = 1;
    ret_phi[1] = exp(-y[3] * run->n);
    ret_phi[2] = exp(-y[4] * run->d);
    ret_slope[1][3] = -run->n * ret_phi[1];
    ret_slope[2][4] = -run->d * ret_phi[2];
}

static inline void slow_chinchilla_point(const struct slow_centre *centre, const double *k,
                                         double *y)
{
    y[0] = k[0] * exp(-centre->y);
    y[1] = k[1] * exp(-k[3] * centre->n - centre->y);
    y[2] = k[2] * exp(-k[4] * centre->d - centre->y);
    y[3] = k[3];
    y[4] = k[4];
}

static inline void slow_chinchilla_natural(const struct slow_centre *centre, const double *y,
                                           double *k)
{
    k[0] = y[0] * exp(centre->y);
    k[1] = y[1] * exp(y[3] * centre->n + centre->y);
    k[2] = y[2] * exp(y[4] * centre->d + centre->y);
    k[3] = y[3];
    k[4] = y[4];
}

/* y: a b g c, alpha beta gamma; the contract: a alpha b beta g gamma c. */
static inline void slow_fine_grained(const struct slow_centre *centre, const struct slow_run *run,
                                     const double *y, double *ret_phi,
                                     double (*ret_slope)[SLOW_MAX])
{
    (void)centre;
    ret_phi[0] = exp(-y[4] * run->n);
    ret_phi[1] = exp(-y[5] * run->d);
    ret_phi[2] = exp(-y[4] * run->n - y[6] * run->g);
    ret_phi[3] = 1;
    ret_slope[0][4] = -run->n * ret_phi[0];
    ret_slope[1][5] = -run->d * ret_phi[1];
    ret_slope[2][4] = -run->n * ret_phi[2];
    ret_slope[2][6] = -run->g * ret_phi[2];
}

static inline void slow_fine_grained_point(const struct slow_centre *centre, const double *k,
                                           double *y)
{
    y[0] = k[0] * exp(-k[1] * centre->n - centre->y);
    y[1] = k[2] * exp(-k[3] * centre->d - centre->y);
    y[2] = k[4] * exp(-k[1] * centre->n - k[5] * centre->g - centre->y);
    y[3] = k[6] * exp(-centre->y);
    y[4] = k[1];
    y[5] = k[3];
    y[6] = k[5];
}

static inline void slow_fine_grained_natural(const struct slow_centre *centre, const double *y,
                                             double *k)
{
    k[0] = y[0] * exp(y[4] * centre->n + centre->y);
    k[1] = y[4];
    k[2] = y[1] * exp(y[5] * centre->d + centre->y);
    k[3] = y[5];
    k[4] = y[2] * exp(y[4] * centre->n + y[6] * centre->g + centre->y);
    k[5] = y[6];
    k[6] = y[3] * exp(centre->y);
}

/* y: a b c, alpha delta gamma, beta omega zeta, ln E_start, E_start/E_max, kappa phi. */
enum { SLOW_ALPHA = 3, SLOW_BETA = 6, SLOW_START = 9, SLOW_KAPPA = 11 };

static inline void slow_joint_powers(const struct slow_run *run, const double *y, double h,
                                     const double *by, double *ret_phi,
                                     double (*ret_slope)[SLOW_MAX])
{
    for (int k = 0; k < 2; k++) {
        const double *c = y + (k == 0 ? SLOW_ALPHA : SLOW_BETA), x = k == 0 ? run->n : run->d;
        double *slope = ret_slope[k] + (k == 0 ? SLOW_ALPHA : SLOW_BETA);

        ret_phi[k] = exp(c[0] * x + c[1] * h + c[2] * x * h);
        slope[0] = ret_phi[k] * x;
        slope[1] = ret_phi[k] * h;
        slope[2] = ret_phi[k] * x * h;
        for (int j = 0; j < 2; j++)
            ret_slope[k][SLOW_START + j] = ret_phi[k] * (c[1] + c[2] * x) * by[j];
    }
    ret_phi[2] = 1;
}

static inline void slow_joint(const struct slow_centre *centre, const struct slow_run *run,
                              const double *y, double *ret_phi, double (*ret_slope)[SLOW_MAX])
{
    double by[2], whole, h = slow_h(centre, run->experts, y + SLOW_START, by, &whole);

    slow_joint_powers(run, y, h, by, ret_phi, ret_slope);
}

static inline void slow_joint_granular(const struct slow_centre *centre, const struct slow_run *run,
                                       const double *y, double *ret_phi,
                                       double (*ret_slope)[SLOW_MAX])
{
    double by[2], of_t[2], ln_experts,
        h = slow_h(centre, run->experts, y + SLOW_START, by, &ln_experts);
    double kappa = y[SLOW_KAPPA], t = kappa * (ln_experts - y[SLOW_START]);
    double power = exp(-y[SLOW_KAPPA + 1] * run->ln_granularity);
    double s = (1 + t * power) / (1 + t), by_t = (power - 1) / ((1 + t) * (1 + t)), unscaled;

    slow_joint_powers(run, y, h, by, ret_phi, ret_slope);
    (void)slow_ln_experts(run->experts, y[SLOW_START], y[SLOW_START + 1], of_t);
    unscaled = ret_phi[0];
    for (size_t j = 0; j < SLOW_KAPPA; j++)
        ret_slope[0][j] *= s;
    ret_slope[0][SLOW_START] += unscaled * by_t * kappa * (of_t[0] - 1);
    ret_slope[0][SLOW_START + 1] += unscaled * by_t * kappa * of_t[1];
    ret_slope[0][SLOW_KAPPA] = unscaled * by_t * (ln_experts - y[SLOW_START]);
    ret_slope[0][SLOW_KAPPA + 1] = -unscaled * t * power * run->ln_granularity / (1 + t);
    ret_phi[0] = unscaled * s;
}

/* a·Ê^δ·N^(α + γ ln Ê) about the centre: α' = α + γ h0, δ' = δ + γ n0, A = a·exp(δ' h0 + α n0). */
static inline void slow_joint_point(const struct slow_centre *centre, const double *k, double *y)
{
    double at[] = {log(k[8]), k[8] / k[9]}, h0 = slow_h0(centre, at);

    for (int t = 0; t < 2; t++) {
        const double *c = k + 4 * t; /* a alpha delta gamma, b beta omega zeta */
        double *to = y + SLOW_ALPHA + 3 * t, x = t == 0 ? centre->n : centre->d;

        to[0] = c[1] + c[3] * h0;
        to[1] = c[2] + c[3] * x;
        to[2] = c[3];
        y[t] = exp(log(c[0]) + to[1] * h0 + c[1] * x - centre->y);
    }
    y[2] = k[10] * exp(-centre->y);
    y[SLOW_START] = at[0];
    y[SLOW_START + 1] = at[1];
}

static inline void slow_joint_natural(const struct slow_centre *centre, const double *y, double *k)
{
    double h0 = slow_h0(centre, y + SLOW_START);

    for (int t = 0; t < 2; t++) {
        const double *c = y + SLOW_ALPHA + 3 * t, x = t == 0 ? centre->n : centre->d;
        double *to = k + 4 * t;

        to[3] = c[2];
        to[2] = c[1] - c[2] * x;
        to[1] = c[0] - c[2] * h0;
        to[0] = exp(log(y[t]) - c[1] * h0 - to[1] * x + centre->y);
    }
    k[10] = y[2] * exp(centre->y);
    k[8] = exp(y[SLOW_START]);
    k[9] = k[8] / y[SLOW_START + 1];
}

static inline void slow_granular_point(const struct slow_centre *centre, const double *k, double *y)
{
    slow_joint_point(centre, k, y);
    y[SLOW_KAPPA] = k[11];
    y[SLOW_KAPPA + 1] = k[12];
}

static inline void slow_granular_natural(const struct slow_centre *centre, const double *y,
                                         double *k)
{
    slow_joint_natural(centre, y, k);
    k[11] = y[SLOW_KAPPA];
    k[12] = y[SLOW_KAPPA + 1];
}

/* y: slopes by ln N, ln Ê and their product, the level, ln E_start, E_start/E_max. */
static inline void slow_routed(const struct slow_centre *centre, const struct slow_run *run,
                               const double *y, double *ret_phi, double (*ret_slope)[SLOW_MAX])
{
    double by[2], whole, h = slow_h(centre, run->experts, y + 4, by, &whole);

    ret_phi[0] = run->n;
    ret_phi[1] = h;
    ret_phi[2] = run->n * h;
    ret_phi[3] = 1;
    for (int j = 0; j < 2; j++) {
        ret_slope[1][4 + j] = by[j];
        ret_slope[2][4 + j] = run->n * by[j];
    }
}

/* log10 L = a·log10 N + b·log10 Ê + c·log10 N·log10 Ê + d. */
static inline void slow_routed_point(const struct slow_centre *centre, const double *k, double *y)
{
    double at[] = {log(k[4]), k[4] / k[5]}, h0 = slow_h0(centre, at), c = k[2] / log(10);

    y[0] = k[0] + c * h0;
    y[1] = k[1] + c * centre->n;
    y[2] = c;
    y[3] = k[0] * centre->n + k[1] * h0 + c * centre->n * h0 + k[3] * log(10) - centre->y;
    y[4] = at[0];
    y[5] = at[1];
}

static inline void slow_routed_natural(const struct slow_centre *centre, const double *y, double *k)
{
    double h0 = slow_h0(centre, y + 4);

    k[0] = y[0] - y[2] * h0;
    k[1] = y[1] - y[2] * centre->n;
    k[2] = y[2] * log(10);
    k[3] = (y[3] + centre->y - k[0] * centre->n - k[1] * h0 - y[2] * centre->n * h0) / log(10);
    k[4] = exp(y[4]);
    k[5] = k[4] / y[5];
}

/* y: a b c d e, alpha beta lambda delta gamma, as in the contract; ln(1 − S) = −ln E. */
static inline void slow_sparsity(const struct slow_centre *centre, const struct slow_run *run,
                                 const double *y, double *ret_phi, double (*ret_slope)[SLOW_MAX])
{
    (void)centre;
    ret_phi[0] = exp(-y[5] * run->n);
    ret_phi[1] = exp(-y[6] * run->d);
    ret_phi[2] = exp(y[7] * run->e);
    ret_phi[3] = exp(y[8] * run->e - y[9] * run->n);
    ret_phi[4] = 1;
    ret_slope[0][5] = -run->n * ret_phi[0];
    ret_slope[1][6] = -run->d * ret_phi[1];
    ret_slope[2][7] = run->e * ret_phi[2];
    ret_slope[3][8] = run->e * ret_phi[3];
    ret_slope[3][9] = -run->n * ret_phi[3];
}

static inline void slow_sparsity_scale(const struct slow_centre *centre, const double *from,
                                       double sign, double *to)
{
    memcpy(to, from, 10 * sizeof *to);
    to[0] *= exp(-sign * (from[5] * centre->n + centre->y));
    to[1] *= exp(-sign * (from[6] * centre->d + centre->y));
    to[2] *= exp(-sign * (-from[7] * centre->e + centre->y));
    to[3] *= exp(-sign * (-from[8] * centre->e + from[9] * centre->n + centre->y));
    to[4] *= exp(-sign * centre->y);
}

static inline void slow_sparsity_point(const struct slow_centre *centre, const double *k, double *y)
{
    slow_sparsity_scale(centre, k, 1, y);
}

static inline void slow_sparsity_natural(const struct slow_centre *centre, const double *y,
                                         double *k)
{
    slow_sparsity_scale(centre, y, -1, k);
}

#endif
