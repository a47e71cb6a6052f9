#include "core/fit_search.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_lm.h"
#include "core/rng.h"
#include "core/varpro.h"

enum {
    SCREEN_RUNS = 96,       /* a start is judged on about so many runs */
    DESCENT_STEPS = 40,     /* of a start on the thinned problem */
    REFINE_RUNS_MAX = 4000, /* up to here the search's last steps use every run */
    AGREE_TO_STOP = 3,      /* so many ends alike, three quarters of all, end the descents */
    TERMS_FEW = 4,      /* but with more terms two often trade places: then every start descends */
    ENDS_MAX = 8,       /* distinct ends polished */
    STARTS_A_JUMP = 8,  /* one jump for so many starts */
    JUMPS_LEAST = 8,    /* in a row without gain… */
    JUMPS_AGREEING = 4, /* …and until so many searches have ended at the best point… */
    JUMPS_MOST = 16,    /* …but no more than so many times the least */
    MANY_RUNS = 5000,   /* average the shallow optima away: there JUMPS_OF_MANY do */
    JUMPS_OF_MANY = 2,
    POLISH_STEPS = 200,
};

/* Descents that end this close (relative) have found the same thing. */
static const double same_end = 1e-2;

/* An end of a descent whose sum of squares is this many times the best one's is not polished. */
static const double hopeless = 4.0;

/* Polished points this close (relative) are the same optimum. */
static const double same_optimum = 1e-6;

/* Objectives below this share of the weight are rounding: residuals of 1e-12. */
static const double rounding = 1e-24;

/* A jump that nearly stands still further above the best objective than this has found another
 * optimum. */
static const double worth_polishing = 1e-3;

/* Jumps, in standard deviations. */
static const double jump_least = 6.0, jump_most = 16.0;

struct end {
    double z[LAW_MAX_COEFFICIENTS], value;
    size_t hits;
};

struct search {
    const struct fit_options *options;
    const struct fit_problem *problem;
    struct fit_polish *polish;
    struct varpro screen;
    struct fit_progress progress;
    double weight; /* of all runs */
    size_t n_ends;
    struct end ends[ENDS_MAX]; /* ascending value */
    struct fit_found *found;
};

static bool cancelled(struct search *search)
{
    search->progress.best_objective = search->found->objective;
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
    if (at == ENDS_MAX)
        return;
    if (search->n_ends < ENDS_MAX)
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
        if (s % 64 == 0 && cancelled(search))
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
        if (cancelled(search))
            return err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    return ERR_OK;
}

/* Takes a polished point if it is better; counts agreement. */
static bool take(struct search *search, const struct fit_polished *got, const double *z,
                 size_t hits)
{
    struct fit_found *found = search->found;
    double floor = rounding * search->weight;
    bool better = got->objective < found->objective * (1.0 - same_optimum) - floor;

    if (!isfinite(got->objective))
        return false;
    if (better || !isfinite(found->objective))
        found->agreeing = hits;
    else if (got->objective <= found->objective * (1.0 + same_optimum) + floor)
        found->agreeing += hits;
    if (got->objective < found->objective) {
        found->objective = got->objective;
        found->stop = got->stop;
        memcpy(found->z, z, sizeof found->z);
    }
    return better;
}

/* The distinct ends, polished on all runs: GSL's steps bring them near, the exact ones home. A
 * small problem first takes the search's own optimum over all its runs. */
static enum err_code polish_ends(struct search *search, struct arena *arena, struct err *err)
{
    struct fit_polish_goal goal = {fit_problem_delta(search->problem), 1e-13, POLISH_STEPS, true};
    struct fit_lm lm = {0};
    struct varpro all;
    bool refine = search->problem->n <= REFINE_RUNS_MAX;
    enum err_code code = ERR_OK;

