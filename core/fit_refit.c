#include "core/fit_refit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_polish.h"
#include "core/fit_simplify.h"

enum { POLISH_STEPS = 200 };

/* Of the objective; the excess that ends an interval is some thousand times as much. */
static const double polish_tolerance = 1e-11;

double fit_refit_coordinate(const struct fit_refits *refits, double value)
{
    return refits->law->coefficients[refits->index].transform == LAW_RECIPROCAL ? 1.0 / value
                                                                                : value;
}

double fit_refit_value(const struct fit_refits *refits, double t)
{
    return refits->law->coefficients[refits->index].transform == LAW_RECIPROCAL ? 1.0 / t : t;
}

static enum err_code problem_at(struct fit_refits *refits, const double *natural,
                                struct fit_problem *ret, struct err *err)
{
    return fit_problem_init(ret, refits->options, refits->is_free, natural, refits->obs,
                            refits->count, &refits->scratch, err);
}

/* On wider priors first where they are so sure that steps could not follow their valley. */
static enum err_code polish_simple(struct fit_refits *refits, const struct fit_problem *problem,
                                   const struct fit_polish_goal *goal, double *z, struct err *err)
{
    struct fit_problem simple = *problem;
    struct fit_polish polish;
    enum err_code code;

    if (!fit_simplify_priors(&simple))
        return ERR_OK;
    code = fit_polish_init(&polish, &simple, &refits->scratch, err);
    if (code == ERR_OK)
        (void)fit_polish_run(&polish, goal, z);
    return code;
}

/* Polishes the other coefficients at t, from those of `from` as they are or, by_effect, from points
 * of the same effects on the runs: as a saturation moves, the exponents of Ê and the amplitudes
 * must with it, by as much as a hundred decades. Keeps the better of what comes out and *best. */
static enum err_code refit_from(struct fit_refits *refits, double t, const double *from,
                                bool by_effect, struct fit_refit *best, struct err *err)
{
    const struct robust *robust = &refits->options->robust;
    struct fit_polish_goal goal = {robust->kind == ROBUST_HUBER ? robust->delta : INFINITY,
                                   polish_tolerance, POLISH_STEPS, true};
    struct fit_problem problem, before;
    struct fit_polish polish;
    double natural[LAW_MAX_COEFFICIENTS], z[LAW_MAX_COEFFICIENTS] = {0}, objective;
    enum err_code code = ERR_OK;

    arena_reset(&refits->scratch);
    memcpy(natural, from, sizeof natural);
    if (by_effect) {
        code = problem_at(refits, natural, &before, err);
        if (code == ERR_OK)
            fit_problem_point(&before, natural, z);
    }
    natural[refits->index] = fit_refit_value(refits, t);
    if (code == ERR_OK)
        code = problem_at(refits, natural, &problem, err);
    if (code == ERR_OK)
        code = fit_polish_init(&polish, &problem, &refits->scratch, err);
    if (code != ERR_OK)
        return code;
    if (!by_effect)
        fit_problem_point(&problem, natural, z);
    code = polish_simple(refits, &problem, &goal, z, err);
    if (code != ERR_OK)
        return code;
    (void)fit_polish_run(&polish, &goal, z);
    fit_problem_natural(&problem, z, natural);
    objective = fit_objective(refits->options, natural, refits->obs, refits->count);
    if (!(objective < best->objective))
        return ERR_OK;
    best->objective = objective;
    memcpy(best->coefficient, natural, sizeof natural);
    refits->least = fmin(refits->least, objective);
    return ERR_OK;
}

enum err_code fit_refit_search(struct fit_refits *refits, size_t starts, struct fit_refit *refit,
                               struct err *err)
{
    struct fit_options options = *refits->options;
    struct fit_result *result = NULL;
    struct err refusal;
    double objective;
    enum err_code code;

    if (refits->searches == FIT_REFIT_SEARCHES)
        return ERR_OK;
    refits->searches++;
    result = calloc(1, sizeof *result);
    if (result == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a profile");
    options.hold[refits->index] = FIT_FIXED;
    options.fixed[refits->index] = fit_refit_value(refits, refit->t);
    options.starts = starts;
    options.bootstrap = 0;
    options.holdout_kind = FIT_HOLDOUT_NONE;
    arena_reset(&refits->scratch);
    err_init(&refusal, NULL);
    code = fit_run(&options, refits->obs, refits->count, &refits->scratch, result, &refusal);
    if (code == ERR_OK) {
        objective = fit_objective(refits->options, result->coefficient, refits->obs, refits->count);
        if (objective < refit->objective) {
            refit->objective = objective;
            memcpy(refit->coefficient, result->coefficient, sizeof refit->coefficient);
            fit_refit_keep(refits, refit);
            refits->least = fmin(refits->least, objective);
        }
    }
    free(result);
    /* What cannot be fitted there is no error of the profile. */
    return code == ERR_NO_MEMORY || code == ERR_CANCELLED ? err_set(err, code, "%s", refusal.detail)
                                                          : ERR_OK;
}

void fit_refit_keep(struct fit_refits *refits, const struct fit_refit *refit)
{
    size_t at = 0;

    while (at < refits->n_known && refits->known[at].t < refit->t)
        at++;
    if (at == refits->n_known || refits->known[at].t != refit->t) {
        if (refits->n_known == refits->room)
            return;
        memmove(&refits->known[at + 1], &refits->known[at],
                (refits->n_known++ - at) * sizeof *refits->known);
    }
    refits->known[at] = *refit;
}

enum err_code fit_refit_at(struct fit_refits *refits, double t, struct fit_refit *ret,
                           struct err *err)
{
    struct fit_refit best = {.t = t, .objective = INFINITY};
    const struct fit_refit *from[3] = {&refits->fitted, NULL, NULL}; /* below and above */
    bool is_saturation = refits->law->coefficients[refits->index].role == LAW_SATURATION;
    enum err_code code = ERR_OK;

    memcpy(best.coefficient, refits->fitted.coefficient, sizeof best.coefficient);
    best.coefficient[refits->index] = fit_refit_value(refits, t);
    for (size_t i = 0; i < refits->n_known; i++) {
        const struct fit_refit *known = &refits->known[i];

        if (known->t == t)
            best = *known;
        else if (known->t < t)
            from[1] = known;
        else if (from[2] == NULL)
            from[2] = known;
    }
    for (size_t k = 0; k < 3 && code == ERR_OK; k++) {
        if (from[k] == NULL || (k > 0 && from[k]->t == refits->fitted.t))
            continue;
        for (int by_effect = 0; by_effect <= (is_saturation ? 1 : 0) && code == ERR_OK; by_effect++)
            code = refit_from(refits, t, from[k]->coefficient, by_effect == 1, &best, err);
    }
    if (code == ERR_OK && !isfinite(best.objective))
        code = fit_refit_search(refits, refits->options->starts, &best, err);
    if (code == ERR_OK) {
        fit_refit_keep(refits, &best);
        *ret = best;
    }
    return code;
}
