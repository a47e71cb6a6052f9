/* law_fine_grained: granularity at one expansion rate (K, arXiv 2402.07871, Eq. 9).
 *
 *     L = c + (g/G^γ + a)/N^α + b/D^β        N = all parameters but embeddings; E is the fit's own
 */
#include <math.h>
#include <string.h>

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

static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double alpha = coefficients[ALPHA], beta = coefficients[BETA];
    const double gamma = coefficients[GAMMA];

    for (size_t i = 0; i < count; i++) {
        double size = exp(-alpha * x[i].ln_n_total);
        double granular = size * exp(-gamma * x[i].ln_granularity);
        double tokens = exp(-beta * x[i].ln_tokens);
        double *phi = ret_phi + i * N_TERMS, *d;

        phi[SIZE_TERM] = size;
        phi[TOKENS_TERM] = tokens;
        phi[GRANULAR_TERM] = granular;
        phi[FLOOR_TERM] = 1;
        if (!ret_dphi)
            continue;
        d = memset(ret_dphi + i * N_TERMS * N_COEFFICIENTS, 0,
                   N_TERMS * N_COEFFICIENTS * sizeof *d);
        d[SIZE_TERM * N_COEFFICIENTS + ALPHA] = -x[i].ln_n_total * size;
        d[TOKENS_TERM * N_COEFFICIENTS + BETA] = -x[i].ln_tokens * tokens;
        d[GRANULAR_TERM * N_COEFFICIENTS + ALPHA] = -x[i].ln_n_total * granular;
        d[GRANULAR_TERM * N_COEFFICIENTS + GAMMA] = -x[i].ln_granularity * granular;
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
