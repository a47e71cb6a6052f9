#include "core/plan_near.h"

#include <math.h>
#include <stdlib.h>

#include "core/plan_interval.h"
#include "core/plan_search.h"

enum { GRID = 256 };

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

void plan_near_range(const struct plan_cell *cell, const struct plan_point *best, double threshold,
                     double ret_d[2])
{
    const struct above above = {cell, threshold};
    double x = log(best->d_model), below = best->loss - threshold;

    ret_d[0] = fmin(best->d_model, exp(edge(&above, x, below, log(cell->d_min))));
    ret_d[1] = fmax(best->d_model, exp(edge(&above, x, below, log(plan_least_d_max(cell)))));
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
        double d[2];

        if ((experts <= 1 && k % question->n_granularity > 0) ||
            (question->objective == PLAN_LEAST_LOSS && !(point.loss <= threshold)))
            continue;
        plan_cell_init(&cell, &question->model, &limits, experts, granularity);
        if (question->objective != PLAN_LEAST_LOSS && plan_least_loss(&cell, &point) != PLAN_FOUND)
            continue;
        if (!(point.loss <= threshold))
            continue;
        plan_near_range(&cell, &point, threshold, d);
        near[count++] = (struct plan_near_optimal){
            .experts = cell.experts,
            .granularity = cell.granularity,
            .n_active = {plan_poly_at(&cell.active, d[0]), plan_poly_at(&cell.active, d[1])},
            .loss = point.loss,
        };
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
