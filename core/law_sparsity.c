/* law_sparsity: total parameters and sparsity (A, arXiv 2501.12370, Eq. 6).
 *
 *     L = a/N^α + b/D^β + c/(1 − S)^λ + d/((1 − S)^δ·N^γ) + e
 *
 * N = all parameters, S = inactive experts/all experts = 1 − 1/E, so that 1 − S = 1/E.
 */
#include <math.h>
#include <string.h>

#include "core/law_parts.h"

enum { A, B, C, D, E, ALPHA, BETA, LAMBDA, DELTA, GAMMA, N_COEFFICIENTS };
enum { SIZE_TERM, TOKENS_TERM, SPARSITY_TERM, CROSS_TERM, FLOOR_TERM, N_TERMS };

#define BY_SIZE LAW_BIT(LAW_N_TOTAL)
#define BY_TOKENS LAW_BIT(LAW_TOKENS)
#define BY_EXPERTS LAW_BIT(LAW_EXPERTS)

static const struct law_coefficient coefficients_of_law[N_COEFFICIENTS] = {
    [A] = LAW_ROW_AMPLITUDE("a", "amplitude of the model-size term", BY_SIZE),
    [B] = LAW_ROW_AMPLITUDE("b", "amplitude of the data term", BY_TOKENS),
    [C] = LAW_ROW_AMPLITUDE("c", "amplitude of the sparsity term", BY_EXPERTS),
    [D] =
        LAW_ROW_AMPLITUDE("d", "amplitude of the term of size and sparsity", BY_SIZE | BY_EXPERTS),
    [E] = LAW_ROW_FLOOR("e"),
    [ALPHA] = LAW_ROW_EXPONENT("alpha", "exponent of total parameters", LAW_LEAST_EXPONENT,
                               LAW_MOST_EXPONENT, BY_SIZE),
    [BETA] = LAW_ROW_EXPONENT("beta", "exponent of training tokens", LAW_LEAST_EXPONENT,
                              LAW_MOST_EXPONENT, BY_TOKENS),
    [LAMBDA] =
        LAW_ROW_EXPONENT("lambda", "exponent of the active share 1 - S", -1.2, 1.2, BY_EXPERTS),
    [DELTA] = LAW_ROW_EXPONENT(
        "delta", "exponent of the active share 1 - S in the term of size and sparsity", -1.2, 1.2,
        BY_SIZE | BY_EXPERTS),
    [GAMMA] =
        LAW_ROW_EXPONENT("gamma", "exponent of total parameters in the term of size and sparsity",
                         LAW_LEAST_EXPONENT, LAW_MOST_EXPONENT, BY_SIZE | BY_EXPERTS),
};

static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double *k = coefficients;
    double experts = NAN, ln_experts = NAN; /* −ln(1 − S) */

    for (size_t i = 0; i < count; i++) {
        double *phi = ret_phi + i * N_TERMS, *d;
        const double ln_n = x[i].ln_n_total, ln_d = x[i].ln_tokens;

        if (x[i].experts != experts) {
            experts = x[i].experts;
            ln_experts = log(experts);
        }
        phi[SIZE_TERM] = exp(-k[ALPHA] * ln_n);
        phi[TOKENS_TERM] = exp(-k[BETA] * ln_d);
        phi[SPARSITY_TERM] = exp(k[LAMBDA] * ln_experts);
        phi[CROSS_TERM] = exp(k[DELTA] * ln_experts - k[GAMMA] * ln_n);
        phi[FLOOR_TERM] = 1;
        if (!ret_dphi)
            continue;
        d = memset(ret_dphi + i * N_TERMS * N_COEFFICIENTS, 0,
                   N_TERMS * N_COEFFICIENTS * sizeof *d);
        d[SIZE_TERM * N_COEFFICIENTS + ALPHA] = -ln_n * phi[SIZE_TERM];
        d[TOKENS_TERM * N_COEFFICIENTS + BETA] = -ln_d * phi[TOKENS_TERM];
        d[SPARSITY_TERM * N_COEFFICIENTS + LAMBDA] = ln_experts * phi[SPARSITY_TERM];
        d[CROSS_TERM * N_COEFFICIENTS + DELTA] = ln_experts * phi[CROSS_TERM];
        d[CROSS_TERM * N_COEFFICIENTS + GAMMA] = -ln_n * phi[CROSS_TERM];
    }
}

static void slice(const double *coefficients, double experts, double granularity,
                  struct law_slice *ret_slice)
{
    const double *k = coefficients;
    const double ln_experts = log(experts);

    (void)granularity;
    *ret_slice = (struct law_slice){
        .n_size_terms = 2,
        .m = {k[A], k[D] * exp(k[DELTA] * ln_experts)},
        .mu = {-k[ALPHA], -k[GAMMA]},
        .n = k[B],
        .nu = -k[BETA],
        .c = k[C] * exp(k[LAMBDA] * ln_experts) + k[E],
    };
}

const struct law law_sparsity = {
    .name = "sparsity",
    .title = "Sparsity scaling law: total parameters, tokens and the share of inactive experts",
    .formula = "L = a/N^alpha + b/D^beta + c/(1 - S)^lambda + d/((1 - S)^delta*N^gamma) + e, "
               "S = 1 - 1/E",
    .latex = "L = \\frac{a}{N^{\\alpha}} + \\frac{b}{D^{\\beta}} + \\frac{c}{(1-S)^{\\lambda}}"
             " + \\frac{d}{(1-S)^{\\delta} N^{\\gamma}} + e,\\quad S = 1 - \\frac{1}{E}",
    .source = "arXiv 2501.12370, Eq. 6",
    .provenance = "published",
    .variables = LAW_BIT(LAW_N_TOTAL) | LAW_BIT(LAW_TOKENS) | LAW_BIT(LAW_EXPERTS),
    .size_variable = LAW_N_TOTAL,
    .response = LAW_LOSS_IS_SUM,
    .n_coefficients = N_COEFFICIENTS,
    .n_terms = N_TERMS,
    .coefficients = coefficients_of_law,
    .terms = terms,
    .slice = slice,
};
