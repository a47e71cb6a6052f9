#include "core/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_holdout.h"
#include "core/fit_identify.h"
#include "core/fit_work.h"

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

enum err_code fit_work_open(struct fit_work *work, const struct fit_options *options,
                            const struct obs *obs, size_t count, struct err *err)
{
    work->options = options;
    arena_init(&work->scratch, options->memory);
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

void fit_work_close(struct fit_work *work)
{
    arena_release(&work->scratch);
}

static enum err_code prepare(struct fit_work *work, struct fit_result *result, struct err *err)
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

/* Whether coefficients say as numbers what the search found, and what they make of the objective,
 * by the contract's own formula: losses near the ends of the doubles take amplitudes beyond them,
 * or so near 0 that they have no digits left. */
static bool is_representable(struct fit_work *work, const double *coefficients,
                             double *ret_objective)
{
    const struct fit_problem *problem = &work->problem;
    double z[LAW_MAX_COEFFICIENTS] = {0};

    fit_problem_point(problem, coefficients, z);
    fit_problem_clip(problem, z);
    *ret_objective = fit_objective(work->options, coefficients, work->obs, work->count);
    return isfinite(*ret_objective) &&
           fit_problem_evaluate(problem, z, work->polish.residual, NULL);
}

static enum err_code search(struct fit_work *work, struct fit_result *result, struct err *err)
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
    if (!is_representable(work, result->coefficient, &result->objective))
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

enum err_code fit_run(const struct fit_options *options, const struct obs *obs, size_t count,
                      struct arena *arena, struct fit_result *ret_result, struct err *err)
{
    struct fit_work *work = calloc(1, sizeof *work);
    struct fit_result *result = calloc(1, sizeof *result);
    enum err_code code;

    if (work == NULL || result == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "out of memory for a fit");
        goto done;
    }
    result->law = options->law;
    code = check_runs(options->law, obs, count, err);
    if (code == ERR_OK)
        code = fit_work_open(work, options, obs, count, err);
    if (code == ERR_OK)
        code = prepare(work, result, err);
    if (code == ERR_OK)
        code = search(work, result, err);
    if (code != ERR_OK)
        goto done;
    fit_work_describe(work, result);
    code = fit_work_draw(work, arena, result, err);
    if (code == ERR_OK && options->holdout_kind != FIT_HOLDOUT_NONE)
        code = fit_holdout_run(options, work->obs, work->count, result, err);
    if (code == ERR_OK)
        *ret_result = *result;
done:
    if (work != NULL)
        fit_work_close(work);
    free(work);
    free(result);
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

            if (weight > 0.0)
                sum += weight * robust_loss(&options->robust, law_seen(law, loss) - response[i]);
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
