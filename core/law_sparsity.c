/* law_sparsity: total parameters and sparsity (A, arXiv 2501.12370, Eq. 6).
 *
 *     L = a/N^α + b/D^β + c/(1 − S)^λ + d/((1 − S)^δ·N^γ) + e
 *
 * N = all parameters, S = inactive experts/all experts = 1 − 1/E, so that 1 − S = 1/E.
 */
#include <math.h>

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

/* −ln(1 − S) of each run; of runs in a row that share E once. */
static void ln_experts_each(const struct law_x *x, size_t count, double *ret)
{
    double experts = NAN, ln_experts = NAN;

    for (size_t i = 0; i < count; i++) {
        if (x[i].experts != experts) {
            experts = x[i].experts;
            ln_experts = log(experts);
        }
        ret[i] = ln_experts;
    }
}

LANES_CLONES
static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double *k = coefficients;
    double *size = ret_phi + SIZE_TERM * count, *tokens = ret_phi + TOKENS_TERM * count;
    double *sparsity = ret_phi + SPARSITY_TERM * count, *cross = ret_phi + CROSS_TERM * count;
    double *ln_experts = ret_phi + FLOOR_TERM * count; /* until the end */
    double *d_alpha, *d_beta, *d_lambda, *d_delta, *d_gamma;

    ln_experts_each(x, count, ln_experts);
    for (size_t i = 0; i < count; i++) {
        size[i] = -k[ALPHA] * x[i].ln_n_total;
        tokens[i] = -k[BETA] * x[i].ln_tokens;
        sparsity[i] = k[LAMBDA] * ln_experts[i];
        cross[i] = k[DELTA] * ln_experts[i] - k[GAMMA] * x[i].ln_n_total;
    }
    lanes_exp_each(size, 4 * count); /* and those that follow */
    if (ret_dphi) {
        d_alpha = law_column(ret_dphi, N_COEFFICIENTS, SIZE_TERM, ALPHA, count);
        d_beta = law_column(ret_dphi, N_COEFFICIENTS, TOKENS_TERM, BETA, count);
        d_lambda = law_column(ret_dphi, N_COEFFICIENTS, SPARSITY_TERM, LAMBDA, count);
        d_delta = law_column(ret_dphi, N_COEFFICIENTS, CROSS_TERM, DELTA, count);
        d_gamma = law_column(ret_dphi, N_COEFFICIENTS, CROSS_TERM, GAMMA, count);
        for (size_t i = 0; i < count; i++) {
            d_alpha[i] = -x[i].ln_n_total * size[i];
            d_beta[i] = -x[i].ln_tokens * tokens[i];
            d_lambda[i] = ln_experts[i] * sparsity[i];
            d_delta[i] = ln_experts[i] * cross[i];
            d_gamma[i] = -x[i].ln_n_total * cross[i];
        }
    }
    for (size_t i = 0; i < count; i++)
        ln_experts[i] = 1; /* the floor */
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
