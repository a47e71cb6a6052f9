#include "core/fit.h"

#include <float.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_bootstrap.h"
#include "core/fit_diagnose.h"
#include "core/fit_error.h"
#include "core/fit_holdout.h"
#include "core/fit_identify.h"
#include "core/fit_interval.h"
#include "core/fit_search.h"

struct fit_options fit_options_default(const struct law *law)
{
    return (struct fit_options){
        .law = law,
        .robust = {.kind = ROBUST_HUBER, .delta = 1e-3},
        .starts = FIT_STARTS_DEFAULT,
        .level = 0.9,
        .memory = SIZE_MAX,
    };
}

const char *fit_stop_name(enum fit_stop stop)
{
    static const char *const names[] = {
        [FIT_CONVERGED] = "converged",
        [FIT_SMALL_STEP] = "small_step",
        [FIT_MAX_ITERATIONS] = "max_iterations",
    };

    return names[stop];
}

/* What one call works with; gone when it returns. */
struct work {
    const struct fit_options *options;
    size_t count;    /* runs with weight */
    struct obs *obs; /* sorted */
    double natural[LAW_MAX_COEFFICIENTS];
    struct arena scratch;
    struct fit_problem problem;
    struct fit_polish polish;
    struct fit_found found;
    struct fit_error error;
};

/* Adds a field for every run the law cannot read. */
static enum err_code check_runs(const struct law *law, const struct obs *obs, size_t count,
                                struct err *err)
{
    enum err_code code = ERR_OK;

    for (size_t i = 0; i < count; i++) {
        if (obs[i].weight == 0.0)
            continue;
        for (int v = 0; v < LAW_VARIABLE_COUNT; v++) {
            double value = fit_identify_value(&obs[i], (enum law_variable)v);

            if (law_reads(law, (enum law_variable)v) && !(value > 0.0 && value < INFINITY))
                code = err_add(err, ERR_INVALID, ERR_AT_CELL,
                               law_variable_name((enum law_variable)v), (uint64_t)i + 1,
                               "law %s reads %s, which this run lacks: give it, or leave the run "
                               "out",
                               law->name, law_variable_name((enum law_variable)v));
        }
        if (!isfinite(obs[i].loss) ||
            (law->response != LAW_IDENTITY_IS_SUM && !(obs[i].loss > 0.0)))
            code = err_add(err, ERR_INVALID, ERR_AT_CELL, "loss", (uint64_t)i + 1,
                           "must be a positive number");
        if (!(obs[i].weight > 0.0 && obs[i].weight < INFINITY))
            code = err_add(err, ERR_INVALID, ERR_AT_CELL, "weight", (uint64_t)i + 1,
                           "must be a number, 0 or more");
    }
    return code;
}

/* The runs with weight, in the one order that does not depend on the caller's. */
static enum err_code copy_runs(struct work *work, const struct obs *obs, size_t count,
                               struct err *err)
{
    for (size_t i = 0; i < count; i++)
        work->count += obs[i].weight > 0.0 ? 1 : 0;
    work->obs = arena_calloc(&work->scratch, work->count + 1, sizeof *work->obs);
    if (work->obs == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", count);
    work->count = 0;
    for (size_t i = 0; i < count; i++)
        if (obs[i].weight > 0.0)
            work->obs[work->count++] = obs[i];
    qsort(work->obs, work->count, sizeof *work->obs, obs_compare);
    return ERR_OK;
}

static enum err_code prepare(struct work *work, struct fit_result *result, struct err *err)
{
    const struct fit_options *options = work->options;
    struct arena *scratch = &work->scratch;
    enum err_code code;

