#include "core/plan_search.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

enum { GRID = 256, STEPS_MAX = 200 };

static const double golden = 0.61803398874989485;

/* Below this a step in x = ln d_model is rounding. */
static double resolution(double x)
{
    return 1e-15 * fmax(1, fabs(x));
}

struct search {
    plan_search_function *f;
    const void *ctx;
    double x, least;
};

static double try_at(struct search *search, double x)
{
    double value = search->f(search->ctx, x);

    assert(!isnan(value));
    if (value < search->least) {
        search->least = value;
        search->x = x;
    }
    return value;
}

/* Golden sections down to rounding: kinks, where two limits meet, are minima too, and must be found
 * to the last digits for both to count as met. */
static void refine_minimum(struct search *search, double low, double high)
{
    double a = high - golden * (high - low), b = low + golden * (high - low);
    double at_a = try_at(search, a), at_b = try_at(search, b);

    for (int i = 0; i < STEPS_MAX && high - low > resolution(low); i++) {
        if (at_a <= at_b) {
            high = b;
            b = a;
            at_b = at_a;
            a = high - golden * (high - low);
            at_a = try_at(search, a);
        } else {
            low = a;
            a = b;
            at_a = at_b;
            b = low + golden * (high - low);
            at_b = try_at(search, b);
        }
    }
}

/* Between a finite and an infinite value: the last finite one, then the minimum up to there. */
static void refine_border(struct search *search, double inside, double outside)
{
    double start = inside;

    for (int i = 0; i < STEPS_MAX && fabs(outside - inside) > resolution(inside); i++) {
        double middle = inside + (outside - inside) / 2;

        if (try_at(search, middle) < INFINITY)
            inside = middle;
        else
            outside = middle;
    }
    if (start != inside)
        refine_minimum(search, fmin(start, inside), fmax(start, inside));
}

double plan_search_least(plan_search_function *f, const void *ctx, double low, double high,
                         double *ret_x)
{
    struct search search = {f, ctx, low, INFINITY};
    double value[GRID + 1], step = (high - low) / GRID;

    for (int i = 0; i <= GRID; i++)
        value[i] = try_at(&search, i == GRID ? high : low + i * step);
    for (int i = 0; i <= GRID && high > low; i++) {
        double left = i > 0 ? value[i - 1] : INFINITY;
        double right = i < GRID ? value[i + 1] : INFINITY;
        double at = low + i * step;

        if (value[i] == INFINITY)
            continue;
        if (i > 0 && left == INFINITY)
            refine_border(&search, at, at - step);
        if (i < GRID && right == INFINITY)
            refine_border(&search, at, at + step);
        if (value[i] <= left && value[i] <= right)
            refine_minimum(&search, fmax(low, at - step), fmin(high, at + step));
    }
    *ret_x = search.x;
    return search.least;
}

double plan_search_root(plan_search_function *f, const void *ctx, double inside, double f_inside,
                        double outside, double f_outside)
{
    double width = fabs(outside - inside);
    int side = 0;

    for (int i = 0; i < STEPS_MAX && fabs(outside - inside) > resolution(inside); i++) {
        double x = (inside * f_outside - outside * f_inside) / (f_outside - f_inside), value;
        bool slow = i % 4 == 3 && fabs(outside - inside) > width / 4;

        if (i % 4 == 3)
            width = fabs(outside - inside);
        /* The secant, unless it leaves the bracket or four steps of it have not quartered it. */
        if (slow || !(x > fmin(inside, outside) && x < fmax(inside, outside)))
            x = inside + (outside - inside) / 2;
        if (x == inside || x == outside)
            break;
        value = f(ctx, x);
        if (value <= 0) {
            inside = x;
            f_inside = value;
            if (side == 1)
                f_outside /= 2;
            side = 1;
            if (value == 0)
                break;
        } else {
            outside = x;
            f_outside = value;
            if (side == -1)
                f_inside /= 2;
            side = -1;
        }
    }
    return inside;
}
