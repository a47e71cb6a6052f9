#include "core/fit_holdout.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_diagnose.h"
#include "core/fit_interval.h"

/* By compute, then by content: the order does not depend on the caller's. */
static int compare_flops(const void *a, const void *b)
{
    double x = obs_flops(a), y = obs_flops(b);

    if (x != y)
        return x < y ? -1 : 1;
    return obs_compare(a, b);
}

/* How many of the runs, ascending by compute, are cheap. Runs of equal compute stay together. */
static size_t split(const struct fit_options *options, const struct obs *obs, size_t count)
{
    size_t cheap = count;

    if (options->holdout_kind == FIT_HOLDOUT_FRACTION) {
        /* 0.07 of 100 runs are 7, though the product is a little more. */
        cheap = count - (size_t)ceil(options->holdout * (double)count * (1.0 - 2.0 * DBL_EPSILON));
        while (cheap > 0 && cheap < count && obs_flops(&obs[cheap]) == obs_flops(&obs[cheap - 1]))
            cheap--;
        return cheap;
    }
    while (cheap > 0 && obs_flops(&obs[cheap - 1]) >= options->holdout)
        cheap--;
    return cheap;
}

/* The dear runs against what the cheap runs' fit says of them. */
static enum err_code judge(const struct fit_options *options, const struct fit_result *cheap,
                           const struct obs *dear, size_t count, struct fit_holdout_result *ret,
                           struct err *err)
{
    const struct law *law = options->law;
    double *scratch = calloc(cheap->n_draws + 1, sizeof *scratch), squares = 0.0, covered = 0.0;

    if (scratch == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the held-out runs");
    ret->points = count;
    ret->min_flops = obs_flops(&dear[0]);
    for (size_t i = 0; i < count; i++) {
        struct law_x x = law_x_from_obs(&dear[i]);
        double predicted = law_loss(law, cheap->coefficient, &x);
        /* Not ln(L/L̂): L̂ may overflow. */
        double r = law_seen(law, dear[i].loss) - law_response(law, cheap->coefficient, &x, NULL);
        double mean[2], run[2];
        double percent = 100.0 * fabs(predicted / dear[i].loss - 1.0);

        ret->mae_loss += fabs(dear[i].loss - predicted);
        ret->mae_percent += percent;
        ret->max_abs_percent = fmax(ret->max_abs_percent, percent);
        squares += (dear[i].loss - predicted) * (dear[i].loss - predicted);
        ret->rmse_log += r * r;
        ret->mae_log += fabs(r);
        ret->max_abs_log = fmax(ret->max_abs_log, fabs(r));
        fit_interval_loss(law, cheap->coefficient, cheap->draws, cheap->n_draws, &x,
                          cheap->noise_log, options->level, scratch, mean, run);
        covered += dear[i].loss >= run[0] && dear[i].loss <= run[1] ? 1.0 : 0.0;
    }
    ret->rmse_log = sqrt(ret->rmse_log / (double)count);
    ret->mae_log /= (double)count;
    ret->mae_loss /= (double)count;
    ret->mae_percent /= (double)count;
    ret->rmse_loss = sqrt(squares / (double)count);
    ret->coverage = cheap->n_draws > 0 ? covered / (double)count : NAN;
    free(scratch);
    return ERR_OK;
}

/* Tells the progress of the cheap runs' fit as what it is. ctx: the options of the whole fit. */
static bool tell(void *ctx, const struct fit_progress *progress)
{
    const struct fit_options *options = ctx;
    struct fit_progress told = *progress;

    told.held_out = true;
    return options->progress(options->progress_ctx, &told);
}

enum err_code fit_holdout_run(const struct fit_options *options, const struct obs *obs,
                              size_t count, struct fit_result *result, struct err *err)
{
    struct fit_options of_cheap = *options, whole = *options;
    struct fit_holdout_result holdout = {.coverage = NAN};
    struct fit_result *cheap = calloc(1, sizeof *cheap);
    struct obs *sorted = calloc(count + 1, sizeof *sorted);
    struct arena arena;
    struct err refusal;
    size_t n_cheap = 0;
    enum err_code code = ERR_OK;

    arena_init(&arena, options->memory);
    err_init(&refusal, NULL);
    if (cheap == NULL || sorted == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "out of memory for the held-out runs");
        goto done;
    }
    memcpy(sorted, obs, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, compare_flops);
    n_cheap = split(options, sorted, count);
    if (n_cheap == count) {
        fit_diagnose_add(result, "holdout_empty",
                         "No run is dear enough to be held out. Lower the limit.");
        goto done;
    }
    of_cheap.holdout_kind = FIT_HOLDOUT_NONE;
    of_cheap.progress = options->progress == NULL ? NULL : tell;
    of_cheap.progress_ctx = &whole;
    code = fit_run(&of_cheap, sorted, n_cheap, &arena, cheap, &refusal);
    if (code == ERR_NO_MEMORY || code == ERR_CANCELLED) {
        (void)err_set(err, code, "%s", refusal.detail);
        goto done;
    }
    if (code != ERR_OK) {
        fit_diagnose_add(result, "holdout_failed",
                         "The %zu runs below the held-out ones cannot be fitted alone (%.120s). "
                         "Hold out fewer.",
                         n_cheap, refusal.detail);
        code = ERR_OK;
        goto done;
    }
    code = judge(options, cheap, sorted + n_cheap, count - n_cheap, &holdout, err);
    if (code == ERR_OK)
        result->holdout = holdout;
done:
    arena_release(&arena);
    free(cheap);
    free(sorted);
    return code;
}
