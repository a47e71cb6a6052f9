#include "core/plan_refusal.h"

#include <math.h>

enum { BISECTIONS = 100 };

/* Where each limit stands in plan_limits, its unit, and on which side of it answers lie. */
struct limit_row {
    enum plan_limit limit;
    size_t offset;
    const char *unit;
    bool is_floor;
};

static const struct limit_row limit_table[] = {
    {PLAN_LIMIT_COMPUTE, offsetof(struct plan_limits, compute_flops), "FLOPs", false},
    {PLAN_LIMIT_MEMORY, offsetof(struct plan_limits, memory_bytes), "bytes", false},
    {PLAN_LIMIT_TRAIN_MEMORY, offsetof(struct plan_limits, train_memory_bytes), "bytes", false},
    {PLAN_LIMIT_MAX_TOKENS, offsetof(struct plan_limits, max_tokens), "tokens", false},
    {PLAN_LIMIT_MAX_N_ACTIVE, offsetof(struct plan_limits, max_n_active), "parameters", false},
    {PLAN_LIMIT_MIN_TOKENS_PER_PARAM, offsetof(struct plan_limits, min_tokens_per_param),
     "tokens per active parameter", true},
    {PLAN_LIMIT_MAX_TOKENS_PER_PARAM, offsetof(struct plan_limits, max_tokens_per_param),
     "tokens per active parameter", false},
};
enum { LIMIT_ROWS = sizeof limit_table / sizeof limit_table[0] };

static double *limit_at(struct plan_limits *limits, const struct limit_row *row)
{
    return (double *)(void *)((char *)limits + row->offset);
}

/* A value as it is shown: six digits, rounded so that whoever takes it at its word is answered. */
static double shown(double value, bool upwards)
{
    double unit = pow(10, floor(log10(value)) - 5), digits = value / unit;

    digits = upwards ? ceil(digits - 1e-9) : floor(digits + 1e-9);
    return isfinite(unit) && unit > 0 ? digits * unit : value;
}

/* ---- Limits that leave no room for the smallest model -----------------------------------------
 */

/* The greatest min_tokens_per_param at which the smallest model fits, or NAN when that is not what
 * stands in its way. */
static double floor_that_fits(const struct plan_cell *cell)
{
    const struct plan_limits *limits = cell->limits;
    struct plan_limits without = *limits;
    struct plan_cell relaxed = *cell;
    double active = plan_poly_at(&cell->active, cell->d_min), used[PLAN_LIMIT_COUNT];

    without.min_tokens_per_param = 0;
    relaxed.limits = &without;
    if (limits->min_tokens_per_param == 0 || plan_cell_broken(&relaxed, cell->d_min, 1, used) != 0)
        return NAN;
    return plan_cell_tokens_most(&relaxed, cell->d_min) / active;
}

static void refuse_smallest(const struct plan_cell *cell, unsigned broken, const double *used,
                            struct err *err)
{
    double floor = floor_that_fits(cell);

    for (size_t k = 0; k < LIMIT_ROWS; k++) {
        const struct limit_row *row = &limit_table[k];

        if (broken & 1U << row->limit)
            err_add(err, ERR_INFEASIBLE, ERR_AT_PARAMETER, plan_limit_name(row->limit), 0,
                    "the least that would fit is %.6g %s: one layer, d_model %.6g, E = %.6g, "
                    "tokens %.6g",
                    shown(used[row->limit], true), row->unit, cell->d_min, cell->experts,
                    plan_cell_tokens_least(cell, cell->d_min));
    }
    if (floor > 0)
        err_add(err, ERR_INFEASIBLE, ERR_AT_PARAMETER,
                plan_limit_name(PLAN_LIMIT_MIN_TOKENS_PER_PARAM), 0,
                "the most that would fit is %.6g tokens per active parameter", shown(floor, false));
}

/* ---- Limits that keep the loss above the target -----------------------------------------------
 */

/* The value of a limit, as near as may be to the given one, at which the cell reaches the target;
 * NAN when none does. `bound` is the best value another cell has reached, or NAN: where the cell
 * does not reach the target with that, nothing is searched. */
