/* law_chinchilla: dense models (H, arXiv 2203.15556, Eq. 2; B, arXiv 2404.10102).
 *
 *     L = E_inf + A/N^alpha + B/D^beta        N = N_act
 */
#include <math.h>

#include "core/law_parts.h"

enum { E_INF, A, B, ALPHA, BETA, N_COEFFICIENTS };
enum { FLOOR_TERM, SIZE_TERM, TOKENS_TERM, N_TERMS };

#define BY_SIZE LAW_BIT(LAW_N_ACTIVE)
#define BY_TOKENS LAW_BIT(LAW_TOKENS)

static const struct law_coefficient coefficients_of_law[N_COEFFICIENTS] = {
    [E_INF] = LAW_ROW_FLOOR("E_inf"),
    [A] = LAW_ROW_AMPLITUDE("A", "amplitude of the model-size term", BY_SIZE),
    [B] = LAW_ROW_AMPLITUDE("B", "amplitude of the data term", BY_TOKENS),
    [ALPHA] = LAW_ROW_EXPONENT("alpha", "exponent of active parameters", LAW_LEAST_EXPONENT,
                               LAW_MOST_EXPONENT, BY_SIZE),
    [BETA] = LAW_ROW_EXPONENT("beta", "exponent of training tokens", LAW_LEAST_EXPONENT,
                              LAW_MOST_EXPONENT, BY_TOKENS),
};

LANES_CLONES
static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double alpha = coefficients[ALPHA], beta = coefficients[BETA];
    double *floor_term = ret_phi + FLOOR_TERM * count;
    double *size = ret_phi + SIZE_TERM * count, *tokens = ret_phi + TOKENS_TERM * count;
    double *d_alpha, *d_beta;

    for (size_t i = 0; i < count; i++) {
        floor_term[i] = 1;
        size[i] = -alpha * x[i].ln_n_active;
        tokens[i] = -beta * x[i].ln_tokens;
    }
    lanes_exp_each(size, 2 * count); /* and tokens, which follow */
    if (!ret_dphi)
        return;
    d_alpha = law_column(ret_dphi, N_COEFFICIENTS, SIZE_TERM, ALPHA, count);
    d_beta = law_column(ret_dphi, N_COEFFICIENTS, TOKENS_TERM, BETA, count);
    for (size_t i = 0; i < count; i++) {
        d_alpha[i] = -x[i].ln_n_active * size[i];
        d_beta[i] = -x[i].ln_tokens * tokens[i];
    }
}

static void slice(const double *coefficients, double experts, double granularity,
                  struct law_slice *ret_slice)
{
    const double *k = coefficients;

    (void)experts;
    (void)granularity;
    *ret_slice = (struct law_slice){
        .n_size_terms = 1,
        .m = {k[A]},
        .mu = {-k[ALPHA]},
        .n = k[B],
        .nu = -k[BETA],
        .c = k[E_INF],
    };
}

const struct law law_chinchilla = {
    .name = "chinchilla",
    .title = "Chinchilla scaling law: dense models",
    .formula = "L = E_inf + A/N^alpha + B/D^beta",
    .latex = "L = E_\\infty + \\frac{A}{N^{\\alpha}} + \\frac{B}{D^{\\beta}}",
    .source = "arXiv 2203.15556, Eq. 2; arXiv 2404.10102",
    .provenance = "published",
    .variables = LAW_BIT(LAW_N_ACTIVE) | LAW_BIT(LAW_TOKENS),
    .size_variable = LAW_N_ACTIVE,
    .response = LAW_LOSS_IS_SUM,
    .n_coefficients = N_COEFFICIENTS,
    .n_terms = N_TERMS,
    .coefficients = coefficients_of_law,
    .terms = terms,
    .slice = slice,
};
