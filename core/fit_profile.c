#include "core/fit_profile.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_error.h"
#include "core/fit_polish.h"
#include "core/fit_refit.h"

enum {
    MARCH_STEPS = 40, /* growing by half each: seven decades of the first */
    ROOT_STEPS = 30,
    STAKES = 4,       /* points of a side that are searched… */
    STAKE_STARTS = 4, /* …from one in so many of the starts… */
    STAKE_LEAST = 8,  /* …and no fewer */
    ROUNDS = 3,       /* of ends and points, as long as points are found within beyond an end */
};

/* The first step of the march to each side, in standard errors; and the curve goes on beyond the
 * interval's ends by this share of its half width. */
static const double first_step = 0.5, overhang = 0.5;

struct work {
    struct fit_refits refits;
    size_t done, expected; /* for who watches */
    double error;          /* standard error in t; NAN */
    double lower, upper;   /* bounds of t */
    double threshold;      /* INFINITY when there is none */
};

const char *fit_profile_end_name(enum fit_profile_end end)
{
    static const char *const names[] = {
        [FIT_PROFILE_CROSSES] = "crosses",
        [FIT_PROFILE_BOUND] = "bound",
        [FIT_PROFILE_OPEN] = "open",
    };

    return names[end];
}

/* A refit, told to who watches. */
static enum err_code refit_at(struct work *work, double t, struct fit_refit *ret, struct err *err)
{
    const struct fit_options *options = work->refits.options;
    struct fit_progress progress = {.draws = work->expected,
                                    .best_objective = work->refits.fitted.objective};
    enum err_code code = fit_refit_at(&work->refits, t, ret, err);

    progress.draws_done = ++work->done < work->expected ? work->done : work->expected;
    if (code == ERR_OK && options->progress != NULL &&
        !options->progress(options->progress_ctx, &progress))
        code = err_set(err, ERR_CANCELLED, "the profile was cancelled");
    return code;
}

/* The quantile of F(1, ν) at the level: the square of Student's, because GSL's own of F gives NAN
 * at a quarter of all ν from some hundreds on. */
static double f_quantile(double level, double freedom)
{
    double t = gsl_cdf_tdist_Pinv(0.5 * (1.0 + level), freedom);

    return t * t;
}

/* λ and the standard error at the fit. */
static enum err_code measure(struct work *work, const struct fit_result *result, double level,
                             struct fit_profile *profile, struct err *err)
{
    struct fit_problem problem;
    struct fit_polish polish;
    struct fit_error error;
    double z[LAW_MAX_COEFFICIENTS] = {0}, transformed, freedom;
    const struct law_coefficient *c = &work->refits.law->coefficients[work->refits.index];
    enum err_code code;

    code = fit_problem_init(&problem, work->refits.options, result->is_free, result->coefficient,
                            work->refits.obs, work->refits.count, &work->refits.scratch, err);
    if (code == ERR_OK)
        code = fit_polish_init(&polish, &problem, &work->refits.scratch, err);
    if (code != ERR_OK)
        return code;
    fit_problem_point(&problem, result->coefficient, z);
    fit_problem_clip(&problem, z);
    if (!fit_problem_evaluate(&problem, z, polish.residual, polish.jacobian))
        return err_set(err, ERR_INTERNAL, "the fit to be profiled has no finite losses");
    fit_error_set(&problem, z, polish.residual, polish.jacobian, &error);
    freedom = error.freedom;
    profile->dispersion = error.variance * error.inside;
    profile->threshold = freedom >= 1.0 ? work->refits.fitted.objective +
                                              0.5 * profile->dispersion * f_quantile(level, freedom)
                                        : NAN;
    work->threshold = isnan(profile->threshold) ? INFINITY : profile->threshold;
    transformed = error.error[problem.coordinate[work->refits.index]];
    work->error = c->transform == LAW_LN ? transformed * work->refits.fitted.t : transformed;
    return ERR_OK;
}

static double step_of(const struct work *work)
{
    const struct law_coefficient *c = &work->refits.law->coefficients[work->refits.index];

    if (work->error > 0.0 && work->error < INFINITY)
        return first_step * work->error;
    if (work->refits.fitted.t != 0.0)
        return 0.05 * fabs(work->refits.fitted.t);
    return c->transform == LAW_RECIPROCAL ? 0.05 / c->search_lower
                                          : 0.05 * (c->search_upper - c->search_lower);
}

