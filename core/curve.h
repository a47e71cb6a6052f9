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

/* Loss over model size at fixed compute: one run of rows per allowed E, ascending in n_active, at
 * the G that is best for that E under the question's limits (under compute alone where no G keeps
 * them). Columns experts, granularity, n_active, n_total, d_model, tokens, loss, loss_low,
 * loss_high (the question's level; NAN without draws), feasible (0/1: whether the other limits hold
 * there), optimum (0/1), extrapolates (0/1).
 *
 * tokens are what compute pays for, NAN (and loss with them) where it pays for none. `points` rows
 * are log-spaced in n_active over [n_active_min, n_active_max], or, where those are NAN, over two
 * decades round the least loss; one row more, marked optimum, is the exact least-loss configuration
 * under every limit, and is missing where none is feasible. Where a limit on tokens binds, its
 * tokens are fewer than compute would pay for.
 *
 * points in [2, CURVE_POINTS_MAX]. ERR_UNBOUNDED (field compute) without compute; ERR_UNSUPPORTED
 * as plan_solve; ERR_NO_MEMORY. */
enum err_code curve_isoflop(const struct plan_question *question, size_t points,
                            double n_active_min, double n_active_max, struct arena *arena,
                            struct curve *ret_curve, struct err *err);

#endif