    code = fit_identify_free(options, work->obs, work->count, result->is_free, result->is_pinned,
                             work->natural, err);
    if (code == ERR_OK)
        code = fit_identify_runs(options, result->is_free, work->obs, work->count, err);
    if (code == ERR_OK)
        code = fit_problem_init(&work->problem, options, result->is_free, work->natural, work->obs,
                                work->count, scratch, err);
    if (code == ERR_OK)
        code = fit_identify_rank(options, &work->problem, scratch, err);
    if (code == ERR_OK)
        code = fit_polish_init(&work->polish, &work->problem, scratch, err);
    return code;
}

/* Whether coefficients say as numbers what the search found: losses near the ends of the doubles
 * take amplitudes beyond them, or so near 0 that they have no digits left. */
static bool is_representable(struct work *work, const double *coefficients)
{
    const struct fit_problem *problem = &work->problem;
    double z[LAW_MAX_COEFFICIENTS] = {0};

    fit_problem_point(problem, coefficients, z);
    fit_problem_clip(problem, z);
    return isfinite(fit_objective(work->options, coefficients, work->obs, work->count)) &&
           fit_problem_evaluate(problem, z, work->polish.residual, NULL);
}

static enum err_code search(struct work *work, struct fit_result *result, struct err *err)
{
    enum err_code code = fit_search_run(work->options, &work->problem, &work->polish,
                                        &work->scratch, &work->found, err);

