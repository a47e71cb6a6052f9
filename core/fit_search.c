#include "core/fit_search_parts.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_diagnose.h"
#include "core/fit_edge.h"
#include "core/fit_lm.h"
#include "core/fit_simplify.h"
#include "core/rng.h"

enum {
    SCREEN_RUNS = 96,   /* a start is judged on about so many runs */
    DESCENT_STEPS = 40, /* of a start on the thinned problem */
    AGREE_TO_STOP = 3,  /* so many ends alike, three quarters of all, end the descents */
    ROUNDS_WITHOUT = 2, /* descents without the runs that lie far off */
    WALKS_MOST = 5,     /* polishes of a point that is still on its way */
    TERMS_FEW = 4,      /* but with more terms two often trade places: then every start descends */
};

/* Descents that end this close (relative) have found the same thing. */
static const double same_end = 1e-2;

/* An end of a descent whose sum of squares is this many times the best one's is not polished. */
static const double hopeless = 4.0;

/* Robust standard deviations that no ordinary run lies off. */
static const double gross_sds = 8.0;

/* Polished points this close (relative) are the same optimum. */
static const double same_optimum = 1e-6;

/* Objectives below this share of the weight are rounding: residuals of 1e-12. */
static const double rounding = 1e-24;

bool search_cancelled(struct search *search)
{
    search->progress.best_objective =
        fmin(search->progress.best_objective, search->found->objective);
    return search->options->progress != NULL &&
           !search->options->progress(search->options->progress_ctx, &search->progress);
}

/* Puts an end among the best distinct ones. */
static void keep_end(struct search *search, const double *z, double value)
{
    size_t at = 0;

    if (!isfinite(value))
        return;
    for (size_t e = 0; e < search->n_ends; e++)
        if (fabs(search->ends[e].value - value) <= same_end * value + rounding * search->weight) {
            search->ends[e].hits++;
            if (value < search->ends[e].value) {
                search->ends[e].value = value;
                memcpy(search->ends[e].z, z, sizeof search->ends[e].z);
            }
            return;
        }
    while (at < search->n_ends && search->ends[at].value <= value)
        at++;
    if (at == SEARCH_ENDS_MAX)
        return;
    if (search->n_ends < SEARCH_ENDS_MAX)
        search->n_ends++;
    for (size_t e = search->n_ends - 1; e > at; e--)
        search->ends[e] = search->ends[e - 1];
    memcpy(search->ends[at].z, z, sizeof search->ends[at].z);
    search->ends[at].value = value;
    search->ends[at].hits = 1;
}

struct screened {
    double value;
    size_t number;
};

static int compare_screened(const void *a, const void *b)
{
    const struct screened *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->number > y->number) - (x->number < y->number);
}

/* Screens every start; the best descend in turn. */
static enum err_code descend(struct search *search, struct arena *arena, struct err *err)
{
    size_t starts = search->screen.q == 0 ? 1 : search->options->starts;
    bool few_terms = search->problem->law->n_terms <= TERMS_FEW;
    struct screened *all = arena_calloc(arena, starts, sizeof *all);
    double z[LAW_MAX_COEFFICIENTS] = {0};

