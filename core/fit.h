/* fit: coefficients of a law from runs, and everything a fit can say about itself.
 *
 * Minimises   objective = Σ_i weight_i·h(r_i) + Σ_j (x_j − mean_j)²/(2·sd_j²)
 * r_i = ln L_i − ln L̂_i (law.h, law_response), h from robust.h, x_j the coefficient in its own
 * transform, over the law's bounds. Variable projection: non-negative amplitudes are solved inside,
 * exponents searched outside from many deterministic starts; the best distinct ones are polished.
 *
 * Pure: no clock, no I/O, no threads, no globals. The same runs (in any order), options and seed
 * give the same bits. Memory comes from the caller's arena, scratch from malloc freed on return.
 * Errors are questions that cannot be answered (too few runs, not identifiable, cancelled, no
 * memory); a poor fit is data: stop reason and warnings in the result.
 * Thread rule: calls on different arenas are independent.
 */
#ifndef MOEPLAN_CORE_FIT_H
#define MOEPLAN_CORE_FIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"
#include "core/err.h"
#include "core/law.h"
#include "core/obs.h"
#include "core/robust.h"

enum {
    FIT_WARNINGS_MAX = 32,
    FIT_STARTS_DEFAULT = 64,
    FIT_STARTS_MAX = 100000,
    FIT_BOOTSTRAP_MAX = 10000
};

enum fit_hold {
    FIT_DEFAULT, /* free, but for E_start and E_max: pinned with fewer than four values of E */
    FIT_FIXED,   /* at `fixed` */
    FIT_FREE,    /* the caller insists */
};

struct fit_prior {
    bool set;
    double mean, sd; /* natural mean; sd in the coefficient's transform */
};

enum fit_holdout_kind { FIT_HOLDOUT_NONE, FIT_HOLDOUT_FRACTION, FIT_HOLDOUT_MIN_FLOPS };

struct fit_progress {
    size_t starts_done, starts;
    size_t draws_done, draws;
    double best_objective; /* INFINITY before there is one */
    bool held_out;         /* of the fit without the runs held out */
};

/* Makes items first … first + n − 1 of some work; parts may be made at the same time. */
typedef enum err_code fit_part(void *ctx, size_t first, size_t n, struct err *err);

/* Shares work out over threads: calls part(ctx, …) for ranges that cover 0 … count − 1 once each,
 * in any order. Returns the error of a part that failed, or ERR_CANCELLED, once no part runs any
 * more; progress and the wish to cancel are its own to tell and to hear. */
typedef enum err_code fit_share(void *share_ctx, size_t count, fit_part *part, void *ctx,
                                struct err *err);

struct fit_options {
    const struct law *law;
    struct robust robust;
    size_t starts; /* 1: a single search, nothing to hold it against */
    uint64_t seed;
    /* n_coefficients natural values to search from, as they are and with amplitudes solved, in
     * place of seeded starts and of jumps; NULL for those. The caller's to keep. */
    const double *start;
    enum fit_hold hold[LAW_MAX_COEFFICIENTS];
    double fixed[LAW_MAX_COEFFICIENTS]; /* natural; INFINITY is legitimate for LAW_RECIPROCAL */
    struct fit_prior prior[LAW_MAX_COEFFICIENTS];
    enum fit_holdout_kind holdout_kind;
    double holdout;   /* fraction of runs (0, 1), or FLOPs */
    size_t bootstrap; /* draws, 0 for none */
    double level;     /* of intervals, (0, 1) */
    size_t memory;    /* bytes of scratch, and as many for each part of the draws at work */
    /* Called now and then; false cancels. May be NULL. */
    bool (*progress)(void *ctx, const struct fit_progress *progress);
    void *progress_ctx;
    /* Makes the draws, those of the hold-out too; the bits do not depend on how. NULL: here, one
     * after the other. */
    fit_share *share;
    void *share_ctx;
};

