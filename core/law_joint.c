/* law_joint: dense and mixture of experts together (J, arXiv 2502.05172, Eq. 1, 4, 6).
 *
 *     L = a·Ê^δ·N_act^(α + γ ln Ê) + b·Ê^ω·D^(β + ζ ln Ê) + c
 */
#include "core/law_joint.h"
#include "core/law_joint_near.h"

#define BY_SIZE LAW_BIT(LAW_N_ACTIVE)
#define BY_TOKENS LAW_BIT(LAW_TOKENS)
#define BY_EXPERTS LAW_BIT(LAW_EXPERTS)
#define BY_GRANULARITY LAW_BIT(LAW_GRANULARITY)

/* Where one variable never varied, its term is indistinguishable from the floor: it is fixed away
 * whole. E_start, E_max, κ and φ are fixed at the published values. */
const struct law_coefficient joint_coefficients[JOINT_GRANULAR_COEFFICIENTS] = {
    [JOINT_A] = LAW_ROW_AMPLITUDE("a", "amplitude of the model-size term", BY_SIZE),
    [JOINT_ALPHA] = LAW_ROW_EXPONENT("alpha", "exponent of active parameters at Ê = 1",
                                     -LAW_MOST_EXPONENT, -LAW_LEAST_EXPONENT, BY_SIZE),
    [JOINT_DELTA] = LAW_ROW_EXPONENT("delta", "exponent of Ê in the model-size term", -2, 2,
                                     BY_SIZE | BY_EXPERTS),
    [JOINT_GAMMA] =
        LAW_ROW_EXPONENT("gamma", "change of the exponent of active parameters with ln Ê", -0.12,
                         0.12, BY_SIZE | BY_EXPERTS),
    [JOINT_B] = LAW_ROW_AMPLITUDE("b", "amplitude of the data term", BY_TOKENS),
    [JOINT_BETA] = LAW_ROW_EXPONENT("beta", "exponent of training tokens at Ê = 1",
                                    -LAW_MOST_EXPONENT, -LAW_LEAST_EXPONENT, BY_TOKENS),
    [JOINT_OMEGA] =
        LAW_ROW_EXPONENT("omega", "exponent of Ê in the data term", -2, 2, BY_TOKENS | BY_EXPERTS),
    [JOINT_ZETA] = LAW_ROW_EXPONENT("zeta", "change of the exponent of training tokens with ln Ê",
                                    -0.12, 0.12, BY_TOKENS | BY_EXPERTS),
    [JOINT_E_START] = LAW_ROW_E_START,
    [JOINT_E_MAX] = LAW_ROW_E_MAX,
    [JOINT_C] = LAW_ROW_FLOOR("c"),
    [JOINT_KAPPA] = {.name = "kappa",
                     .meaning = "weight of granularity in the model-size term, per ln(Ê/E_start)",
                     .role = LAW_EXPONENT,
                     .transform = LAW_IDENTITY,
                     .lower = 0,
                     .upper = INFINITY,
                     .search_lower = 0.002,
                     .search_upper = 0.5,
                     .needs = BY_SIZE | BY_EXPERTS | BY_GRANULARITY,
                     .neutral = 0.0331},
    [JOINT_PHI] = {.name = "phi",
                   .meaning = "exponent of granularity",
                   .role = LAW_EXPONENT,
                   .transform = LAW_IDENTITY,
                   .lower = -INFINITY,
                   .upper = INFINITY,
                   .search_lower = 0.05,
                   .search_upper = 2,
                   .needs = BY_SIZE | BY_EXPERTS | BY_GRANULARITY,
                   .neutral = 0.684},
};

LANES_CLONES
static void terms(const double *coefficients, const struct law_x *x, size_t count, double *ret_phi,
                  double *ret_dphi)
{
    joint_terms(coefficients, JOINT_COEFFICIENTS, x, count, ret_phi, ret_dphi);
}

LANES_CLONES
static bool losses(const double *columns, const struct law_x *x, size_t count, double *ret_loss)
{
    return joint_losses(columns, x, count, false, ret_loss);
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
    .formula = "L = a*Ê^delta*N_act^(alpha + gamma*ln Ê)"
               " + b*Ê^omega*D^(beta + zeta*ln Ê) + c, " LAW_SATURATION_FORMULA,
    .latex = "L = a\\,\\hat E^{\\delta} N_\\mathrm{act}^{\\alpha + \\gamma \\ln \\hat E}"
             " + b\\,\\hat E^{\\omega} D^{\\beta + \\zeta \\ln \\hat E} + c,\\quad"
             " " LAW_SATURATION_LATEX,
    .source = "arXiv 2502.05172, Eq. 1, 4, 6",
    .provenance = "published",
    .variables = LAW_BIT(LAW_N_ACTIVE) | LAW_BIT(LAW_TOKENS) | LAW_BIT(LAW_EXPERTS),
    .size_variable = LAW_N_ACTIVE,
    .response = LAW_LOSS_IS_SUM,
    .n_coefficients = JOINT_COEFFICIENTS,
    .n_terms = JOINT_TERMS,
    .coefficients = joint_coefficients,
    .terms = terms,
    .losses = losses,
    .near = &law_joint_near,
    .slice = slice,
};
