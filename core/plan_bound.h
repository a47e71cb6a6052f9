/* plan_bound: losses that no configuration of a cell can be below, for a fraction of what solving
 * the cell costs; and the cell solved first, which spares the others.
 *
 * Internal to the planner. Memory from the arena.
 */
#ifndef MOEPLAN_CORE_PLAN_BOUND_H
#define MOEPLAN_CORE_PLAN_BOUND_H

#include "core/plan_least.h"

/* ret_bound[i·n_granularity + j] of (E_i, G_j): the least loss at the question's compute, spent on
 * training alone and under no other limit; −INFINITY where there is no closed form for it. Right
 * but for rounding. Returns the index of the least. */
size_t plan_bound_cells(const struct plan_question *question, double *ret_bound);

/* Where only the best cell is asked for, the one that promises most, solved. */
struct plan_first {
    double *bound; /* of each cell; NULL where all are to be solved */
    double most;   /* beyond it a bound rules its cell out */
    size_t index;
    enum plan_outcome outcome;
    struct plan_cell cell;
    struct plan_point point;
};

/* ERR_NO_MEMORY. */
enum err_code plan_first_init(struct plan_first *first, const struct plan_question *question,
                              struct arena *arena, struct err *err);

/* The same for another model's question, in place. */
void plan_first_again(struct plan_first *first, const struct plan_question *question);

/* Whether the cell of this index cannot be the best, nor tie with it. It is then well-signed, and
 * its loss does not fall without end. */
bool plan_first_beats(const struct plan_first *first, size_t index);

/* plan_least of the cell of this index. */
enum plan_outcome plan_first_solve(const struct plan_first *first,
                                   const struct plan_question *question, size_t index,
                                   struct plan_cell *ret_cell, struct plan_point *ret_point);

#endif
