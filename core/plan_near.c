#include "core/plan_near.h"

#include <math.h>
#include <stdlib.h>

#include "core/plan_interval.h"
#include "core/plan_search.h"

enum { GRID = 256, NEWTON_MAX = 50 };

/* Of a loss, relative, with room: the ends of a range are shown, not built upon. */
static const double rounding = 1e-13;

struct above {
    const struct plan_cell *cell;
    double threshold;
};

/* How far the loss lies above the threshold; 0 within rounding, which ends the search. */
static double above_at(const void *ctx, double x)
{
    const struct above *above = (const struct above *)ctx;
    double d = exp(x), tokens = plan_least_tokens(above->cell, d), by;

    if (!(tokens > 0))
        return INFINITY;
    by = plan_cell_loss(above->cell, d, tokens) - above->threshold;
    return fabs(by) <= rounding * above->threshold ? 0 : by;
}

/* From `inside` towards `end`: the last argument at which the loss is below the threshold, which
 * for a cell that is not unimodal is looked for from the end inwards. */
static double edge(const struct above *above, double inside, double at_inside, double end)
{
    double out = end, at_out = above_at(above, end), in = inside, at_in = at_inside;

    if (at_out <= 0)
        return end;
    for (int i = 1; i < GRID && !above->cell->unimodal; i++) {
        double x = end + (inside - end) * i / GRID, value = above_at(above, x);

        if (value <= 0) {
            in = x;
            at_in = value;
            break;
        }
        out = x;
        at_out = value;
    }
    return plan_search_root(above_at, above, in, at_in, out, at_out);
}

/* The loss along a line of compute 6·N·D, relative to that of the best point, a function of s = ln
 * N/N_best: size·(e^(mu·s) − 1) + data·(e^(−nu·s) − 1), convex. */
struct powers {
    double size, mu, data, nu;
};

/* Where it reaches `gap` on the side of toward, ±1: by Newton's method from where its first terms
 * do, which from its second step on only comes nearer. NAN where it does not get there. */
static double powers_edge(const struct powers *p, double gap, double tolerance, double toward)
{
    double slope = p->size * p->mu - p->data * p->nu;
    double bend = p->size * p->mu * p->mu + p->data * p->nu * p->nu;
    double s = (toward * sqrt(slope * slope + 2 * bend * gap) - slope) / bend;

    for (int i = 0; i < NEWTON_MAX; i++) {
        double size = p->size * exp(p->mu * s), data = p->data * exp(-p->nu * s);
        double by = size - p->size + (data - p->data) - gap;

        if (fabs(by) <= tolerance)
            return s;
        s -= by / (size * p->mu - data * p->nu);
    }
    return NAN;
}

/* The range where nothing but compute limits tokens, and takes 6·N·D of them; false where that is
 * not so. */
static bool range_of_powers(const struct plan_cell *cell, const struct plan_point *best,
                            double threshold, double ret_n[2])
{
    const struct plan_limits *limits = cell->limits;
    const struct law_slice *slice = &cell->slice;
    double n = plan_poly_at(&cell->active, best->d_model), gap = threshold - best->loss;
    double least = plan_poly_at(&cell->active, cell->d_min), tolerance = rounding * threshold;
    double most = limits->compute_flops / SHAPE_TRAIN_FLOPS_PER_PARAM; /* for one token */
    struct powers powers;

    if (!cell->closed_form || most == INFINITY || limits->max_tokens < INFINITY ||
        limits->max_tokens_per_param < INFINITY || limits->min_tokens_per_param > 0)
        return false;
    powers = (struct powers){
        .size = slice->m[0] * exp(slice->mu[0] * log(n)),
        .mu = slice->mu[0],
        .data = slice->n * exp(slice->nu * log(best->tokens)),
        .nu = slice->nu,
    };
    if (cell->d_max < INFINITY)
        most = fmin(most, plan_poly_at(&cell->active, cell->d_max));
    ret_n[0] = n > least ? n * exp(powers_edge(&powers, gap, tolerance, -1)) : n;
    ret_n[1] = n < most ? n * exp(powers_edge(&powers, gap, tolerance, 1)) : n;
    if (!(ret_n[0] <= n && ret_n[1] >= n))
        return false;
    ret_n[0] = fmax(ret_n[0], fmin(n, least));
    ret_n[1] = fmin(ret_n[1], fmax(n, most));
    return true;
}