    if (refine)
        code = varpro_init(&all, search->problem, arena, err);
    if (refine && code == ERR_OK)
        code = fit_lm_init(&lm, search->polish, false, err);
    for (size_t e = 0; e < search->n_ends && code == ERR_OK; e++) {
        struct end *end = &search->ends[e];
        struct fit_polished got;

        if (end->value > hopeless * search->ends[0].value && isfinite(search->found->objective))
            break;
        if (refine && search->problem->n != search->screen.problem->n)
            (void)varpro_descend(&all, end->z, DESCENT_STEPS);
        if (refine)
            fit_lm_run(&lm, end->z);
        got = fit_polish_run(search->polish, &goal, end->z);
        (void)take(search, &got, end->z, end->hits);
        if (cancelled(search))
            code = err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    fit_lm_release(&lm);
    return code;
}

/* The caller's own start, by both ways: GSL's steps from the point as it is, and a descent with
 * amplitudes solved. Two ends for polish_ends. */
static enum err_code begin_at(struct search *search, struct arena *arena, struct err *err)
{
    const struct fit_problem *problem = search->problem;
    double z[LAW_MAX_COEFFICIENTS] = {0}, descended[LAW_MAX_COEFFICIENTS], value;
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
    fit_lm_run(&lm, z);
    value = varpro_descend(&all, descended, DESCENT_STEPS);
    keep_end(search, descended, value);
    value = varpro_value(&all, z);
    keep_end(search, z, value);
    search->found->ended = 1;
done:
    fit_lm_release(&lm);
    return code;
}

/* A Cholesky factor of the scaled normal matrix at the best point, and the spread of the residuals
 * in units of their slope: together the asymptotic covariance of the robust estimate. */
static bool spread_at(struct search *search, struct fit_matrix *ret_factor, double *ret_scale,
                      double *ret_sd)
{
    const struct fit_problem *problem = search->problem;
    const struct fit_polish *polish = search->polish;
    double delta = fit_problem_delta(problem), squares = 0.0, inside = 0.0, total = 0.0;
    size_t p = problem->p;

    if (!fit_problem_evaluate(problem, search->found->z, polish->residual, polish->jacobian))
        return false;
    memset(ret_factor, 0, sizeof *ret_factor);
    for (size_t i = 0; i < problem->n_rows; i++) {
        const double *row = polish->jacobian + i * problem->stride;
        double size = fmin(fabs(polish->residual[i]), delta), w = problem->weight[i];

        for (size_t j = 0; j < p; j++)
            for (size_t k = 0; k <= j; k++)
                ret_factor->at[j][k] += w * row[j] * row[k];
        if (i >= problem->n)
            continue;
        squares += w * size * size;
        inside += fabs(polish->residual[i]) <= delta ? w : 0.0;
        total += w;
    }
    for (size_t j = 0; j < p; j++)
        ret_scale[j] = sqrt(ret_factor->at[j][j]);
    for (size_t j = 0; j < p; j++)
        for (size_t k = 0; k <= j; k++)
            ret_factor->at[j][k] /=
                ret_scale[j] > 0.0 && ret_scale[k] > 0.0 ? ret_scale[j] * ret_scale[k] : 1.0;
    for (size_t j = 0; j < p; j++)
        ret_factor->at[j][j] += 1e-10; /* flat directions jump 1e5 residuals, not to infinity */
    *ret_sd = sqrt(squares / total) / fmax(inside / total, 0.05);
    return fit_matrix_factor(ret_factor, p);
}

/* found->z moved by a normal draw with the covariance (factor·factorᵀ)⁻¹. */
static void jump(const struct search *search, const struct fit_matrix *factor, const double *scale,
                 double length, struct rng *rng, double *ret_z)
{
    size_t p = search->problem->p;
    double u[LAW_MAX_COEFFICIENTS];

    for (size_t j = 0; j < p; j++)
        u[j] = length * rng_normal(rng);
    for (size_t i = p; i-- > 0;) {
        for (size_t k = i + 1; k < p; k++)
            u[i] -= factor->at[k][i] * u[k];
        u[i] /= factor->at[i][i];
    }
    memcpy(ret_z, search->found->z, sizeof search->found->z);
    for (size_t j = 0; j < p; j++)
        if (scale[j] > 0.0)
            ret_z[j] += u[j] / scale[j];
    fit_problem_clip(search->problem, ret_z);
}

/* The best point and the shape of its bowl. */
struct bowl {
    const struct search *search;
    struct fit_matrix factor;
    double scale[LAW_MAX_COEFFICIENTS], sd;
};

/* Nearer than half a standard deviation the law is as good as linear and the objective convex:
 * steps from there lead to the same optimum. */
static bool in_bowl(void *ctx, const double *z)
{
    static const double radius = 0.5;
    const struct bowl *bowl = ctx;
    size_t p = bowl->search->problem->p;
    double sum = 0.0;

    for (size_t i = 0; i < p; i++) {
        double along = 0.0;

        for (size_t k = i; k < p; k++)
            along += bowl->factor.at[k][i] * bowl->scale[k] * (z[k] - bowl->search->found->z[k]);
        sum += along * along;
    }
    return sum < radius * radius * bowl->sd * bowl->sd;
}

static enum err_code jump_about(struct search *search, struct err *err)
{
    struct fit_polish_goal goal = {fit_problem_delta(search->problem), 1e-13, POLISH_STEPS, true};
    struct bowl bowl = {.search = search};
    struct fit_polish_goal glance = {goal.delta, 1e-4, POLISH_STEPS, false};
    size_t starts = search->options->starts / STARTS_A_JUMP, fruitless = 0;
    size_t most = starts > JUMPS_LEAST ? starts : JUMPS_LEAST;