    if (all == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu starts", starts);
    search->progress.starts = starts;
    for (size_t s = 0; s < starts; s++) {
        fit_start_draw(search->problem, search->options->seed, s, z);
        all[s].value = varpro_value(&search->screen, z);
        all[s].number = s;
        search->progress.starts_done = s + 1;
        if (s % 64 == 0 && search_cancelled(search))
            return err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    qsort(all, starts, sizeof *all, compare_screened);
    for (size_t s = 0; s < starts; s++) {
        double value;

        if (few_terms && search->n_ends > 0 && search->ends[0].hits >= AGREE_TO_STOP &&
            4 * search->ends[0].hits >= 3 * s)
            break;
        /* The best screened start, then one of the middling: the best may all lie together. */
        fit_start_draw(search->problem, search->options->seed,
                       all[s % 2 == 0 ? s / 2 : (starts + s) / 2].number, z);
        value = varpro_descend(&search->screen, z, DESCENT_STEPS);
        keep_end(search, z, value);
        search->found->ended++;
        if (search_cancelled(search))
            return err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    return ERR_OK;
}

struct fit_polish_goal search_goal(const struct search *search)
{
    return (struct fit_polish_goal){fit_problem_delta(search->problem), 1e-13, SEARCH_STEPS, true};
}

int search_compare(const struct search *search, double objective)
{
    double best = search->found->objective, floor = rounding * search->weight;

    if (!isfinite(best) || !isfinite(objective))
        return isfinite(objective) ? -1 : 1;
    if (objective < best * (1.0 - same_optimum) - floor)
        return -1;
    return objective <= best * (1.0 + same_optimum) + floor ? 0 : 1;
}

bool search_take(struct search *search, const struct fit_polished *got, const double *z,
                 size_t hits)
{
    struct fit_found *found = search->found;
    double objective = got->objective;
    int order;

    if (objective < found->objective)
        objective += fit_problem_rounding(search->problem, z);
    if (!isfinite(objective))
        return false;
    order = search_compare(search, objective);
    if (order < 0)
        found->agreeing = hits;
    else if (order == 0)
        found->agreeing += hits;
    if (objective < found->objective) {
        found->objective = objective;
        found->stop = got->stop;
        memcpy(found->z, z, sizeof found->z);
    }
    return order < 0;
}

/* The distinct ends, polished on all runs: GSL's steps bring them near, the exact ones home. A
 * small problem first takes the search's own optimum over all its runs. */
static enum err_code polish_ends(struct search *search, struct arena *arena, struct err *err)
{
    struct fit_polish_goal goal = search_goal(search);
    struct fit_lm lm = {0};
    struct varpro all;
    enum err_code code = varpro_init(&all, search->problem, arena, err);

    if (code == ERR_OK && isfinite(search->gross))
        varpro_leave_out(&all, search->found->z, search->gross);
    if (code == ERR_OK)
        code = fit_lm_init(&lm, search->polish, false, err);
    for (size_t e = 0; e < search->n_ends && code == ERR_OK; e++) {
        struct search_end *end = &search->ends[e];
        struct fit_polished got;

        if (end->value > hopeless * search->ends[0].value && isfinite(search->found->objective))
            break;
        if (search->problem->n != search->screen.problem->n)
            (void)varpro_descend(&all, end->z, DESCENT_STEPS);
        fit_lm_run(&lm, end->z);
        got = fit_polish_run(search->polish, &goal, end->z);
        (void)search_take(search, &got, end->z, end->hits);
        if (search_cancelled(search))
            code = err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    fit_lm_release(&lm);
    return code;
}

/* Sets search->gross to what no residual of an ordinary run exceeds; whether some run does. */
static bool find_gross(struct search *search)
{
    const struct fit_problem *problem = search->problem;
    struct fit_polish *polish = search->polish;
    size_t count = 0;

    if (!isfinite(search->found->objective) ||
        !fit_problem_evaluate(problem, search->found->z, polish->residual, NULL))
        return false;
    for (size_t i = 0; i < problem->n; i++)
        polish->trial[i] = fabs(polish->residual[i]);
    search->gross = gross_sds * FIT_SD_PER_MEDIAN *
                    gsl_stats_select(polish->trial, 1, problem->n, problem->n / 2);
    for (size_t i = 0; i < problem->n; i++)
        count += fabs(polish->residual[i]) > search->gross ? 1 : 0;
    return search->gross > 0.0 && count > 0;
}

/* Descends, and where the best point has runs far off it once more without them: least squares
 * would serve them first. What is far off the better point may be others. */
static enum err_code descend_and_polish(struct search *search, struct arena *arena, struct err *err)
{
    bool robust = search->problem->robust.kind == ROBUST_HUBER, some;
    enum err_code code = descend(search, arena, err);

    if (code == ERR_OK)
        code = polish_ends(search, arena, err);
    some = search->lies = code == ERR_OK && find_gross(search);
    for (int round = 0; robust && some && round < ROUNDS_WITHOUT && code == ERR_OK; round++) {
        double before = search->found->objective;

        varpro_leave_out(&search->screen, search->found->z, search->gross);
        search->n_ends = 0;
        code = descend(search, arena, err);
        if (code == ERR_OK)
            code = polish_ends(search, arena, err);
        if (!(search->found->objective < before * (1.0 - same_optimum)))
            break;
        some = find_gross(search);
    }
    return code;
}

/* The caller's own start: polished as it is, and two ends for polish_ends, by GSL's steps from it
 * and by a descent with amplitudes solved. */
static enum err_code begin_at(struct search *search, struct arena *arena, struct err *err)
{
    const struct fit_problem *problem = search->problem;
    double z[LAW_MAX_COEFFICIENTS] = {0}, descended[LAW_MAX_COEFFICIENTS], value;
    struct fit_polish_goal goal = search_goal(search);
    struct fit_polished got;
    struct fit_lm lm = {0};
    struct varpro all;
    enum err_code code = varpro_init(&all, problem, arena, err);

    if (code == ERR_OK)
        code = fit_lm_init(&lm, search->polish, true, err);
    if (code != ERR_OK)
        goto done;
    fit_problem_point(problem, search->options->start, z);
    fit_problem_clip(problem, z);
    memcpy(descended, z, sizeof z);
    got = fit_polish_run(search->polish, &goal, descended);
    (void)search_take(search, &got, descended, 1);
    memcpy(descended, z, sizeof z);
    fit_lm_run(&lm, z);
    value = varpro_descend(&all, descended, DESCENT_STEPS);
    keep_end(search, descended, value);
    value = varpro_value(&all, z);
    keep_end(search, z, value);
    search->found->ended = 1;
    code = polish_ends(search, arena, err);
done:
    fit_lm_release(&lm);
    return code;
}

/* Valleys without an end are walked a little further; others end. */
static void finish(struct search *search)
{
    struct fit_polish_goal goal = search_goal(search);

    for (int more = 0; more < WALKS_MOST && search->found->stop == FIT_MAX_ITERATIONS; more++) {
        double from[LAW_MAX_COEFFICIENTS], z[LAW_MAX_COEFFICIENTS];
        struct fit_polished got;

        memcpy(from, search->found->z, sizeof from);
        memcpy(z, from, sizeof z);
        got = fit_polish_run(search->polish, &goal, z);
        if (got.stop == FIT_MAX_ITERATIONS)
            got.objective = fit_edge_stride(search->polish, &goal, from, z);
        (void)search_take(search, &got, z, 0);
        search->found->stop = got.stop;
    }
}

static enum err_code search_all(const struct fit_options *options,
                                const struct fit_problem *problem, struct fit_polish *polish,
                                struct arena *arena, struct fit_found *ret_found, struct err *err)
{
    struct fit_problem thin = *problem;
    struct search search = {
        .options = options,
        .problem = problem,
        .polish = polish,
        .found = ret_found,
        .progress = {.best_objective = INFINITY},
        .gross = INFINITY,
    };
    enum err_code code = ERR_OK;

    for (size_t i = 0; i < problem->n; i++)
        search.weight += problem->weight[i];
    ret_found->objective = INFINITY;
    if (problem->n >= 2 * SCREEN_RUNS)
        code = fit_problem_thin(problem, problem->n / SCREEN_RUNS, arena, &thin, err);
    if (code == ERR_OK)
        code = varpro_init(&search.screen, &thin, arena, err);
    if (code == ERR_OK)
        code = options->start != NULL ? begin_at(&search, arena, err)
                                      : descend_and_polish(&search, arena, err);
    if (code == ERR_OK && isfinite(ret_found->objective) && options->start == NULL &&
        options->starts > 1)
        code = fit_chain_all(&search, arena, err);
    if (code != ERR_OK || !isfinite(ret_found->objective))
        return code;
    finish(&search);
    if (ret_found->objective <= rounding * search.weight)
        ret_found->stop = FIT_CONVERGED;
    return ERR_OK;
}

/* The search is of a simpler problem, and only its best point is polished on the one asked. */
static enum err_code search_simple(const struct fit_options *options,
                                   const struct fit_problem *problem, struct fit_polish *polish,
                                   struct arena *arena, struct fit_found *ret_found,
                                   struct err *err)
{
    struct search search = {
        .options = options, .problem = problem, .polish = polish, .found = ret_found};
    struct fit_polish_goal goal = search_goal(&search);
    struct fit_polish of_simple;
    struct fit_problem simple;
    struct fit_polished got;
    enum err_code code = fit_simplify(problem, arena, &simple, err);

    if (code == ERR_OK)
        code = fit_polish_init(&of_simple, &simple, arena, err);
    if (code == ERR_OK)
        code = search_all(options, &simple, &of_simple, arena, ret_found, err);
    if (code != ERR_OK || !isfinite(ret_found->objective))
        return code;
    got = fit_polish_run(polish, &goal, ret_found->z);
    ret_found->objective = got.objective + fit_problem_rounding(problem, ret_found->z);
    ret_found->stop = got.stop;
    finish(&search);
    return ERR_OK;
}

enum err_code fit_search_run(const struct fit_options *options, const struct fit_problem *problem,
                             struct fit_polish *polish, struct arena *arena,
                             struct fit_found *ret_found, struct err *err)
{
    memset(ret_found, 0, sizeof *ret_found);
    if (fit_simplify_is_simple(problem))
        return search_all(options, problem, polish, arena, ret_found, err);
    return search_simple(options, problem, polish, arena, ret_found, err);
}
