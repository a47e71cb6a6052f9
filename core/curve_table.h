/* curve_table: the columns every curve shares, filled row by row.
 *
 * Internal to the curves. A row is one configuration of one cell; its interval comes from the
 * cell's draws.
 */
#ifndef MOEPLAN_CORE_CURVE_TABLE_H
#define MOEPLAN_CORE_CURVE_TABLE_H

#include "core/curve.h"
#include "core/curve_band.h"
#include "core/plan_least.h"

/* A curve under way. */
struct curve_table {
    const struct plan_question *question;
    struct curve curve;
    struct curve_band band; /* where the model has draws */
};

/* One (E, G) under some limits, and where its loss is least. */
struct curve_cell {
    struct plan_cell cell;
    struct plan_point point;
};

/* An empty table with room for n_rows, and for the draws of the question's model. False when the
 * arena is full. */
bool curve_table_init(struct curve_table *table, const struct plan_question *question,
                      struct arena *arena, size_t n_rows);

/* One more column, NULL when the arena is full; rows are its owner's to fill. */
double *curve_table_column(struct curve_table *table, struct arena *arena, const char *name,
                           size_t n_rows);

/* Appends the configuration at d_model and tokens; tokens NAN or <= 0 leave tokens, loss and what
 * follows from them NAN. n_active is what d_model was made from, so that a size asked for is shown
 * to the bit, or NAN. */
void curve_table_row(struct curve_table *table, const struct curve_cell *at, double d_model,
                     double n_active, double tokens, bool optimum);

/* The best G of one E under `limits`, which must outlive the cell. False when none is feasible;
 * ret->cell is then that of the first G. */
bool curve_best_cell(const struct plan_question *question, const struct plan_limits *limits,
                     double experts, struct curve_cell *ret);

/* The i-th of count points from low to high, log-spaced, both ends exact. */
double curve_log_point(double low, double high, size_t i, size_t count);

/* The optimum of the question, which must have one: plan_solve says it best when there is none. */
enum err_code curve_optimum(const struct plan_question *question, struct arena *arena,
                            struct plan_configuration *ret_optimum, struct err *err);

#endif