    if (search->problem->n > MANY_RUNS)
        most = JUMPS_OF_MANY;
    if (search->problem->p == 0 || !spread_at(search, &bowl.factor, bowl.scale, &bowl.sd))
        return ERR_OK;
    for (size_t k = 0; k < JUMPS_MOST * most; k++) {
        struct rng rng = rng_stream(search->options->seed, ~(uint64_t)k);
        double z[LAW_MAX_COEFFICIENTS] = {0};
        double length = jump_least + (jump_most - jump_least) * rng_uniform(&rng);
        struct fit_polished got;

        if (fruitless >= most && search->found->agreeing >= JUMPS_AGREEING)
            break;
        jump(search, &bowl.factor, bowl.scale, length * bowl.sd, &rng, z);
        search->polish->known = in_bowl;
        search->polish->known_ctx = &bowl;
        got = fit_polish_run(search->polish, &glance, z);
        search->polish->known = NULL;
        if (got.known)
            got.objective = search->found->objective;
        else if (got.objective < search->found->objective * (1.0 + worth_polishing))
            got = fit_polish_run(search->polish, &goal, z);
        search->found->ended++;
        fruitless++;
        if (take(search, &got, z, 1)) {
            fruitless = 0;
            if (!spread_at(search, &bowl.factor, bowl.scale, &bowl.sd))
                break;
        }
        if (cancelled(search))
            return err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    return ERR_OK;
}

enum err_code fit_search_run(const struct fit_options *options, const struct fit_problem *problem,
                             struct fit_polish *polish, struct arena *arena,
                             struct fit_found *ret_found, struct err *err)
{
    struct fit_problem thin = *problem;
    struct search search = {.options = options,
                            .problem = problem,

                            .polish = polish,
                            .found = ret_found};
    enum err_code code;

    memset(ret_found, 0, sizeof *ret_found);
    for (size_t i = 0; i < problem->n; i++)
        search.weight += problem->weight[i];
    ret_found->objective = INFINITY;
    if (problem->n >= 2 * SCREEN_RUNS) {
        code = fit_problem_thin(problem, problem->n / SCREEN_RUNS, arena, &thin, err);
        if (code != ERR_OK)
            return code;
    }
    code = varpro_init(&search.screen, &thin, arena, err);
    if (code == ERR_OK && options->start != NULL)
        code = begin_at(&search, arena, err);
    else if (code == ERR_OK)
        code = descend(&search, arena, err);
    if (code == ERR_OK)
        code = polish_ends(&search, arena, err);
    if (code == ERR_OK && isfinite(ret_found->objective) && options->start == NULL &&
        options->starts > 1)
        code = jump_about(&search, err);
    if (code != ERR_OK || !isfinite(ret_found->objective))
        return code;
    if (ret_found->objective <= rounding * search.weight)
        ret_found->stop = FIT_CONVERGED;
    return ERR_OK;
}
