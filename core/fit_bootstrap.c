#include "core/fit_bootstrap.h"

#include <float.h>
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <string.h>

#include "core/fit_error.h"
#include "core/fit_identify.h"
#include "core/rng.h"

enum { DRAW_STEPS = 60, PROGRESS_EVERY = 16, HALVINGS = 60 };

/* A term with less of the loss than this may vanish. */
static const double least_share = 1e-12;

/* Streams of draws are apart from those of starts. */
static const uint64_t draw_seed = 0x626f6f7473747261u;

struct bootstrap {
    const struct fit_problem *base;
    struct fit_problem problem; /* the base with responses of its own */
    struct fit_polish polish;
    size_t groups;
    size_t *group;    /* of each run */
    double *residual; /* of the fit, n_rows */
    double *weight;   /* of the draw, n_rows */
    bool wild;
    double inflation;
    double scale; /* of the priors' errors: the residuals' standard deviation at weight 1 */
};

/* What turns the residuals of so many configurations into errors: those of few are small, as p
 * coefficients have followed them. They are divided by 1 less the mean leverage, as HC3 divides
 * each by its own (MacKinnon and White 1985), and scaled by Student's quantile over the normal one,
 * at the level of 90 %: draws do not depend on the level asked for. */
static double inflation_of(double groups, double p)
{
    static const double upper = 0.95;
    double freedom = fmax(groups - p, 1.0);

    return (freedom + p) / freedom * gsl_cdf_tdist_Pinv(upper, freedom) /
           gsl_cdf_ugaussian_Pinv(upper);
}

/* What an sd of 1 counts for: priors stand beside residuals as they are (fit.h), so that their own
 * errors are in units of those. */
static void set_scale(struct bootstrap *boot, const double *z)
{
    struct fit_error error;

    if (boot->base->n_priors == 0 ||
        !fit_problem_evaluate(boot->base, z, boot->polish.residual, boot->polish.jacobian))
        return;
    fit_error_set(boot->base, z, boot->polish.residual, boot->polish.jacobian, &error);
    boot->scale = error.variance > 0.0 && error.variance < INFINITY ? sqrt(error.variance) : 0.0;
}

static enum err_code prepare(struct bootstrap *boot, const struct fit_problem *problem,
                             const double *z, const struct obs *obs, struct arena *arena,
                             struct err *err)
{
    size_t n = problem->n, p = problem->p;
    enum err_code code;

    memset(boot, 0, sizeof *boot);
    boot->base = problem;
    boot->problem = *problem;
    boot->group = arena_calloc(arena, n, sizeof *boot->group);
    boot->residual = arena_calloc(arena, problem->n_rows, sizeof(double));
    boot->weight = arena_calloc(arena, problem->n_rows, sizeof(double));
    boot->problem.y = arena_calloc(arena, problem->n_rows, sizeof(double));
    if (!boot->group || !boot->residual || !boot->weight || !boot->problem.y)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the bootstrap");
    for (size_t i = 0; i < n; i++) {
        boot->groups += i == 0 || !fit_identify_same(&obs[i - 1], &obs[i]) ? 1 : 0;
        boot->group[i] = boot->groups - 1;
    }
    boot->wild = boot->groups < BOOTSTRAP_GROUPS * p;
    boot->inflation = inflation_of((double)(boot->groups + problem->n_priors), (double)p);
    memcpy(boot->problem.y, problem->y, problem->n_rows * sizeof(double));
    memcpy(boot->weight, problem->weight, problem->n_rows * sizeof(double));
    if (!fit_problem_evaluate(problem, z, boot->residual, NULL))
        return err_set(err, ERR_INTERNAL, "the fit to be drawn from has no finite losses");
    code = fit_polish_init(&boot->polish, &boot->problem, arena, err);
    if (code == ERR_OK)
        set_scale(boot, z);
    return code;
}

/* Weights or responses of one draw, one random number a group in their order, and the priors'
 * means: what a prior alone tells is as uncertain as the prior says. */
static void resample(struct bootstrap *boot, struct rng *rng)
{
    const struct fit_problem *base = boot->base;
    double change = 0.0;

    for (size_t i = 0; i < base->n; i++) {
        if (i == 0 || boot->group[i] != boot->group[i - 1])
            change =
                boot->wild ? (rng_uniform(rng) < 0.5 ? -1.0 : 1.0) : -log(1.0 - rng_uniform(rng));
        if (boot->wild)
            boot->problem.y[i] = base->y[i] + (change * boot->inflation - 1.0) * boot->residual[i];
        else
            boot->weight[i] = base->weight[i] * change;
    }
    for (size_t m = 0; m < base->n_priors; m++)
        boot->problem.prior[m].mean =
            base->prior[m].mean + boot->scale * base->prior[m].sd * rng_normal(rng);
    boot->polish.weight = boot->weight;
}

/* Whether a draw's coefficients are numbers, and its amplitudes have their digits. */
static bool is_representable(const struct fit_problem *problem, const double *z,
                             const double *natural)
{
    for (size_t i = 0; i < problem->law->n_coefficients; i++) {
        size_t j = problem->coordinate[i];
        bool is_term = problem->normalised && problem->term[i] != SIZE_MAX && j != SIZE_MAX;

        if (isnan(natural[i]) ||
            (isinf(natural[i]) && problem->law->coefficients[i].transform != LAW_RECIPROCAL))
            return false;
        if (is_term && natural[i] < DBL_MIN && z[j] > least_share)
            return false;
    }
    return true;
}

/* The natural coefficients of a draw at z of a fit at `from`. Where the losses are at the ends of
 * the doubles a draw may leave them: it is taken back towards the fit, half the way at a time. */
static void set_draw(const struct fit_problem *problem, const double *from, double *z, double *ret)
{
    fit_problem_natural(problem, z, ret);
    for (size_t k = 0; k < HALVINGS && !is_representable(problem, z, ret); k++) {
        for (size_t j = 0; j < problem->p; j++)
            z[j] = from[j] + (k + 1 < HALVINGS ? 0.5 * (z[j] - from[j]) : 0.0);
        fit_problem_natural(problem, z, ret);
    }
}

enum err_code fit_bootstrap_run(const struct fit_options *options,
                                const struct fit_problem *problem, const double *z,
                                const struct obs *obs, size_t first, size_t n, struct arena *arena,
                                double *ret, struct err *err)
{
    struct fit_polish_goal goal = {fit_problem_delta(problem), 1e-5, DRAW_STEPS, false};
    struct fit_progress progress = {.draws = n};
    struct bootstrap boot;
    enum err_code code = prepare(&boot, problem, z, obs, arena, err);

    for (size_t k = 0; k < n && code == ERR_OK; k++) {
        struct rng rng = rng_stream(options->seed ^ draw_seed, first + k);
        double at[LAW_MAX_COEFFICIENTS];

        resample(&boot, &rng);
        memcpy(at, z, sizeof at);
        (void)fit_polish_run(&boot.polish, &goal, at);
        set_draw(problem, z, at, ret + k * problem->law->n_coefficients);
        progress.draws_done = k + 1;
        if (k % PROGRESS_EVERY == 0 && options->progress != NULL &&
            !options->progress(options->progress_ctx, &progress))
            code = err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    return code;
}
