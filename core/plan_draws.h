/* plan_draws: a fit's bootstrap draws at one E and G, and quantiles of what they say.
 *
 * Internal to the planner. The draws' slices column by column, as loops over them want it. Memory
 * from the arena.
 */
#ifndef MOEPLAN_CORE_PLAN_DRAWS_H
#define MOEPLAN_CORE_PLAN_DRAWS_H

#include "core/plan.h"

struct plan_draws {
    const struct plan_model *model;
    double experts, granularity; /* that are filled in; NAN before */
    size_t count, n_size_terms;
    double *m[LAW_MAX_SIZE_TERMS], *mu[LAW_MAX_SIZE_TERMS], *n, *nu, *c;
};

/* Room for the model's draws at one (E, G) at a time. False when the arena is full. */
bool plan_draws_init(struct plan_draws *draws, const struct plan_model *model, struct arena *arena);

/* Fills in the draws at (E, G), unless they stand there; those without a finite slice are left out.
 * count may be 0. */
void plan_draws_fill(struct plan_draws *draws, double experts, double granularity);

/* Quantiles (1 ± level)/2, linear between order statistics, of count losses, which are reordered
 * and may hold non-finite values; NAN with fewer than two finite ones. */
void plan_draws_quantiles(double *loss, size_t count, double level, double ret_interval[2]);

/* The k-th smallest of count finite values (from 0) and `fraction` of the way to the next, if there
 * is one. Reorders them. */
double plan_draws_between(double *value, size_t count, size_t k, double fraction);

#endif