    if (code != ERR_OK)
        return code;
    if (!isfinite(work->found.objective))
        return err_set(err, ERR_NOT_IDENTIFIABLE,
                       "law %s has no finite loss at these runs for any coefficients tried: "
                       "check their values and units, and the priors",
                       work->options->law->name);
    fit_problem_natural(&work->problem, work->found.z, result->coefficient);
    for (size_t i = 0; i < work->options->law->n_coefficients; i++)
        if (isnan(result->coefficient[i]) ||
            (isinf(result->coefficient[i]) &&
             work->options->law->coefficients[i].transform != LAW_RECIPROCAL))
            return err_set(err, ERR_NOT_IDENTIFIABLE,
                           "%s is too large for a number at these runs: check their values and "
                           "units",
                           work->options->law->coefficients[i].name);
    if (!is_representable(work, result->coefficient))
        return err_set(err, ERR_NOT_IDENTIFIABLE,
                       "the coefficients of law %s are too small or too large for numbers at these "
                       "runs: check the values and units of their losses",
                       work->options->law->name);
    result->n_free = work->problem.p;
    result->stop = work->found.stop;
    result->starts = work->found.ended;
    result->starts_agreeing = work->found.agreeing;
    return ERR_OK;
}

/* Sums over the runs at the answer, from the contract's own formula. */
static void measure(const struct work *work, struct fit_result *result)
{
    const struct fit_polish *polish = &work->polish;
    double squares = 0.0, sizes = 0.0, total = 0.0, n = (double)work->count;
    double k = (double)result->n_free + 1.0, likelihood;

    for (size_t i = 0; i < work->problem.n; i++) {
        double r = polish->residual[i], w = work->problem.weight[i];

        squares += w * r * r;
        sizes += w * fabs(r);
        total += w;
    }
    result->objective = fit_objective(work->options, result->coefficient, work->obs, work->count);
    result->points = work->count;
    result->rmse_log = sqrt(squares / total);
    result->mae_log = sizes / total;
    likelihood = n * log(fmax(squares / n, DBL_MIN)); /* a perfect fit stays a number */
    result->bic = likelihood + k * log(n);
    result->aicc = n > k + 1.0 ? likelihood + 2.0 * k + 2.0 * k * (k + 1.0) / (n - k - 1.0) : NAN;
}

/* The share `level` of runs lies within so many residuals; a normal sample's would be within z. */
static double noise_of(const struct work *work)
{
    const struct fit_polish *polish = &work->polish;
    size_t n = work->problem.n, p = work->problem.p;
    size_t rank = (size_t)(work->options->level * (double)n);

    for (size_t i = 0; i < n; i++)
        polish->trial[i] = fabs(polish->residual[i]);
    return gsl_stats_select(polish->trial, 1, n, rank < n ? rank : n - 1) /
           fit_interval_normal(work->options->level) *
           (n > p ? sqrt((double)n / (double)(n - p)) : 1.0);
}

static void set_ranges(const struct work *work, struct fit_result *result)
{
    for (int v = 0; v < LAW_VARIABLE_COUNT; v++) {
        struct fit_range *range = &result->range[v];

        range->min = range->max = NAN;
        if (!law_reads(work->options->law, (enum law_variable)v))
            continue;
        for (size_t i = 0; i < work->count; i++) {
            double value = fit_identify_value(&work->obs[i], (enum law_variable)v);

            range->min = fmin(range->min, value);
            range->max = fmax(range->max, value);
        }
    }
}

static void describe(struct work *work, struct fit_result *result)
{
    const struct law *law = work->options->law;
    const struct fit_polish *polish = &work->polish;

    (void)fit_problem_evaluate(&work->problem, work->found.z, polish->residual, polish->jacobian);
    fit_error_set(&work->problem, work->found.z, polish->residual, polish->jacobian, &work->error);
    result->condition_number = work->error.condition_number;
    for (size_t i = 0; i < law->n_coefficients; i++) {
        size_t j = work->problem.coordinate[i];

        result->standard_error[i] = j == SIZE_MAX ? NAN : work->error.error[j];
        result->interval[i][0] = result->interval[i][1] = NAN;
    }
    measure(work, result);
    result->noise_log = noise_of(work);
    set_ranges(work, result);
    fit_diagnose(&work->error, &work->problem, polish->residual, work->obs, work->count,
                 polish->trial, result);
}

/* Gives a result its draws (kept, not copied) and the intervals they make. */
static enum err_code set_draws(struct fit_result *result, const double *draws, size_t n,
                               double level, struct err *err)
{
    size_t width = result->law->n_coefficients;
    double *values = calloc(n + 1, sizeof *values);

    if (values == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu draws", n);
    for (size_t i = 0; i < width; i++) {
        result->interval[i][0] = result->interval[i][1] = NAN;
        if (!result->is_free[i] || isnan(result->standard_error[i]))
            continue;
        for (size_t k = 0; k < n; k++)
            values[k] = draws[k * width + i];
        fit_interval_of(values, n, level, result->interval[i]);
    }
    result->draws = draws;
    result->n_draws = n;
    if (n > 0 && (double)n * (1.0 - level) < 2.0 * (1.0 - DBL_EPSILON * (double)n))
        fit_diagnose_add(result, "few_draws",
                         "%zu draws are too few for intervals of %g %%: their ends are chance, and "
                         "may leave out the fit itself. Ask for %.0f at least, for hundreds if the "
                         "ends matter.",
                         n, 100.0 * level, ceil(2.0 / (1.0 - level) - 1e-9));
    free(values);
    return ERR_OK;
}

struct drawing {
    const struct work *work;
    struct fit_options options;
    double z[LAW_MAX_COEFFICIENTS];
    double *draws;
};

/* A fit_part: reads the work, writes draws of its own. */
static enum err_code draw_part(void *ctx, size_t first, size_t n, struct err *err)
{
    const struct drawing *drawing = ctx;
    const struct work *work = drawing->work;
    struct arena scratch;
    enum err_code code;

    arena_init(&scratch, drawing->options.memory);
    code = fit_bootstrap_run(&drawing->options, &work->problem, drawing->z, work->obs, first, n,
                             &scratch, drawing->draws + first * work->problem.law->n_coefficients,
                             err);
    arena_release(&scratch);
    return code;
}

/* The bootstrap, its draws in the caller's arena. */
static enum err_code draw(struct work *work, struct arena *arena, struct fit_result *result,
                          struct err *err)
{
    struct drawing drawing = {.work = work, .options = *work->options};
    size_t n = work->options->bootstrap;
    enum err_code code;

    if (n == 0)
        return ERR_OK;
    drawing.draws = arena_calloc(arena, n * result->law->n_coefficients, sizeof(double));
    if (drawing.draws == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu draws", n);
    /* From the coefficients, as fit_draws must: the same draws to the bit. */
    fit_problem_point(&work->problem, result->coefficient, drawing.z);
    fit_problem_clip(&work->problem, drawing.z);
    if (work->options->share != NULL) {
        drawing.options.progress = NULL; /* who shares out knows of all parts */
        code = work->options->share(work->options->share_ctx, n, draw_part, &drawing, err);
    } else {
        code = draw_part(&drawing, 0, n, err);
    }
    return code == ERR_OK ? set_draws(result, drawing.draws, n, work->options->level, err) : code;
}

enum err_code fit_run(const struct fit_options *options, const struct obs *obs, size_t count,
                      struct arena *arena, struct fit_result *ret_result, struct err *err)
{
    struct work *work = calloc(1, sizeof *work);
    struct fit_result *result = calloc(1, sizeof *result);
    enum err_code code;

    if (work == NULL || result == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "out of memory for a fit");
        goto done;
    }
    work->options = options;
    arena_init(&work->scratch, options->memory);
    result->law = options->law;
    code = check_runs(options->law, obs, count, err);
    if (code == ERR_OK)
        code = copy_runs(work, obs, count, err);
    if (code == ERR_OK)
        code = prepare(work, result, err);
    if (code == ERR_OK)
        code = search(work, result, err);
    if (code != ERR_OK)
        goto done;
    describe(work, result);
    code = draw(work, arena, result, err);
    if (code == ERR_OK && options->holdout_kind != FIT_HOLDOUT_NONE)
        code = fit_holdout_run(options, work->obs, work->count, result, err);
    if (code == ERR_OK)
        *ret_result = *result;
done:
    if (work != NULL)
        arena_release(&work->scratch);
    free(work);
    free(result);
    return code;
}

enum err_code fit_draws(const struct fit_options *options, const struct obs *obs, size_t count,
                        const struct fit_result *result, size_t first, size_t n, double *ret_draws,
                        struct err *err)
{
    struct work *work = calloc(1, sizeof *work);
    double z[LAW_MAX_COEFFICIENTS] = {0};
    enum err_code code;

    if (work == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu draws", n);
    work->options = options;
    arena_init(&work->scratch, options->memory);
    code = copy_runs(work, obs, count, err);
    if (code == ERR_OK)
        code = fit_problem_init(&work->problem, options, result->is_free, result->coefficient,
                                work->obs, work->count, &work->scratch, err);
    if (code == ERR_OK) {
        fit_problem_point(&work->problem, result->coefficient, z);
        fit_problem_clip(&work->problem, z);
        code = fit_bootstrap_run(options, &work->problem, z, work->obs, first, n, &work->scratch,
                                 ret_draws, err);
    }
    arena_release(&work->scratch);
    free(work);
    return code;
}

double fit_objective(const struct fit_options *options, const double *coefficients,
                     const struct obs *obs, size_t count)
{
    const struct law *law = options->law;
    double sum = 0.0;

    for (size_t from = 0, size; from < count; from += size) {
        struct law_x x[FIT_BLOCK];
        double response[FIT_BLOCK];

        size = count - from < FIT_BLOCK ? count - from : FIT_BLOCK;
        for (size_t i = 0; i < size; i++)
            x[i] = law_x_from_obs(&obs[from + i]);
        law_responses(law, coefficients, x, size, response);
        for (size_t i = 0; i < size; i++) {
            double loss = obs[from + i].loss, weight = obs[from + i].weight;
            double seen = law->response == LAW_IDENTITY_IS_SUM ? loss : log(loss);

            if (weight > 0.0)
                sum += weight * robust_loss(&options->robust, seen - response[i]);
        }
    }
    for (size_t i = 0; i < law->n_coefficients; i++) {
        const struct fit_prior *prior = &options->prior[i];
        enum law_transform transform = law->coefficients[i].transform;
        double off;

        if (!prior->set || options->hold[i] == FIT_FIXED)
            continue;
        off = (law_to_transform(transform, coefficients[i]) -
               law_to_transform(transform, prior->mean)) /
              prior->sd;
        sum += 0.5 * off * off;
    }
    return sum;
}
