/* law_joint_granular: J's law with K's granularity, composed here; no paper published this form.
 *
 *     L = a·Ê^δ·N_act^(α + γ ln Ê)·s(E, G) + b·Ê^ω·D^(β + ζ ln Ê) + c
 *     s(E, G) = (1 + t·G^(−φ))/(1 + t),   t = κ·ln(Ê/E_start)
 *
 * s is 1 at G = 1, where this is J's law, and at E = 1, where t = 0: a dense model has no
 * granularity.
 */
#include "core/law_joint.h"
#include "core/law_joint_near.h"

struct factor {
    double value;              /* s */
    double d_kappa, d_phi;     /* ∂s/∂κ, ∂s/∂φ */
    double d_start, d_inverse; /* ∂s/∂E_start, ∂s/∂(1/E_max), through t */
};

/* s = 1 + t·(G^(−φ) − 1)/(1 + t), so that it is 1 exactly where it should be. */
static struct factor factor_at(const double *coefficients, const struct law_saturation *at,
                               double ln_granularity)
{
    const double kappa = coefficients[JOINT_KAPPA], phi = coefficients[JOINT_PHI];
    double t = kappa * at->ln_gain;
    double power_less_1 = expm1(-phi * ln_granularity);
    double by_t = power_less_1 / ((1 + t) * (1 + t));

    return (struct factor){
        .value = 1 + t * power_less_1 / (1 + t),
        .d_kappa = by_t * at->ln_gain,
        .d_phi = -t * (1 + power_less_1) * ln_granularity / (1 + t),
        .d_start = by_t * kappa * at->d_ln_gain_by_start,
        .d_inverse = by_t * kappa * at->d_inverse_e_max,
    };
}

/* Multiplies J's model-size term of runs [from, to) of `all`, which share s, by it. */
LANES_INLINE void scale_size_term(const struct factor *s, size_t from, size_t to, size_t all,
                                  double *restrict phi, double *restrict dphi)
{
    static const enum joint_coefficient scaled[] = {JOINT_ALPHA, JOINT_DELTA, JOINT_GAMMA,
                                                    JOINT_E_START, JOINT_E_MAX};

    for (size_t j = 0; j < sizeof scaled / sizeof *scaled && dphi; j++)
        for (size_t i = from; i < to; i++)
            dphi[scaled[j] * all + i] *= s->value;
    for (size_t i = from; i < to; i++) {
        double unscaled = phi[i];

        phi[i] = unscaled * s->value;
        if (!dphi)
            continue;
        dphi[JOINT_E_START * all + i] += unscaled * s->d_start;
        dphi[JOINT_E_MAX * all + i] += unscaled * s->d_inverse;
        dphi[JOINT_KAPPA * all + i] = unscaled * s->d_kappa;
        dphi[JOINT_PHI * all + i] = unscaled * s->d_phi;
    }
}

LANES_CLONES
static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double inverse_e_max = joint_inverse_e_max(coefficients);
    const size_t at_size = JOINT_SIZE_TERM * count;

    joint_terms(coefficients, JOINT_GRANULAR_COEFFICIENTS, x, count, ret_phi, ret_dphi);
    for (size_t from = 0, to; from < count; from = to) {
        struct law_saturation at =
            law_saturate(x[from].experts, coefficients[JOINT_E_START], inverse_e_max);
        struct factor s = factor_at(coefficients, &at, x[from].ln_granularity);

        to = joint_alike(x, from, count);
        scale_size_term(&s, from, to, count, ret_phi + at_size,
                        ret_dphi ? ret_dphi + at_size * JOINT_GRANULAR_COEFFICIENTS : NULL);
    }
}

LANES_CLONES
static bool losses(const double *columns, const struct law_x *x, size_t count, double *ret_loss)
{
    return joint_losses(columns, x, count, true, ret_loss);
}

static void slice(const double *coefficients, double experts, double granularity,
                  struct law_slice *ret_slice)
{
    struct law_saturation at =
        law_saturate(experts, coefficients[JOINT_E_START], joint_inverse_e_max(coefficients));

    *ret_slice = joint_slice(coefficients, &at);
    ret_slice->m[0] *= factor_at(coefficients, &at, log(granularity)).value;
}

const struct law law_joint_granular = {
    .name = "joint-granular",
    .title = "Joint MoE scaling law with granularity: experts, granularity and tokens in one",
    .formula = "L = a*Ê^delta*N_act^(alpha + gamma*ln Ê)*s(E,G)"
               " + b*Ê^omega*D^(beta + zeta*ln Ê) + c,"
               " s(E,G) = (1 + t*G^(-phi))/(1 + t), t = kappa*ln(Ê/E_start)"
               ", " LAW_SATURATION_FORMULA,
    .latex = "L = a\\,\\hat E^{\\delta} N_\\mathrm{act}^{\\alpha + \\gamma \\ln \\hat E}\\,s(E,G)"
             " + b\\,\\hat E^{\\omega} D^{\\beta + \\zeta \\ln \\hat E} + c,\\quad"
             " s(E,G) = \\frac{1 + t\\,G^{-\\varphi}}{1 + t},\\quad"
             " t = \\kappa \\ln \\frac{\\hat E}{E_\\mathrm{start}},\\quad " LAW_SATURATION_LATEX,
    .source = "composed from arXiv 2502.05172, Eq. 6, and arXiv 2402.07871, Eq. 9",
    .provenance = "composed",
    .variables = LAW_BIT(LAW_N_ACTIVE) | LAW_BIT(LAW_TOKENS) | LAW_BIT(LAW_EXPERTS) |
                 LAW_BIT(LAW_GRANULARITY),
    .size_variable = LAW_N_ACTIVE,
    .response = LAW_LOSS_IS_SUM,
    .routing_flops = true,
    .n_coefficients = JOINT_GRANULAR_COEFFICIENTS,
    .n_terms = JOINT_TERMS,
    .coefficients = joint_coefficients,
    .terms = terms,
    .losses = losses,
    .near = &law_joint_granular_near,
    .slice = slice,
};