/* From as few starts as find a valley, if not its floor. */
static enum err_code search_some(struct work *work, struct fit_refit *refit, struct err *err)
{
    size_t starts = work->refits.options->starts / STAKE_STARTS;

    return fit_refit_search(&work->refits, starts > STAKE_LEAST ? starts : STAKE_LEAST, refit, err);
}

/* Between a refit within the threshold and one beyond: where the root of the excess, nearly linear
 * in t, crosses. Bisection by turns keeps a kink from stalling it. A search just beyond may find
 * that another valley crosses later. */
static enum err_code find_crossing(struct work *work, struct fit_refit inside,
                                   struct fit_refit outside, double *ret_t, struct err *err)
{
    double width = fabs(outside.t - inside.t);

    for (size_t k = 0; k < ROOT_STEPS && fabs(outside.t - inside.t) > 1e-6 * width; k++) {
        double goal = sqrt(work->threshold - work->refits.fitted.objective);
        double low = sqrt(fmax(inside.objective - work->refits.fitted.objective, 0.0));
        double high = sqrt(fmax(outside.objective - work->refits.fitted.objective, 0.0));
        double share = k % 3 == 2 || !isfinite(high) ? 0.5 : (goal - low) / (high - low);
        struct fit_refit at;
        enum err_code code;

        share = fmin(fmax(share, 1e-3), 1.0 - 1e-3);
        code = refit_at(work, inside.t + share * (outside.t - inside.t), &at, err);
        if (code != ERR_OK)
            return code;
        if (at.objective <= work->threshold)
            inside = at;
        else
            outside = at;
    }
    *ret_t = inside.t;
    return search_some(work, &outside, err);
}

/* The farthest refit known to one side that is within the threshold; the fit itself is. */
static struct fit_refit farthest(const struct work *work, double sign)
{
    struct fit_refit found = work->refits.fitted;

    for (size_t i = 0; i < work->refits.n_known; i++) {
        const struct fit_refit *known = &work->refits.known[i];

        if (sign * (known->t - found.t) > 0.0 && known->objective <= work->threshold)
            found = *known;
    }
    return found;
}

/* Marches from the farthest refit within the threshold to one side (sign) until the objective
 * crosses, or a bound. *ret_t is as far as it came. */
static enum err_code find_end(struct work *work, double sign, enum fit_profile_end *ret_end,
                              double *ret_t, struct err *err)
{
    double limit = sign < 0.0 ? work->lower : work->upper, step = step_of(work);
    struct fit_refit inside = farthest(work, sign), next;
    enum err_code code = ERR_OK;

    *ret_end = FIT_PROFILE_OPEN;
    for (size_t k = 0; k < MARCH_STEPS && code == ERR_OK; k++, step *= 1.5) {
        double t = inside.t + sign * step;
        bool last = sign < 0.0 ? t <= limit : t >= limit;

        if (inside.t == limit) {
            *ret_end = FIT_PROFILE_BOUND;
            break;
        }
        code = refit_at(work, last ? limit : t, &next, err);
        /* The end of an interval is worth a search: a valley may have turned where no refit could
         * follow. */
        if (code == ERR_OK && !(next.objective <= work->threshold))
            code = fit_refit_search(&work->refits, work->refits.options->starts, &next, err);
        if (code != ERR_OK)
            return code;
        if (!(next.objective <= work->threshold)) {
            *ret_end = FIT_PROFILE_CROSSES;
            return find_crossing(work, inside, next, ret_t, err);
        }
        inside = next;
        /* Without a threshold four standard errors are a picture. */
        if (isinf(work->threshold) && k == 4)
            break;
    }
    *ret_t = inside.t;
    return code;
}

/* One side of the curve: refits at t̂ + (far − t̂)·k/n, k = n … 1, into ret[k − 1]. The far end and
 * some points of the way are searched first: refits lead from valley to valley only where both are
 * known. Then all are refitted inward; what the interval holds by its ends but not by its refit is
 * worth a search, too. */
