#include "core/plan_spread.h"

#include <math.h>

#include "core/plan_bound.h"
#include "core/plan_draws.h"

/* The best cell of one draw, whose question this is: its index i·n_granularity + j, or
 * n_experts·n_granularity. The cost of *ret_point must be INFINITY before. */
static size_t best_cell(const struct plan_question *question, const struct plan_first *first,
                        double *ret_n_active, struct plan_point *ret_point)
{
    size_t none = question->n_experts * question->n_granularity, best = none;

    for (size_t k = 0; k < none; k++) {
        double experts = question->experts[k / question->n_granularity];
        struct plan_cell cell;
        struct plan_point point;

        if ((experts <= 1 && k % question->n_granularity > 0) || plan_first_beats(first, k) ||
            plan_first_solve(first, question, k, &cell, &point) != PLAN_FOUND ||
            !(point.cost < ret_point->cost))
            continue;
        best = k;
        *ret_point = point;
        *ret_n_active = plan_poly_at(&cell.active, point.d_model);
    }
    return best;
}

enum err_code plan_spread_fill(const struct plan_question *question, struct arena *arena,
                               struct plan_spread *ret_spread, struct err *err)
{
    size_t draws = question->model.n_draws;
    size_t cells = question->n_experts * question->n_granularity;
    size_t stride = question->model.law->n_coefficients, count = 0;
    struct plan_question of = *question; /* of a draw */
    struct plan_first first;
    enum err_code code;
    struct plan_spread spread = {.draws = draws};
    double *value = arena_alloc(arena, (3 * draws + 1) * sizeof *value);
    size_t *chosen = arena_calloc(arena, cells + 1, sizeof *chosen);

    spread.choice = arena_calloc(arena, cells, sizeof *spread.choice);
    if (!value || !chosen || !spread.choice)
        return err_set(err, ERR_NO_MEMORY, "no room for the optima of %zu draws", draws);
    of.parts = PLAN_SPREAD;
    code = plan_first_init(&first, &of, arena, err);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < draws; i++) {
        struct plan_point point = {.cost = INFINITY};
        size_t k;

        of.model.coefficient = question->model.draws + i * stride;
        plan_first_again(&first, &of);
        k = best_cell(&of, &first, &value[count], &point);
        chosen[k]++;
        if (k == cells)
            continue;
        value[draws + count] = point.tokens;
        value[2 * draws + count] = point.loss;
        count++;
    }
    spread.answered = count;
    plan_draws_quantiles(value, count, question->level, spread.n_active);
    plan_draws_quantiles(value + draws, count, question->level, spread.tokens);
    plan_draws_quantiles(value + 2 * draws, count, question->level, spread.loss);
    for (size_t k = 0; k < cells; k++) {
        double experts = question->experts[k / question->n_granularity];

        if (chosen[k] == 0)
            continue;
        spread.choice[spread.n_choices++] = (struct plan_choice){
            .experts = experts,
            .granularity = experts > 1 ? question->granularity[k % question->n_granularity] : 1,
            .share = (double)chosen[k] / (double)draws,
        };
    }
    *ret_spread = spread;
    return ERR_OK;
}
