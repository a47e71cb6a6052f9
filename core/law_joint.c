/* law_joint: dense and mixture of experts together (J, arXiv 2502.05172, Eq. 1, 4, 6).
 *
 *     L = a·Ê^δ·N_act^(α + γ ln Ê) + b·Ê^ω·D^(β + ζ ln Ê) + c
 */
#include "core/law_joint.h"

#define BY_SIZE LAW_BIT(LAW_N_ACTIVE)
#define BY_TOKENS LAW_BIT(LAW_TOKENS)
#define BY_EXPERTS LAW_BIT(LAW_EXPERTS)
#define BY_GRANULARITY LAW_BIT(LAW_GRANULARITY)

/* Where one variable never varied, its term is indistinguishable from the floor: it is fixed away
 * whole. E_start, E_max, κ and φ are fixed at the published values. */
const struct law_coefficient joint_coefficients[JOINT_GRANULAR_COEFFICIENTS] = {
    [JOINT_A] = {"a", "amplitude of the model-size term, in units of the loss", LAW_AMPLITUDE,
                 LAW_LN, 0, INFINITY, 1e-2, 1e5, BY_SIZE, 0},
    [JOINT_ALPHA] = {"alpha", "exponent of active parameters at Ê = 1", LAW_EXPONENT, LAW_IDENTITY,
                     -INFINITY, INFINITY, -LAW_MOST_EXPONENT, -LAW_LEAST_EXPONENT, BY_SIZE, 0},
    [JOINT_DELTA] = {"delta", "exponent of Ê in the model-size term", LAW_EXPONENT, LAW_IDENTITY,
                     -INFINITY, INFINITY, -2, 2, BY_SIZE | BY_EXPERTS, 0},
    [JOINT_GAMMA] = {"gamma", "change of the exponent of active parameters with ln Ê", LAW_EXPONENT,
                     LAW_IDENTITY, -INFINITY, INFINITY, -0.12, 0.12, BY_SIZE | BY_EXPERTS, 0},
    [JOINT_B] = {"b", "amplitude of the data term, in units of the loss", LAW_AMPLITUDE, LAW_LN, 0,
                 INFINITY, 1e-2, 1e5, BY_TOKENS, 0},
    [JOINT_BETA] = {"beta", "exponent of training tokens at Ê = 1", LAW_EXPONENT, LAW_IDENTITY,
                    -INFINITY, INFINITY, -LAW_MOST_EXPONENT, -LAW_LEAST_EXPONENT, BY_TOKENS, 0},
    [JOINT_OMEGA] = {"omega", "exponent of Ê in the data term", LAW_EXPONENT, LAW_IDENTITY,
                     -INFINITY, INFINITY, -2, 2, BY_TOKENS | BY_EXPERTS, 0},
    [JOINT_ZETA] = {"zeta", "change of the exponent of training tokens with ln Ê", LAW_EXPONENT,
                    LAW_IDENTITY, -INFINITY, INFINITY, -0.12, 0.12, BY_TOKENS | BY_EXPERTS, 0},
    [JOINT_E_START] = {"E_start", "value of Ê for a dense model", LAW_SATURATION, LAW_LN, 1,
                       INFINITY, 1, 10, BY_EXPERTS, 2.0732},
    [JOINT_E_MAX] = {"E_max",
                     "limit of Ê for many experts, above E_start; infinite where it does "
                     "not saturate",
                     LAW_SATURATION, LAW_RECIPROCAL, 1, INFINITY, 20, INFINITY, BY_EXPERTS,
                     290.4521},
    [JOINT_C] = {"c", "irreducible loss, in units of the loss", LAW_AMPLITUDE, LAW_IDENTITY, 0,
                 INFINITY, 0, 5, 0, 0},
    [JOINT_KAPPA] = {"kappa", "weight of granularity in the model-size term, per ln(Ê/E_start)",
                     LAW_EXPONENT, LAW_IDENTITY, 0, INFINITY, 0.002, 0.5,
                     BY_SIZE | BY_EXPERTS | BY_GRANULARITY, 0.0331},
    [JOINT_PHI] = {"phi", "exponent of granularity", LAW_EXPONENT, LAW_IDENTITY, -INFINITY,
                   INFINITY, 0.05, 2, BY_SIZE | BY_EXPERTS | BY_GRANULARITY, 0.684},
};

static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    const double inverse_e_max = joint_inverse_e_max(coefficients);
    struct law_saturation at = {.experts = NAN};

    for (size_t i = 0; i < count; i++) {
        double *phi = ret_phi + i * JOINT_TERMS;
        double *dphi = ret_dphi ? ret_dphi + i * JOINT_TERMS * JOINT_COEFFICIENTS : NULL;

        if (x[i].experts != at.experts)
            at = law_saturate(x[i].experts, coefficients[JOINT_E_START], inverse_e_max);
        joint_run(coefficients, JOINT_COEFFICIENTS, &x[i], &at, phi, dphi);
    }
}

static void slice(const double *coefficients, double experts, double granularity,
                  struct law_slice *ret_slice)
{
    struct law_saturation at =
        law_saturate(experts, coefficients[JOINT_E_START], joint_inverse_e_max(coefficients));

    (void)granularity;
    *ret_slice = joint_slice(coefficients, &at);
}

const struct law law_joint = {
    .name = "joint",
    .title = "Joint MoE scaling law: dense and mixture of experts in one",
    .formula = "L = a*Ê^delta*N_act^(alpha + gamma*ln Ê) + b*Ê^omega*D^(beta + zeta*ln Ê) + c, "
               "1/Ê = 1/(E - 1 + 1/(1/E_start - 1/E_max)) + 1/E_max",
    .latex = "L = a\\,\\hat E^{\\delta} N_\\mathrm{act}^{\\alpha + \\gamma \\ln \\hat E}"
             " + b\\,\\hat E^{\\omega} D^{\\beta + \\zeta \\ln \\hat E} + c,\\quad"
             " \\frac{1}{\\hat E} = \\frac{1}{E - 1 + \\left(\\frac{1}{E_\\mathrm{start}}"
             " - \\frac{1}{E_\\mathrm{max}}\\right)^{-1}} + \\frac{1}{E_\\mathrm{max}}",
    .source = "arXiv 2502.05172, Eq. 1, 4, 6",
    .provenance = "published",
    .variables = LAW_BIT(LAW_N_ACTIVE) | LAW_BIT(LAW_TOKENS) | LAW_BIT(LAW_EXPERTS),
    .size_variable = LAW_N_ACTIVE,
    .response = LAW_LOSS_IS_SUM,
    .n_coefficients = JOINT_COEFFICIENTS,
    .n_terms = JOINT_TERMS,
    .coefficients = joint_coefficients,
    .terms = terms,
    .slice = slice,
};