static double value_that_reaches(const struct plan_question *question, const struct plan_cell *cell,
                                 const struct limit_row *row, double bound)
{
    struct plan_limits limits = *cell->limits;
    struct plan_cell relaxed;
    struct plan_point point;
    double given = *limit_at(&limits, row), bad = log(given), good;

    if (given == INFINITY || given == 0)
        return NAN;
    good = isnan(bound) ? bad + (row->is_floor ? -1 : 1) : log(bound);
    for (int i = 0; i < BISECTIONS && fabs(good - bad) > 1e-13 * fabs(bad); i++) {
        double x = good;

        /* Out in doubling steps until the target is reached, then in by halves. */
        *limit_at(&limits, row) = exp(x);
        plan_cell_init(&relaxed, &question->model, &limits, cell->experts, cell->granularity);
        if (plan_least(&relaxed, question->objective, question->target_loss, &point) == PLAN_FOUND)
            break;
        if (!isnan(bound) || fabs(x) > 600)
            return NAN;
        good = x + 2 * (x - bad);
        bad = x;
    }
    for (int i = 0; i < BISECTIONS && fabs(good - bad) > 1e-13 * fabs(bad); i++) {
        double x = bad + (good - bad) / 2;

        *limit_at(&limits, row) = exp(x);
        plan_cell_init(&relaxed, &question->model, &limits, cell->experts, cell->granularity);
        if (plan_least(&relaxed, question->objective, question->target_loss, &point) == PLAN_FOUND)
            good = x;
        else
            bad = x;
    }
    return exp(good);
}

static void refuse_target(const struct plan_question *question, struct err *err)
{
    double reachable = INFINITY, value[LIMIT_ROWS];

    for (size_t k = 0; k < LIMIT_ROWS; k++)
        value[k] = NAN;
    for (size_t i = 0; i < question->n_experts; i++) {
        for (size_t j = 0; j < question->n_granularity; j++) {
            struct plan_cell cell;

            if (question->experts[i] <= 1 && j > 0)
                continue;
            plan_cell_init(&cell, &question->model, &question->limits, question->experts[i],
                           question->granularity[j]);
            reachable = fmin(reachable, plan_least_reachable(&cell));
            for (size_t k = 0; k < LIMIT_ROWS; k++) {
                double v = value_that_reaches(question, &cell, &limit_table[k], value[k]);

                if (!isnan(v))
                    value[k] = v;
            }
        }
    }
    err_add(err, ERR_INFEASIBLE, ERR_AT_PARAMETER, plan_limit_name(PLAN_LIMIT_TARGET_LOSS), 0,
            "out of reach: under the other limits the loss stays above %.9g", reachable);
    for (size_t k = 0; k < LIMIT_ROWS; k++)
        if (!isnan(value[k]))
            err_add(err, ERR_INFEASIBLE, ERR_AT_PARAMETER, plan_limit_name(limit_table[k].limit), 0,
                    "the %s that would reach the target loss is %.6g %s",
                    limit_table[k].is_floor ? "most" : "least",
                    shown(value[k], !limit_table[k].is_floor), limit_table[k].unit);
}

/* -----------------------------------------------------------------------------------------------
 */

void plan_refusal_of_cell(const struct plan_cell *cell, const struct plan_question *question,
                          enum plan_limit *ret_violated, double *ret_least)
{
    double used[PLAN_LIMIT_COUNT];
    unsigned broken =
        plan_cell_broken(cell, cell->d_min, plan_cell_tokens_least(cell, cell->d_min), used);

    for (size_t k = 0; k < LIMIT_ROWS; k++) {
        if (broken & 1U << limit_table[k].limit) {
            *ret_violated = limit_table[k].limit;
            *ret_least = used[*ret_violated];
            return;
        }
    }
    *ret_violated = PLAN_LIMIT_TARGET_LOSS;
    *ret_least = question->objective == PLAN_LEAST_LOSS ? NAN : plan_least_reachable(cell);
}

enum err_code plan_refuse(const struct plan_question *question, struct err *err)
{
    struct plan_cell cell;
    double used[PLAN_LIMIT_COUNT];
    unsigned broken;

    /* The fewest experts and the coarsest need least of everything. */
    plan_cell_init(&cell, &question->model, &question->limits, question->experts[0],
                   question->granularity[0]);
    broken = plan_cell_broken(&cell, cell.d_min, plan_cell_tokens_least(&cell, cell.d_min), used);
    if (broken) {
        err_set(err, ERR_INFEASIBLE, "not even the smallest model keeps the limits");
        refuse_smallest(&cell, broken, used, err);
    } else if (question->objective == PLAN_LEAST_LOSS || !cell.finite) {
        err_set(err, ERR_UNSUPPORTED, "the coefficients of this fit give no finite loss");
    } else {
        err_set(err, ERR_INFEASIBLE, "no configuration reaches a loss of %.9g under these limits",
                question->target_loss);
        refuse_target(question, err);
    }
    return err->code;
}
