/* law_routed: routed models at one data budget (C, arXiv 2202.01169).
 *
 *     log10 L = a·log10 N + b·log10 Ê + c·log10 N·log10 Ê + d
 *
 * that is ln L = a·ln N + b·ln Ê + c·ln N·ln Ê/ln 10 + d·ln 10, with N = N_act and Ê as in `joint`.
 * The amplitudes are slopes and may have either sign. It has no D, so it plans no tokens.
 */
#include <math.h>
#include <string.h>

#include "core/law_parts.h"

enum { A, B, C, D, E_START, E_MAX, N_COEFFICIENTS };
enum { SIZE_TERM, EXPERTS_TERM, CROSS_TERM, CONSTANT_TERM, N_TERMS };

#define BY_SIZE LAW_BIT(LAW_N_ACTIVE)
#define BY_EXPERTS LAW_BIT(LAW_EXPERTS)

static const struct law_coefficient coefficients_of_law[N_COEFFICIENTS] = {
    [A] = {"a", "slope of log10 loss with log10 active parameters at Ê = 1", LAW_AMPLITUDE,
           LAW_IDENTITY, -INFINITY, INFINITY, -1, 0, BY_SIZE, 0},
    [B] = {"b", "slope of log10 loss with log10 Ê at one parameter", LAW_AMPLITUDE, LAW_IDENTITY,
           -INFINITY, INFINITY, -1, 1, BY_EXPERTS, 0},
    [C] = {"c", "change of either slope with the other logarithm", LAW_AMPLITUDE, LAW_IDENTITY,
           -INFINITY, INFINITY, -0.1, 0.1, BY_SIZE | BY_EXPERTS, 0},
    [D] = {"d", "log10 loss at one parameter and Ê = 1", LAW_AMPLITUDE, LAW_IDENTITY, -INFINITY,
           INFINITY, 0, 3, 0, 0},
    [E_START] = LAW_ROW_E_START,
    [E_MAX] = LAW_ROW_E_MAX,
};

/* Every φ is a product of logarithms: only those with ln Ê have a derivative, by E_start, E_max. */
static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double inverse_e_max = 1 / coefficients[E_MAX];
    struct law_saturation at = {.experts = NAN};

    for (size_t i = 0; i < count; i++) {
        double *phi = ret_phi + i * N_TERMS, *d;
        double log10_n = x[i].ln_n_active / M_LN10;

        if (x[i].experts != at.experts)
            at = law_saturate(x[i].experts, coefficients[E_START], inverse_e_max);
        phi[SIZE_TERM] = x[i].ln_n_active;
        phi[EXPERTS_TERM] = at.ln_experts;
        phi[CROSS_TERM] = log10_n * at.ln_experts;
        phi[CONSTANT_TERM] = M_LN10;
        if (!ret_dphi)
            continue;
        d = memset(ret_dphi + i * N_TERMS * N_COEFFICIENTS, 0,
                   N_TERMS * N_COEFFICIENTS * sizeof *d);
        d[EXPERTS_TERM * N_COEFFICIENTS + E_START] = at.d_e_start;
        d[EXPERTS_TERM * N_COEFFICIENTS + E_MAX] = at.d_inverse_e_max;
        d[CROSS_TERM * N_COEFFICIENTS + E_START] = log10_n * at.d_e_start;
        d[CROSS_TERM * N_COEFFICIENTS + E_MAX] = log10_n * at.d_inverse_e_max;
    }
}

const struct law law_routed = {
    .name = "routed",
    .title = "Unified scaling law for routed language models, at one data budget",
    .formula = "log10 L = a*log10 N_act + b*log10 Ê + c*log10 N_act*log10 Ê + d"
               ", " LAW_SATURATION_FORMULA,
    .latex = "\\log_{10} L = a \\log_{10} N_\\mathrm{act} + b \\log_{10} \\hat E"
             " + c \\log_{10} N_\\mathrm{act} \\log_{10} \\hat E + d,\\quad " LAW_SATURATION_LATEX,
    .source = "arXiv 2202.01169",
    .provenance = "published",
    .variables = LAW_BIT(LAW_N_ACTIVE) | LAW_BIT(LAW_EXPERTS),
    .size_variable = LAW_N_ACTIVE,
    .response = LAW_LOG_LOSS_IS_SUM,
    .signed_amplitudes = true,
    .n_coefficients = N_COEFFICIENTS,
    .n_terms = N_TERMS,
    .coefficients = coefficients_of_law,
    .terms = terms,
};