static enum err_code fill_side(struct work *work, double end, double far, size_t n,
                               struct fit_refit *ret, struct err *err)
{
    double fitted = work->refits.fitted.t;
    size_t stakes = n < STAKES ? n : STAKES;
    enum err_code code = ERR_OK;

    for (size_t s = stakes; s > 0 && code == ERR_OK; s--) {
        struct fit_refit stake;

        code = refit_at(work, fitted + (double)s / (double)stakes * (far - fitted), &stake, err);
        if (code == ERR_OK)
            code = search_some(work, &stake, err);
    }
    for (size_t k = n; k > 0 && code == ERR_OK; k--) {
        double t = k == n ? far : fitted + (double)k / (double)n * (far - fitted);

        code = refit_at(work, t, &ret[k - 1], err);
        if (code == ERR_OK && fabs(t - fitted) < fabs(end - fitted) &&
            ret[k - 1].objective > work->threshold)
            code = fit_refit_search(&work->refits, work->refits.options->starts, &ret[k - 1], err);
    }
    return code;
}

/* The points over the interval and somewhat beyond, as many to each side as its width says. */
static enum err_code fill(struct work *work, const double end[2], size_t points,
                          struct arena *arena, struct fit_profile *profile, struct err *err)
{
    double t = work->refits.fitted.t, low, high;
    struct fit_refit *refits = calloc(points, sizeof *refits);
    size_t below, above;
    enum err_code code;

    if (refits == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a profile");
    low = fmax(work->lower, end[0] - overhang * (t - end[0]));
    high = fmin(work->upper, end[1] + overhang * (end[1] - t));
    below = high > low ? (size_t)lround((double)(points - 1) * (t - low) / (high - low)) : 0;
    below = t > low && below == 0 ? 1 : below;
    below = high > t && below == points - 1 ? points - 2 : below;
    above = high > t ? points - 1 - below : 0;
    profile->n = below + 1 + above;
    profile->value = arena_calloc(arena, profile->n, sizeof(double));
    profile->objective = arena_calloc(arena, profile->n, sizeof(double));
    code = profile->value != NULL && profile->objective != NULL
               ? ERR_OK
               : err_set(err, ERR_NO_MEMORY, "out of memory for a profile");
    if (code == ERR_OK)
        code = fill_side(work, end[0], low, below, refits, err);
    for (size_t k = 0; k < below && code == ERR_OK; k++) {
        profile->value[below - 1 - k] = fit_refit_value(&work->refits, refits[k].t);
        profile->objective[below - 1 - k] = refits[k].objective;
    }
    if (code == ERR_OK)
        code = fill_side(work, end[1], high, above, refits, err);
    for (size_t k = 0; k < above && code == ERR_OK; k++) {
        profile->value[below + 1 + k] = fit_refit_value(&work->refits, refits[k].t);
        profile->objective[below + 1 + k] = refits[k].objective;
    }
    if (code == ERR_OK) {
        profile->value[below] = fit_refit_value(&work->refits, t);
        profile->objective[below] = work->refits.fitted.objective;
    }
    free(refits);
    return code;
}

static void swap(double *a, double *b)
{
    double kept = *a;

    *a = *b;
    *b = kept;
}

/* Values of a reciprocal coordinate come out descending. */
static void turn(struct fit_profile *profile)
{
    enum fit_profile_end end = profile->end[0];

    for (size_t i = 0, j = profile->n - 1; i < j; i++, j--) {
        swap(&profile->value[i], &profile->value[j]);
        swap(&profile->objective[i], &profile->objective[j]);
    }
    swap(&profile->interval[0], &profile->interval[1]);
    profile->end[0] = profile->end[1];
    profile->end[1] = end;
}

static enum err_code make(struct work *work, const struct fit_result *result, size_t points,
                          double level, struct arena *arena, struct fit_profile *profile,
                          struct err *err)
{
    double end[2];
    bool within = false;
    enum err_code code = measure(work, result, level, profile, err);

