/* fit_polish: from a point to the local optimum of the true objective, within the bounds.
 *
 * Each step solves the robust problem along the law's tangent exactly (fit_step), damped as
 * Levenberg-Marquardt. Near the end the law's own curvature is added by differences, which makes
 * convergence quadratic although residuals do not vanish. GSL's solver goes before (fit_lm) and
 * leaves to this what it cannot do: bounds, and the last digits of a loss with kinks.
 * Scratch from the caller's arena once, in fit_polish_init.
 */
#ifndef MOEPLAN_CORE_FIT_POLISH_H
#define MOEPLAN_CORE_FIT_POLISH_H

#include "core/fit_problem.h"
#include "core/fit_step.h"

struct fit_polish {
    const struct fit_problem *problem;
    double *residual, *trial; /* n_rows */
    double *jacobian, *ahead; /* n_rows·stride */
    double *linear, *along;
    const double *weight; /* n_rows: the problem's, or a draw's */
    size_t steps;         /* tried in all runs so far */
    /* Whether z lies in the bowl of an optimum already known; NULL: none is
     * asked. */
    bool (*known)(void *ctx, const double *z);
    void *known_ctx;
};

/* ERR_NO_MEMORY. */
enum err_code fit_polish_init(struct fit_polish *polish, const struct fit_problem *problem,
                              struct arena *arena, struct err *err);

struct fit_polished {
    double objective;
    enum fit_stop stop;
    size_t iterations;
    bool known; /* it came to a place the caller knows and stopped there */
};

struct fit_polish_goal {
    double delta;      /* Huber's threshold, INFINITY for squares */
    double tolerance;  /* stop when a step promises less than this share of the objective */
    size_t iterations; /* at most */
    bool exact;        /* second derivatives once steps are small */
};

/* Moves z. objective INFINITY when z itself has none. */
struct fit_polished fit_polish_run(struct fit_polish *polish, const struct fit_polish_goal *goal,
                                   double *z);

#endif
