#include "core/plan_poly.h"

#include <math.h>

/* Newton's method needs some ten steps, rounding at the end one or two ulps. */
enum { NEWTON_MAX = 100, NUDGES_MAX = 4 };

struct plan_moments plan_poly_moments(const struct plan_poly *poly, double d_model)
{
    double t1 = poly->c1, t2 = poly->c2 * d_model, t3 = poly->c3 * d_model * d_model;
    double sum = t1 + t2 + t3, inverse = 1 / sum;
    double mean = (t1 + 2 * t2 + 3 * t3) * inverse;

    return (struct plan_moments){
        .value = d_model * sum,
        .elasticity = mean,
        .bend = fmax(0, (t1 + 4 * t2 + 9 * t3) * inverse - mean * mean),
    };
}

/* Each term alone bounds the root from above, the least bound by at most three times; from there
 * Newton's steps on an increasing convex function only descend, until rounding stops them. */
double plan_poly_root(const struct plan_poly *poly, double value)
{
    double d = PLAN_D_MODEL_ENDLESS;

    if (value == INFINITY)
        return INFINITY;
    if (!(value > 0))
        return 0;
    value = fmin(value, PLAN_VALUE_MAX);
    if (poly->c3 > 0)
        d = fmin(d, cbrt(value / poly->c3));
    if (poly->c2 > 0)
        d = fmin(d, sqrt(value / poly->c2));
    if (poly->c1 > 0)
        d = fmin(d, value / poly->c1);
    for (int i = 0; i < NEWTON_MAX && d > 0; i++) {
        double slope = poly->c1 + d * (2 * poly->c2 + 3 * d * poly->c3);
        double next = d - (plan_poly_at(poly, d) - value) / slope;

        if (!(next < d))
            break;
        d = next;
    }
    for (int i = 0; i < NUDGES_MAX && plan_poly_at(poly, d) > value; i++)
        d = nextafter(d, 0);
    return d;
}

struct plan_poly plan_poly_scale(struct plan_poly poly, double factor)
{
    return (struct plan_poly){poly.c1 * factor, poly.c2 * factor, poly.c3 * factor};
}
