#include "core/plan_near.h"

#include <math.h>

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
