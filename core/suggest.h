/* suggest: the next runs to make, to know a plan better.
 *
 * V-optimal design: the runs of a study determine its law up to a covariance, in which any run and
 * the targets covary (suggest_space.h). To observe a run with noise sd σ takes
 * cov(target, run)²/(var(run) + σ²) off the target's variance, and what is known of all other runs
 * is updated alike (suggest_design.h). Lists are grown greedily on a grid in several ways, improved
 * by exchange and moved off the grid (suggest_refine.h); the best is the answer. It may hold a run
 * more than once: the noise of runs is independent, and designs have few places worth a run.
 *
 * Pure; memory from the arena. Deterministic.
 */
#ifndef MOEPLAN_CORE_SUGGEST_H
#define MOEPLAN_CORE_SUGGEST_H

#include "core/fit.h"
#include "core/plan.h"

enum { SUGGEST_RUNS_MAX = 64, SUGGEST_GRID = 12, SUGGEST_TARGETS_MAX = 4 };

struct suggest_question {
    struct plan_model model;           /* the fit; its draws are not read */
    const struct fit_options *options; /* it was made with, and of these runs */
    const struct obs *made;
    size_t n_made;
    size_t n_experts, n_granularity;
    const double *experts, *granularity;      /* allowed for the runs */
    double n_active[2], tokens[2];            /* the box of runs */
    const struct plan_limits *limits;         /* on serving and training memory, n_active and tokens
                                                 that each run keeps too; NULL: none */
    const struct plan_wording *wording;       /* of the limits, for refusals; NULL: base units */
    double budget_flops;                      /* of all runs together */
    size_t runs;                              /* at most */
    double noise_log;                         /* sd of ln loss of one run, > 0 */
    size_t n_targets;                         /* at most SUGGEST_TARGETS_MAX */
    const struct plan_configuration *targets; /* whose ln losses are to be known: the optimum, … */
};

struct suggest_run {
    double experts, granularity, n_active, n_total, d_model, tokens, train_flops;
    /* Root mean variance of the targets' ln loss once this and those before are made. */
    double sd_log;
};

struct suggest_answer {
    double sd_log; /* today's */
    size_t n_runs;
    struct suggest_run *runs; /* in the order of picking */
    double flops;             /* of all */
};

/* ERR_INFEASIBLE when not even the smallest run of the box keeps the limits (a field for each that
 * it breaks) or the cheapest can be paid for (field budget), each with the least that would do;
 * ERR_NO_MEMORY. */
enum err_code suggest_runs(const struct suggest_question *question, struct arena *arena,
                           struct suggest_answer *ret_answer, struct err *err);

#endif
