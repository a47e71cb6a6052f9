/* suggest_design: lists of runs, and what is left unknown of the targets once they are made.
 *
 * Runs are features (suggest_space.h). What is known is a covariance C of the directions, the unit
 * matrix before any run; to observe a run of feature φ with noise sd σ takes
 *     C φ φ' C / (σ² + φ'Cφ)
 * off it (normal conditioning), and (φ_t'Cφ)²/(σ² + φ'Cφ) off a target's variance φ_t'Cφ_t.
 *
 * Lists are grown greedily from a grid of candidates, then improved by exchange. Pure.
 */
#ifndef MOEPLAN_CORE_SUGGEST_DESIGN_H
#define MOEPLAN_CORE_SUGGEST_DESIGN_H

#include "core/suggest.h"
#include "core/suggest_space.h"

/* A run as everything here sees it. */
struct suggest_trial {
    struct suggest_run run;
    double feature[SUGGEST_RANK_MAX];
};

/* The problem: what may be run, what is to be known. */
struct suggest_design {
    const struct suggest_question *question;
    const struct suggest_space *space;
    double spread; /* what the noise of a run counts as */
    size_t n_candidates;
    struct suggest_trial *candidate;
    double target[SUGGEST_TARGETS_MAX][SUGGEST_RANK_MAX];
};

struct suggest_list {
    size_t count;
    struct suggest_trial trial[SUGGEST_RUNS_MAX];
    double flops, variance; /* of all runs; mean over the targets once all are made */
};

/* What is known: C, and C φ_t of each target. */
struct suggest_known {
    double covariance[SUGGEST_RANK_MAX][SUGGEST_RANK_MAX];
    double target[SUGGEST_TARGETS_MAX][SUGGEST_RANK_MAX];
    double variance; /* mean over the targets */
};

/* Greedy ways to grow a list. */
enum suggest_strategy {
    SUGGEST_BY_REDUCTION,
    SUGGEST_BY_REDUCTION_PER_FLOP,
    SUGGEST_EVENLY, /* by reduction, no run dearer than an even share of what is left */
    SUGGEST_STRATEGIES
};

/* Once all runs of a list are made but the two at `except` (list->count: none). */
void suggest_known_of(const struct suggest_design *design, const struct suggest_list *list,
                      size_t except, size_t except_too, struct suggest_known *ret);

/* One run more. */
void suggest_known_add(const struct suggest_design *design, const double *feature,
                       struct suggest_known *known);

/* What a run would take off the mean variance of the targets. */
double suggest_reduction(const struct suggest_design *design, const struct suggest_known *known,
                         const double *feature);

/* A list grown from the candidates until budget or runs are used up. */
void suggest_grow(const struct suggest_design *design, enum suggest_strategy strategy,
                  struct suggest_list *ret);

/* Each run in turn is given up for the best candidate that its place and the budget allow, until a
 * whole round changes nothing (Fedorov's exchange). */
void suggest_exchange(const struct suggest_design *design, struct suggest_list *list);

#endif
