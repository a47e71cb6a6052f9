/* The draws of a fit: its bootstrap, in parts that anyone may make. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_bootstrap.h"
#include "core/fit_diagnose.h"
#include "core/fit_interval.h"
#include "core/fit_work.h"

/* Whether the interval of 90 %, of draws enough for its ends, does not hold the coefficient itself.
 * One of a low level may well not, where draws lie a little to one side. values: sorted by this. */
static bool leaves_out(double *values, size_t n, double coefficient)
{
    static const double level = 0.9, beyond_each_end = 5.0;
    double interval[2];

    fit_interval_of(values, n, level, interval);
    return 0.5 * (double)n * (1.0 - level) > beyond_each_end - 0.5 &&
           (coefficient < fmin(interval[0], interval[1]) ||
            coefficient > fmax(interval[0], interval[1]));
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
        if (leaves_out(values, n, result->coefficient[i]))
            fit_diagnose_add(
                result, "not_determined",
                "%s is %g, outside the interval of 90 %%: the fits of the draws lie elsewhere "
                "along a valley that the runs hardly tell apart. Fix it, give it a prior, or "
                "add runs that determine it.",
                result->law->coefficients[i].name, result->coefficient[i]);
    }
    result->draws = draws;
    result->n_draws = n;
    if (n > 0 && (double)n < fit_interval_least_draws(level))
        fit_diagnose_add(result, "few_draws",
                         "%zu draws are too few for intervals of %g %%: their ends are chance, and "
                         "may leave out the fit itself. Ask for %.0f at least, for hundreds if the "
                         "ends matter.",
                         n, 100.0 * level, fit_interval_least_draws(level));
    free(values);
    return ERR_OK;
}

struct drawing {
    const struct fit_work *work;
    struct fit_options options;
    double z[LAW_MAX_COEFFICIENTS];
    double *draws;
};

/* A fit_part: reads the work, writes draws of its own. */
static enum err_code draw_part(void *ctx, size_t first, size_t n, struct err *err)
{
    const struct drawing *drawing = ctx;
    const struct fit_work *work = drawing->work;
    struct arena scratch;
    enum err_code code;

    arena_init(&scratch, drawing->options.memory);
    code = fit_bootstrap_run(&drawing->options, &work->problem, drawing->z, work->obs, first, n,
                             &scratch, drawing->draws + first * work->problem.law->n_coefficients,
                             err);
    arena_release(&scratch);
    return code;
}

enum err_code fit_work_draw(struct fit_work *work, struct arena *arena, struct fit_result *result,
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

enum err_code fit_draws(const struct fit_options *options, const struct obs *obs, size_t count,
                        const struct fit_result *result, size_t first, size_t n, double *ret_draws,
                        struct err *err)
{
    struct fit_work *work = calloc(1, sizeof *work);
    double z[LAW_MAX_COEFFICIENTS] = {0};
    enum err_code code;

    if (work == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu draws", n);
    code = fit_work_open(work, options, obs, count, err);
    if (code == ERR_OK)
        code = fit_problem_init(&work->problem, options, result->is_free, result->coefficient,
                                work->obs, work->count, &work->scratch, err);
    if (code == ERR_OK) {
        fit_problem_point(&work->problem, result->coefficient, z);
        fit_problem_clip(&work->problem, z);
        code = fit_bootstrap_run(options, &work->problem, z, work->obs, first, n, &work->scratch,
                                 ret_draws, err);
    }
    fit_work_close(work);
    free(work);
    return code;
}