/* The least and the greatest N_act, tokens as plan_least_tokens says, whose loss is at most
 * `threshold`; best is the cell's least-loss point and lies below it. Where the cell is not
 * unimodal the set may have gaps between the two. */
static void find_range(const struct plan_cell *cell, const struct plan_point *best,
                       double threshold, double ret_n[2])
{
    const struct above above = {cell, threshold};
    double x, below = best->loss - threshold, low, high;

    if (range_of_powers(cell, best, threshold, ret_n))
        return;
    x = log(best->d_model);
    low = exp(edge(&above, x, below, log(cell->d_min)));
    high = exp(edge(&above, x, below, log(plan_least_d_max(cell))));
    ret_n[0] = plan_poly_at(&cell->active, fmin(best->d_model, low));
    ret_n[1] = plan_poly_at(&cell->active, fmax(best->d_model, high));
}

static int by_loss(const void *a, const void *b)
{
    const struct plan_near_optimal *x = a, *y = b;

    if (x->loss != y->loss)
        return x->loss < y->loss ? -1 : 1;
    if (x->experts != y->experts)
        return x->experts < y->experts ? -1 : 1;
    return (x->granularity > y->granularity) - (x->granularity < y->granularity);
}

/* The most that a near-optimal loss may be: within slack of the optimum's, or within its interval.
 */
static enum err_code find_threshold(const struct plan_question *question, struct arena *arena,
                                    struct plan_answer *answer, struct err *err)
{
    struct plan_configuration *optimum = &answer->optimum;

    if (question->model.n_draws > 0 && isnan(optimum->loss_interval[1])) {
        enum err_code code =
            plan_interval_fill(&question->model, question->level, &optimum, 1, arena, err);

        if (code != ERR_OK)
            return code;
    }
    answer->near_optimal_loss =
        fmax(optimum->loss * (1 + question->slack), optimum->loss_interval[1]);
    return ERR_OK;
}

/* Every (E, G) that reaches the threshold. For the objectives that aim at a loss, the compute (or
 * memory) of the optimum becomes a limit, so that the set is around the same optimum. */
static enum err_code fill_ranges(const struct plan_question *question,
                                 const struct plan_point *points, double cost, struct arena *arena,
                                 struct plan_answer *answer, struct err *err)
{
    size_t n = question->n_experts * question->n_granularity, count = 0;
    double threshold = answer->near_optimal_loss;
    struct plan_limits limits = question->limits;
    struct plan_near_optimal *near = arena_calloc(arena, n, sizeof *near);

    if (!near)
        return err_set(err, ERR_NO_MEMORY, "no room for %zu near-optimal configurations", n);
    if (question->objective == PLAN_LEAST_COMPUTE)
        limits.compute_flops = cost;
    else if (question->objective == PLAN_LEAST_MEMORY)
        limits.memory_bytes = cost;
    for (size_t k = 0; k < n; k++) {
        double experts = question->experts[k / question->n_granularity];
        double granularity = question->granularity[k % question->n_granularity];
        struct plan_point point = points[k];
        struct plan_cell cell;

        if ((experts <= 1 && k % question->n_granularity > 0) ||
            (question->objective == PLAN_LEAST_LOSS && !(point.loss <= threshold)))
            continue;
        plan_cell_init(&cell, &question->model, &limits, experts, granularity);
        if (question->objective != PLAN_LEAST_LOSS && plan_least_loss(&cell, &point) != PLAN_FOUND)
            continue;
        if (!(point.loss <= threshold))
            continue;
        near[count] = (struct plan_near_optimal){
            .experts = cell.experts, .granularity = cell.granularity, .loss = point.loss};
        find_range(&cell, &point, threshold, near[count++].n_active);
    }
    qsort(near, count, sizeof *near, by_loss);
    answer->near_optimal = near;
    answer->n_near_optimal = count;
    return ERR_OK;
}

enum err_code plan_near_fill(const struct plan_question *question, const struct plan_point *points,
                             double cost, struct arena *arena, struct plan_answer *answer,
                             struct err *err)
{
    enum err_code code = find_threshold(question, arena, answer, err);

    return code == ERR_OK ? fill_ranges(question, points, cost, arena, answer, err) : code;
}
