/* fit_profile: what a fit loses when one coefficient is held away from where it put it.
 *
 * For each value v the other free coefficients are fitted again, from where the nearest values
 * left them: Q(v). The interval is where the drop in dispersion stays within chance,
 *     2·(Q(v) − Q̂) <= λ·F,   F the `level` quantile of F(1, n − p),
 *     λ = K²·[Σ w·ψ²/(n − p)]/[Σ w·ψ'/Σ w],
 * ψ = h' (Schrader and Hettmansperger 1980; K is Huber's correction, fit_error.h). With squares λ
 * is s² and this is the likelihood ratio's interval; with Huber's loss, which is no likelihood, λ
 * is what makes it agree with the standard errors of fit_error where the law is nearly linear.
 * Unlike those it follows the valley of the law. A side on which a bound of the coefficient is
 * reached first ends there.
 *
 * Pure; results in the caller's arena, scratch from malloc freed on return. Same fit, same bits.
 */
#ifndef MOEPLAN_CORE_FIT_PROFILE_H
#define MOEPLAN_CORE_FIT_PROFILE_H

#include "core/fit.h"

enum { FIT_PROFILE_POINTS_DEFAULT = 41, FIT_PROFILE_POINTS_MIN = 3, FIT_PROFILE_POINTS_MAX = 401 };

enum fit_profile_end {
    FIT_PROFILE_CROSSES, /* the interval ends inside the bounds */
    FIT_PROFILE_BOUND,   /* at the coefficient's bound the objective is still within chance */
    FIT_PROFILE_OPEN,    /* no end was found: the runs do not limit the coefficient on this side */
};
const char *fit_profile_end_name(enum fit_profile_end end); /* "crosses", … */

struct fit_profile {
    size_t n;
    double *value, *objective; /* n each, ascending values, the fit's own among them; an objective
                                  is INFINITY where the law has no finite loss */
    double dispersion;         /* λ; NAN without degrees of freedom: then there is no interval */
    double threshold;          /* the objective at which the interval ends */
    double interval[2];        /* natural; NAN where OPEN. E_max may be INFINITY */
    enum fit_profile_end end[2];
    double least; /* the least objective met: below the fit's own when the fit was not the best */
};

/* Profiles `coefficient` (an index, free in the result) of the fit that fit_run made from the same
 * options and runs; of result, coefficient and is_free are read. points >= FIT_PROFILE_POINTS_MIN,
 * level in (0, 1). options->progress may cancel; it is told points as draws. ERR_INVALID when the
 * coefficient is not free, ERR_CANCELLED, ERR_NO_MEMORY. */
enum err_code fit_profile_run(const struct fit_options *options, const struct obs *obs,
                              size_t count, const struct fit_result *result, size_t coefficient,
                              size_t points, double level, struct arena *arena,
                              struct fit_profile *ret, struct err *err);

#endif
