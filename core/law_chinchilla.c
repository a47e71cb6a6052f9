/* law_chinchilla: dense models (H, arXiv 2203.15556, Eq. 2; B, arXiv 2404.10102).
 *
 *     L = E_inf + A/N^alpha + B/D^beta        N = N_act
 */
#include <math.h>
#include <string.h>

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

static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double alpha = coefficients[ALPHA], beta = coefficients[BETA];

    for (size_t i = 0; i < count; i++) {
        double size = exp(-alpha * x[i].ln_n_active);
        double tokens = exp(-beta * x[i].ln_tokens);
        double *phi = ret_phi + i * N_TERMS, *d;

        phi[FLOOR_TERM] = 1;
        phi[SIZE_TERM] = size;
        phi[TOKENS_TERM] = tokens;
        if (!ret_dphi)
            continue;
        d = memset(ret_dphi + i * N_TERMS * N_COEFFICIENTS, 0,
                   N_TERMS * N_COEFFICIENTS * sizeof *d);
        d[SIZE_TERM * N_COEFFICIENTS + ALPHA] = -x[i].ln_n_active * size;
        d[TOKENS_TERM * N_COEFFICIENTS + BETA] = -x[i].ln_tokens * tokens;
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
