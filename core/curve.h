/* curve: arrays for plots, from one fit.
 *
 * A curve is a table of named columns of doubles, NAN where a cell has no value. Pure; memory from
 * the arena.
 *
 * All but the contour share their columns, one configuration a row: experts, granularity, n_active,
 * n_total, d_model, tokens, loss, loss_low, loss_high (the question's level; NAN without draws),
 * feasible (0/1: every limit holds there), optimum (0/1), extrapolates (0/1) with the variable
 * furthest outside the fit's ranges (extrapolates_variable, an enum law_variable; NAN inside) and
 * its distance (extrapolates_distance, as of struct plan_extrapolation; 0 inside), flops (training
 * and inference), memory_bytes (serving).
 *
 * Errors of all: ERR_UNSUPPORTED as plan_solve; ERR_UNBOUNDED with the field to add; ERR_NO_MEMORY.
 * points must lie in [2, CURVE_POINTS_MAX].
 */
#ifndef MOEPLAN_CORE_CURVE_H
#define MOEPLAN_CORE_CURVE_H

#include "core/plan.h"

enum { CURVE_COLUMNS_MAX = 20, CURVE_POINTS_MAX = 2000 };

/* How far curves reach to either side of the optimum, or the budget, as a factor, unless told. */
enum { CURVE_REACH = 10 };

struct curve {
    size_t n_columns, n_rows;
    const char *column[CURVE_COLUMNS_MAX];
    double *value[CURVE_COLUMNS_MAX]; /* each n_rows */
};

/* Loss over model size at fixed compute: one run of rows per allowed E, ascending in n_active, at
 * the G that is best for that E under the question's limits (under compute alone where no G keeps
 * them).
 *
 * tokens are what compute pays for, NAN (and loss with them) where it pays for none. `points` rows
 * are log-spaced in n_active over [n_active_min, n_active_max], or, where those are NAN, over two
 * decades round the least loss; one row more, marked optimum, is the exact least-loss configuration
 * under every limit, and is missing where none is feasible. Where a limit on tokens binds, its
 * tokens are fewer than compute would pay for. Needs compute. */
enum err_code curve_isoflop(const struct plan_question *question, size_t points,
                            double n_active_min, double n_active_max, struct arena *arena,
                            struct curve *ret_curve, struct err *err);

/* Loss over tokens: one run of rows per allowed E, each at its own best G and model size under the
 * question's limits, which must leave something feasible for the E to be shown. Tokens log-spaced
 * over [tokens_min, tokens_max], by default a decade to either side of the optimum's; one row more
 * is that optimum. Rows beyond a limit are not feasible. */
enum err_code curve_tokens(const struct plan_question *question, size_t points, double tokens_min,
                           double tokens_max, struct arena *arena, struct curve *ret_curve,
                           struct err *err);

/* The least loss under the question's limits over E: the allowed values and `points` log-spaced
 * between the least and the greatest of them, each at its best G. The best allowed value is marked
 * optimum. E that do not fit have no row. */
enum err_code curve_experts(const struct plan_question *question, size_t points,
                            struct arena *arena, struct curve *ret_curve, struct err *err);

/* The optimum over compute, all other limits as given: N*(C), D*(C), E*(C), G*(C) and the least
 * loss, for `points` budgets log-spaced over [compute_min, compute_max] or, where those are NAN,
 * two decades round the question's. Budgets under which nothing fits have no row; where there is
 * none at all it is refused as a plan under the greatest of them. With limits on serving memory
 * given (n_memory > 0, ascending) one run of rows for each, in a column more, memory_limit: the
 * front of loss, compute and memory. */
enum err_code curve_frontier(const struct plan_question *question, size_t points,
                             double compute_min, double compute_max, const double *memory_bytes,
                             size_t n_memory, struct arena *arena, struct curve *ret_curve,
                             struct err *err);

/* Loss over (n_active, tokens) at one E and G: loss[i·n_tokens + j] at n_active[i], tokens[j], and
 * its interval at the question's level; NULL without draws. */
struct curve_contour {
    size_t n_sizes, n_tokens;
    double *n_active, *tokens, *loss;
    double *loss_low, *loss_high;
    double *tokens_by_compute; /* n_sizes: the compute line; NAN without compute and where it pays
                                  for none */
    double n_active_by_memory; /* the memory line: the most that serving memory holds; INFINITY */
};

/* sizes × tokens points log-spaced over the four bounds, at the question's first E and G; NAN
 * bounds stand for a decade to either side of its optimum. sizes·tokens at most CURVE_POINTS_MAX².
 * The model's draws make bands, each at each point: without them (n_draws 0) it is much faster. */
enum err_code curve_contour(const struct plan_question *question, size_t n_sizes, size_t n_tokens,
                            const double n_active[2], const double tokens[2], struct arena *arena,
                            struct curve_contour *ret_contour, struct err *err);

#endif
