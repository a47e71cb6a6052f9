/* plan_poly: what a shape's parameters, FLOPs and bytes are of d_model at fixed E and G.
 *
 * Internal to the planner. Pure.
 */
#ifndef MOEPLAN_CORE_PLAN_POLY_H
#define MOEPLAN_CORE_PLAN_POLY_H

/* A d_model so large (N near 1e300) that to reach it is to have no limit. */
#define PLAN_D_MODEL_ENDLESS 1e100

/* Values of polynomials beyond any use, and low enough that one at three times its root does not
 * overflow. */
#define PLAN_VALUE_MAX 1e305

/* c1·d + c2·d² + c3·d³, all c >= 0, not all 0. */
struct plan_poly {
    double c1, c2, c3;
};

/* A polynomial at d, as a power law sees it: value, elasticity e = d ln P/d ln d in [1, 3], and
 * de/d ln d, which is the variance of the exponents weighted by the terms, >= 0. */
struct plan_moments {
    double value, elasticity, bend;
};

static inline double plan_poly_at(const struct plan_poly *poly, double d_model)
{
    return d_model * (poly->c1 + d_model * (poly->c2 + d_model * poly->c3));
}
struct plan_moments plan_poly_moments(const struct plan_poly *poly, double d_model);

/* The largest d (to an ulp or two) with P(d) <= value, at most PLAN_D_MODEL_ENDLESS; INFINITY for
 * INFINITY, 0 for value <= 0. */
double plan_poly_root(const struct plan_poly *poly, double value);

/* Every value times the factor, >= 0. */
struct plan_poly plan_poly_scale(struct plan_poly poly, double factor);

#endif
