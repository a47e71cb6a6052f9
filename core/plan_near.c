#include "core/plan_near.h"

#include <math.h>

#include "core/plan_search.h"

enum { GRID = 256 };

struct above {
    const struct plan_cell *cell;
    double threshold;
};

static double above_at(const void *ctx, double x)
{
    const struct above *above = (const struct above *)ctx;
    double tokens = plan_least_tokens(above->cell, exp(x));

    return tokens > 0 ? plan_cell_loss(above->cell, exp(x), tokens) - above->threshold : INFINITY;
}

/* From `inside` towards `end`: the last argument at which the loss is below the threshold, which
 * for a cell that is not unimodal is looked for from the end inwards. */
static double edge(const struct above *above, double inside, double end)
{
    double out = end, at_out = above_at(above, end), in = inside;

    if (at_out <= 0)
        return end;
    for (int i = 1; i < GRID && !above->cell->unimodal; i++) {
        double x = end + (inside - end) * i / GRID, value = above_at(above, x);

        if (value <= 0) {
            in = x;
            break;
        }
        out = x;
        at_out = value;
    }
    return plan_search_root(above_at, above, in, above_at(above, in), out, at_out);
}

void plan_near_range(const struct plan_cell *cell, const struct plan_point *best, double threshold,
                     double ret_d[2])
{
    const struct above above = {cell, threshold};
    double x = log(best->d_model);

    ret_d[0] = fmin(best->d_model, exp(edge(&above, x, log(cell->d_min))));
    ret_d[1] = fmax(best->d_model, exp(edge(&above, x, log(plan_least_d_max(cell)))));
}