/* law, huber delta 1e-3, FIT_STARTS_DEFAULT, seed 0, everything FIT_DEFAULT, level 0.9, memory as
 * much as there is. */
struct fit_options fit_options_default(const struct law *law);

enum fit_stop {
    FIT_CONVERGED,  /* gradient and step tests met at the best point */
    FIT_SMALL_STEP, /* no further progress possible in double precision */
    FIT_MAX_ITERATIONS,
};
const char *fit_stop_name(enum fit_stop stop); /* "converged", … */

struct fit_warning {
    const char *code; /* stable: "pinned", "at_bound", "starts_disagree", … */
    char detail[240];
};

struct fit_range {
    double min, max; /* NAN where it is not known, or the law does not read the variable */
};

struct fit_holdout_result {
    size_t points;                         /* runs held out, 0 when none */
    double rmse_log, mae_log, max_abs_log; /* of ln L − ln L̂ predicted by the cheap runs' fit */
    double rmse_loss, mae_loss;            /* in the loss's unit */
    double mae_percent, max_abs_percent;   /* 100·|L̂/L − 1| */
    double coverage;  /* share inside the prediction interval; NAN without draws */
    double min_flops; /* the dearest run fitted is below this */
};

struct fit_result {
    const struct law *law;
    double coefficient[LAW_MAX_COEFFICIENTS]; /* natural; E_max may be INFINITY */
    bool is_free[LAW_MAX_COEFFICIENTS];
    bool is_pinned[LAW_MAX_COEFFICIENTS];        /* the silent pin, not the caller's `fixed` */
    double standard_error[LAW_MAX_COEFFICIENTS]; /* in the transform; NAN where not free or flat */
    double interval[LAW_MAX_COEFFICIENTS][2];    /* natural; NAN,NAN where there is none */
    size_t n_free, points;
    double objective, rmse_log, mae_log, aicc, bic; /* aicc NAN when points <= k + 1 */
    /* Standard deviation of one new run about the law, in ln loss: the residuals' quantile at
     * `level` (from 0.5 to where ten runs lie beyond, or 0.9) over the normal one's, with the
     * degrees of freedom the fit took. */
    double noise_log;
    enum fit_stop stop;
    /* Searches carried to their end (the best of the starts, and jumps about the best point), and
     * how many of them reached the best objective. */
    size_t starts, starts_agreeing;
    double condition_number;                 /* of the scaled Jacobian at the answer */
    struct fit_range range[LAW_RANGE_COUNT]; /* not of train_flops */
    struct fit_holdout_result holdout;
    size_t n_draws;
    const double *draws; /* n_draws × n_coefficients, in the arena */
    size_t n_warnings;
    struct fit_warning warnings[FIT_WARNINGS_MAX];
};

/* Fits. obs[count] in any order; obs with weight 0 are ignored. On success fills *ret_result (the
 * draws live in arena). ERR_TOO_FEW_EXPERIMENTS, ERR_NOT_IDENTIFIABLE (one field per variable, with
 * the `fixed` that would cure it), ERR_INVALID (a run lacks n_total the law reads: named by index),
 * ERR_CANCELLED, ERR_NO_MEMORY. */
enum err_code fit_run(const struct fit_options *options, const struct obs *obs, size_t count,
                      struct arena *arena, struct fit_result *ret_result, struct err *err);

/* Draws first … first + n − 1 of the bootstrap of a fit that fit_run made from the same options and
 * runs, into ret_draws (n × n_coefficients): what fit_run itself makes for options->bootstrap.
 * Draw k is the same whoever makes it. ERR_CANCELLED, ERR_NO_MEMORY. */
enum err_code fit_draws(const struct fit_options *options, const struct obs *obs, size_t count,
                        const struct fit_result *result, size_t first, size_t n, double *ret_draws,
                        struct err *err);

/* The objective at given coefficients: the contract's, prior included. */
double fit_objective(const struct fit_options *options, const double *coefficients,
                     const struct obs *obs, size_t count);

#endif
