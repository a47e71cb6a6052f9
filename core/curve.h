/* curve: arrays for plots, from one fit.
 *
 * A curve is a table of named columns of doubles, NAN where a cell has no value. Pure; memory from
 * the arena.
 */
#ifndef MOEPLAN_CORE_CURVE_H
#define MOEPLAN_CORE_CURVE_H

#include "core/plan.h"

enum { CURVE_COLUMNS_MAX = 16, CURVE_POINTS_MAX = 2000 };

struct curve {
    size_t n_columns, n_rows;
    const char *column[CURVE_COLUMNS_MAX];
    double *value[CURVE_COLUMNS_MAX]; /* each n_rows */
};

/* Loss over N at fixed compute, one run of rows per allowed (E, best G):
 * columns experts, granularity, n_active, n_total, d_model, tokens, loss, loss_low, loss_high,
 * feasible (0/1: the other limits), optimum (1 at the row of the least loss of that E; that row is
 * the exact optimum), extrapolates (0/1). `points` per E, log-spaced in n_active over
 * [n_active_min, n_active_max], or over two decades round the optimum where those are NAN. */
enum err_code curve_isoflop(const struct plan_question *question, size_t points,
                            double n_active_min, double n_active_max, struct arena *arena,
                            struct curve *ret_curve, struct err *err);

#endif
