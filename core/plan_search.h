/* plan_search: one-dimensional searches that cannot loop.
 *
 * Internal to the planner. Both work in x = ln d_model and take a bounded number of evaluations;
 * functions may return INFINITY (never NAN) where there is nothing to be had.
 */
#ifndef MOEPLAN_CORE_PLAN_SEARCH_H
#define MOEPLAN_CORE_PLAN_SEARCH_H

typedef double plan_search_function(const void *ctx, double x);

/* The least value of f over [low, high], and where: f on a grid of 256 intervals, then every local
 * minimum among them refined by golden sections, and every border between finite and infinite
 * values bisected. Needs no derivative and no convexity; can miss only what is narrower than a
 * grid cell. INFINITY when f is infinite on the whole grid. */
double plan_search_least(plan_search_function *f, const void *ctx, double low, double high,
                         double *ret_x);

/* A root of f between `inside`, where f <= 0, and `outside`, where f > 0: the argument found has
 * f <= 0 and lies within 1e-15·max(1, |x|) of a sign change. Regula falsi (Illinois), at most 200
 * evaluations. */
double plan_search_root(plan_search_function *f, const void *ctx, double inside, double f_inside,
                        double outside, double f_outside);

#endif
