/* law_joint_granular: J's law with K's granularity, composed here; no paper published this form.
 *
 *     L = a·Ê^δ·N_act^(α + γ ln Ê)·s(E, G) + b·Ê^ω·D^(β + ζ ln Ê) + c
 *     s(E, G) = (1 + t·G^(−φ))/(1 + t),   t = κ·ln(Ê/E_start)
 *
 * s is 1 at G = 1, where this is J's law, and at E = 1, where t = 0: a dense model has no
 * granularity.
 */
#include "core/law_joint.h"

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

/* Multiplies J's model-size term of one run by s. */
static void scale_size_term(const struct factor *s, double *phi, double *dphi)
{
    double unscaled = phi[JOINT_SIZE_TERM];

    phi[JOINT_SIZE_TERM] = unscaled * s->value;
    if (!dphi)
        return;
    dphi += JOINT_SIZE_TERM * JOINT_GRANULAR_COEFFICIENTS;
    for (size_t j = 0; j < JOINT_COEFFICIENTS; j++)
        dphi[j] *= s->value;
    dphi[JOINT_E_START] += unscaled * s->d_start;
    dphi[JOINT_E_MAX] += unscaled * s->d_inverse;
    dphi[JOINT_KAPPA] = unscaled * s->d_kappa;
    dphi[JOINT_PHI] = unscaled * s->d_phi;
}

static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double inverse_e_max = joint_inverse_e_max(coefficients);
    struct law_saturation at = {.experts = NAN};
    struct factor s = {0};

    for (size_t i = 0; i < count; i++) {
        double *phi = ret_phi + i * JOINT_TERMS;
        double *dphi = ret_dphi ? ret_dphi + i * JOINT_TERMS * JOINT_GRANULAR_COEFFICIENTS : NULL;
        bool other_experts = x[i].experts != at.experts;

        if (other_experts)
            at = law_saturate(x[i].experts, coefficients[JOINT_E_START], inverse_e_max);
        if (other_experts || x[i].ln_granularity != x[i - 1].ln_granularity)
            s = factor_at(coefficients, &at, x[i].ln_granularity);
        joint_run(coefficients, JOINT_GRANULAR_COEFFICIENTS, &x[i], &at, phi, dphi);
        scale_size_term(&s, phi, dphi);
    }
}

LANES_CLONES
static bool losses(const double *columns, size_t count, const struct law_x *x, double *ret_loss)
{
    return joint_losses(columns, count, x, true, ret_loss);
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
    .slice = slice,
};