    for (size_t round = 0; round < ROUNDS && code == ERR_OK && !within; round++) {
        for (int side = 0; side < 2 && code == ERR_OK; side++) {
            code = find_end(work, side == 0 ? -1.0 : 1.0, &profile->end[side], &end[side], err);
            profile->interval[side] = profile->end[side] == FIT_PROFILE_OPEN || code != ERR_OK
                                          ? NAN
                                          : fit_refit_value(&work->refits, end[side]);
        }
        if (code == ERR_OK)
            code = fill(work, end, points, arena, profile, err);
        within =
            code == ERR_OK && farthest(work, -1.0).t >= end[0] && farthest(work, 1.0).t <= end[1];
    }
    if (code != ERR_OK)
        return code;
    profile->least = work->refits.least;
    if (isnan(profile->dispersion))
        profile->interval[0] = profile->interval[1] = NAN;
    if (work->refits.law->coefficients[work->refits.index].transform == LAW_RECIPROCAL)
        turn(profile);
    return ERR_OK;
}

static void set_up(struct work *work, const struct fit_result *result)
{
    const struct law_coefficient *c = &work->refits.law->coefficients[work->refits.index];
    double ends[2] = {fit_refit_coordinate(&work->refits, c->lower),
                      fit_refit_coordinate(&work->refits, c->upper)};

    memcpy(work->refits.is_free, result->is_free, sizeof work->refits.is_free);
    work->refits.is_free[work->refits.index] = false;
    memcpy(work->refits.fitted.coefficient, result->coefficient,
           sizeof work->refits.fitted.coefficient);
    work->refits.fitted.t =
        fit_refit_coordinate(&work->refits, result->coefficient[work->refits.index]);
    work->refits.fitted.objective = fit_objective(work->refits.options, result->coefficient,
                                                  work->refits.obs, work->refits.count);
    work->refits.least = work->refits.fitted.objective;
    work->lower = work->refits.law->signed_amplitudes && c->role == LAW_AMPLITUDE
                      ? -INFINITY
                      : fmin(ends[0], ends[1]);
    work->upper = fmax(ends[0], ends[1]);
    /* 0 <= 1/E_max < 1/E_start, whichever of the two is free. */
    if (c->role == LAW_SATURATION) {
        size_t start = law_coefficient_index(work->refits.law, "E_start");
        size_t most = law_coefficient_index(work->refits.law, "E_max");
        bool is_start = work->refits.index == start;

        if (is_start && !result->is_free[most])
            work->upper = fmin(work->upper, result->coefficient[most] * (1.0 - 1e-9));
        if (!is_start && !result->is_free[start])
            work->upper = fmin(work->upper, (1.0 - 1e-9) / result->coefficient[start]);
    }
}

enum err_code fit_profile_run(const struct fit_options *options, const struct obs *obs,
                              size_t count, const struct fit_result *result, size_t coefficient,
                              size_t points, double level, struct arena *arena,
                              struct fit_profile *ret, struct err *err)
{
    struct work *work = calloc(1, sizeof *work);
    struct fit_profile profile = {0};
    size_t room = ROUNDS * (2 * (MARCH_STEPS + ROOT_STEPS + STAKES) + points) + 1;
    enum err_code code = ERR_OK;

    if (work == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a profile");
    arena_init(&work->refits.scratch, options->memory);
    work->refits.options = options;
    work->refits.law = options->law;
    work->refits.index = coefficient;
    work->expected = points;
    work->refits.obs = calloc(count + 1, sizeof *work->refits.obs);
    work->refits.known = calloc(room, sizeof *work->refits.known);
    work->refits.room = work->refits.known == NULL ? 0 : room;
    if (!result->is_free[coefficient])
        code = err_set(err, ERR_INVALID, "%s was not free in the fit",
                       work->refits.law->coefficients[coefficient].name);
    else if (work->refits.obs == NULL || work->refits.known == NULL)
        code = err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count && code == ERR_OK; i++)
        if (obs[i].weight > 0.0)
            work->refits.obs[work->refits.count++] = obs[i];
    if (code == ERR_OK) {
        qsort(work->refits.obs, work->refits.count, sizeof *work->refits.obs, obs_compare);
        set_up(work, result);
        fit_refit_keep(&work->refits, &work->refits.fitted);
        code = make(work, result, points, level, arena, &profile, err);
    }
    if (code == ERR_OK)
        *ret = profile;
    arena_release(&work->refits.scratch);
    free(work->refits.known);
    free(work->refits.obs);
    free(work);
    return code;
}
