/* law_routed: routed models at one data budget (C, arXiv 2202.01169).
 *
 *     log10 L = a·log10 N + b·log10 Ê + c·log10 N·log10 Ê + d
 *
 * that is ln L = a·ln N + b·ln Ê + c·ln N·ln Ê/ln 10 + d·ln 10, with N = N_act and Ê as in `joint`.
 * The amplitudes are slopes and may have either sign. It has no D, so it plans no tokens.
 */
#include <math.h>

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

    double *size = ret_phi + SIZE_TERM * count, *experts = ret_phi + EXPERTS_TERM * count;
    double *cross = ret_phi + CROSS_TERM * count, *constant = ret_phi + CONSTANT_TERM * count;
    double *d[2][2] = {{NULL}};

    for (int k = 0; k < 2 && ret_dphi; k++)
        for (int j = 0; j < 2; j++)
            d[k][j] = law_column(ret_dphi, N_COEFFICIENTS, EXPERTS_TERM + k, E_START + j, count);
    for (size_t i = 0; i < count; i++) {
        double log10_n = x[i].ln_n_active / M_LN10;

        if (x[i].experts != at.experts)
            at = law_saturate(x[i].experts, coefficients[E_START], inverse_e_max);
        size[i] = x[i].ln_n_active;
        experts[i] = at.ln_experts;
        cross[i] = log10_n * at.ln_experts;
        constant[i] = M_LN10;
        if (!ret_dphi)
            continue;
        d[0][0][i] = at.d_e_start;
        d[0][1][i] = at.d_inverse_e_max;
        d[1][0][i] = log10_n * at.d_e_start;
        d[1][1][i] = log10_n * at.d_inverse_e_max;
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
