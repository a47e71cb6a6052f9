/* suggest: the next runs to make, to know a plan better.
 *
 * V-optimal design on the bootstrap draws. A law's draws give, for any run, a distribution of its
 * ln loss; runs and targets covary over them. To observe a run with noise sd σ takes
 * cov(target, run)²/(var(run) + σ²) off the target's variance (normal conditioning), and what the
 * draws say of all other runs is updated alike. Runs are picked greedily, once by reduction and
 * once by reduction per FLOP within the budget; the better of the two lists is the answer.
 *
 * Pure; memory from the arena. Deterministic.
 */
#ifndef MOEPLAN_CORE_SUGGEST_H
#define MOEPLAN_CORE_SUGGEST_H

#include "core/plan.h"

enum { SUGGEST_RUNS_MAX = 64, SUGGEST_GRID = 12 };

struct suggest_question {
    struct plan_model model; /* with draws: at least 20 */
    size_t n_experts, n_granularity;
    const double *experts, *granularity; /* allowed for the runs */
    double n_active[2], tokens[2];       /* the box of runs, SUGGEST_GRID log-spaced values each */
    double budget_flops;                 /* of all runs together */
    size_t runs;                         /* at most */
    double noise_log;                    /* sd of ln loss of one run, > 0: the fit's rmse_log */
    size_t n_targets;
    const struct plan_configuration *targets; /* whose ln losses are to be known: the optimum, … */
};

struct suggest_run {
    double experts, granularity, n_active, n_total, d_model, tokens, train_flops;
    double
        sd_log; /* root mean variance of the targets' ln loss once this and those before are made */
};

struct suggest_answer {
    double sd_log; /* today's */
    size_t n_runs;
    struct suggest_run *runs; /* in the order of picking */
    double flops;             /* of all */
};

/* ERR_TOO_FEW_EXPERIMENTS without enough draws; ERR_INFEASIBLE (field budget) when not even the
 * cheapest run of the box can be paid for; ERR_NO_MEMORY. */
enum err_code suggest_runs(const struct suggest_question *question, struct arena *arena,
                           struct suggest_answer *ret_answer, struct err *err);

#endif
