/* law_fine_grained: granularity at one expansion rate (K, arXiv 2402.07871, Eq. 9).
 *
 *     L = c + (g/G^γ + a)/N^α + b/D^β        N = all parameters but embeddings; E is the fit's own
 */
#include <math.h>

#include "core/law_parts.h"

enum { A, ALPHA, B, BETA, G, GAMMA, C, N_COEFFICIENTS };
enum { SIZE_TERM, TOKENS_TERM, GRANULAR_TERM, FLOOR_TERM, N_TERMS };

#define BY_SIZE LAW_BIT(LAW_N_TOTAL)
#define BY_TOKENS LAW_BIT(LAW_TOKENS)
#define BY_GRANULARITY LAW_BIT(LAW_GRANULARITY)

static const struct law_coefficient coefficients_of_law[N_COEFFICIENTS] = {
    [A] = LAW_ROW_AMPLITUDE("a", "amplitude of the model-size term", BY_SIZE),
    [ALPHA] = LAW_ROW_EXPONENT("alpha", "exponent of total parameters", LAW_LEAST_EXPONENT,
                               LAW_MOST_EXPONENT, BY_SIZE),
    [B] = LAW_ROW_AMPLITUDE("b", "amplitude of the data term", BY_TOKENS),
    [BETA] = LAW_ROW_EXPONENT("beta", "exponent of training tokens", LAW_LEAST_EXPONENT,
                              LAW_MOST_EXPONENT, BY_TOKENS),
    [G] = LAW_ROW_AMPLITUDE("g", "amplitude of granularity in the model-size term", BY_GRANULARITY),
    [GAMMA] = LAW_ROW_EXPONENT("gamma", "exponent of granularity", 0.05, 2, BY_GRANULARITY),
    [C] = LAW_ROW_FLOOR("c"),
};

LANES_CLONES
static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double alpha = coefficients[ALPHA], beta = coefficients[BETA];
    const double gamma = coefficients[GAMMA];
    double *size = ret_phi + SIZE_TERM * count, *tokens = ret_phi + TOKENS_TERM * count;
    double *granular = ret_phi + GRANULAR_TERM * count, *floor_term = ret_phi + FLOOR_TERM * count;
    double *d_alpha, *d_beta, *d_alpha_granular, *d_gamma;

    for (size_t i = 0; i < count; i++) {
        size[i] = -alpha * x[i].ln_n_total;
        tokens[i] = -beta * x[i].ln_tokens;
        granular[i] = -gamma * x[i].ln_granularity;
        floor_term[i] = 1;
    }
    lanes_exp_each(size, 3 * count); /* and tokens and granular, which follow */
    for (size_t i = 0; i < count; i++)
        granular[i] *= size[i];
    if (!ret_dphi)
        return;
    d_alpha = law_column(ret_dphi, N_COEFFICIENTS, SIZE_TERM, ALPHA, count);
    d_beta = law_column(ret_dphi, N_COEFFICIENTS, TOKENS_TERM, BETA, count);
    d_alpha_granular = law_column(ret_dphi, N_COEFFICIENTS, GRANULAR_TERM, ALPHA, count);
    d_gamma = law_column(ret_dphi, N_COEFFICIENTS, GRANULAR_TERM, GAMMA, count);
    for (size_t i = 0; i < count; i++) {
        d_alpha[i] = -x[i].ln_n_total * size[i];
        d_beta[i] = -x[i].ln_tokens * tokens[i];
        d_alpha_granular[i] = -x[i].ln_n_total * granular[i];
        d_gamma[i] = -x[i].ln_granularity * granular[i];
    }
}

static void slice(const double *coefficients, double experts, double granularity,
                  struct law_slice *ret_slice)
{
    const double *k = coefficients;

    (void)experts;
    *ret_slice = (struct law_slice){
        .n_size_terms = 1,
        .m = {k[A] + k[G] * exp(-k[GAMMA] * log(granularity))},
        .mu = {-k[ALPHA]},
        .n = k[B],
        .nu = -k[BETA],
        .c = k[C],
    };
}

const struct law law_fine_grained = {
    .name = "fine-grained",
    .title = "Fine-grained MoE scaling law: granularity at one expansion rate",
    .formula = "L = c + (g/G^gamma + a)/N^alpha + b/D^beta",
    .latex = "L = c + \\left(\\frac{g}{G^{\\gamma}} + a\\right)\\frac{1}{N^{\\alpha}}"
             " + \\frac{b}{D^{\\beta}}",
    .source = "arXiv 2402.07871, Eq. 9",
    .provenance = "published",
    .variables = LAW_BIT(LAW_N_TOTAL) | LAW_BIT(LAW_TOKENS) | LAW_BIT(LAW_GRANULARITY),
    .size_variable = LAW_N_TOTAL,
    .response = LAW_LOSS_IS_SUM,
    .routing_flops = true,
    .n_coefficients = N_COEFFICIENTS,
    .n_terms = N_TERMS,
    .coefficients = coefficients_of_law,
    .terms = terms,
    .slice = slice,
};
