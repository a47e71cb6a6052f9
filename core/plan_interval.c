#include "core/plan_interval.h"

#include <math.h>
#include <string.h>

#include "core/law_near.h"
#include "core/plan_draws.h"
#include "core/plan_quantile.h"

/* Configurations asked of all draws at once, and draws asked exactly for a quantile. */
enum { AT_ONCE = 16, MANY = PLAN_QUANTILE_MANY };

/* A model's draws, and room for their losses. */
struct asked {
    const struct plan_model *model;
    const struct law_near *near; /* NULL: the law or the arena has none */
    float *value;                /* of near: AT_ONCE rows of near->stride */
    uint8_t *mark;               /* of near: a row */
    double *exact;               /* the draws column by column and a row of losses; NULL at first */
    double level;
    struct arena *arena;
};

static struct law_x x_of(const struct plan_configuration *c)
{
    const struct obs obs = {
        .n_active = c->n_active,
        .n_total = c->n_total,
        .tokens = c->tokens,
        .experts = c->experts,
        .granularity = c->granularity,
    };

    return law_x_from_obs(&obs);
}

/* Columns of draws, as law_losses wants them: of those at `place`, or (NULL) of the first. */
static void copy_columns(const struct plan_model *model, const size_t *place, size_t count,
                         double *ret_column)
{
    size_t n = model->law->n_coefficients;

    for (size_t i = 0; i < count; i++) {
        const double *draw = model->draws + (place ? place[i] : i) * n;

        for (size_t j = 0; j < n; j++)
            ret_column[j * count + i] = draw[j];
    }
}

static enum err_code interval_exactly(struct asked *asked, const struct law_x *x, double ret[2],
                                      struct err *err)
{
    const struct plan_model *model = asked->model;
    size_t count = model->n_draws, columns = model->law->n_coefficients * count;

    if (!asked->exact) {
        asked->exact = arena_alloc(asked->arena, (columns + count) * sizeof *asked->exact);
        if (!asked->exact)
            return err_set(err, ERR_NO_MEMORY, "no room for the losses of %zu draws", count);
        copy_columns(model, NULL, count, asked->exact);
    }
    law_losses(model->law, asked->exact, count, x, asked->exact + columns);
    plan_draws_quantiles(asked->exact + columns, count, asked->level, ret);
    return ERR_OK;
}

/* From what is nearly the losses at x, within `error`; false where too many may be the ones looked
 * for. */
static bool interval_nearly(const struct asked *asked, const struct law_x *x, const float *value,
                            double error, struct plan_quantile q[2], double ret[2])
{
    const struct law_near *near = asked->near;
    size_t place[2 * MANY], n = 0;
    double column[LAW_MAX_COEFFICIENTS * 2 * MANY], loss[2 * MANY];

    if (!plan_quantile_find(value, near->count, near->stride, error, asked->mark, q))
        return false;
    for (int i = 0; i < 2; i++) {
        memcpy(place + n, q[i].place, q[i].n * sizeof *place);
        n += q[i].n;
    }
    copy_columns(asked->model, place, n, column);
    law_losses(asked->model->law, column, n, x, loss);
    for (int i = 0; i < 2; i++)
        ret[i] = plan_draws_between(i == 0 ? loss : loss + q[0].n, q[i].n, q[i].k - q[i].under,
                                    q[i].fraction);
    return true;
}

/* Without `near`, or room for it, everything is asked exactly. */
static void asked_init(struct asked *asked, const struct plan_model *model, double level,
                       struct law_near *near, size_t at_once, struct arena *arena)
{
    size_t count = model->n_draws;

    *asked = (struct asked){.model = model, .near = model->near, .level = level, .arena = arena};
    if (count <= MANY)
        asked->near = NULL;
    else if (!asked->near && law_near_room(model->law, count) > 0) {
        float *room = arena_alloc(arena, law_near_room(model->law, count) * sizeof *room);

        if (room && law_near_init(near, model->law, model->draws, count, room))
            asked->near = near;
    }
    if (!asked->near)
        return;
    asked->value = arena_alloc(arena, at_once * asked->near->stride * sizeof *asked->value);
    asked->mark = arena_alloc(arena, asked->near->stride);
    if (!asked->value || !asked->mark)
        asked->near = NULL;
}

enum err_code plan_interval_fill(const struct plan_model *model, double level,
                                 struct plan_configuration *const *configurations, size_t count,
                                 struct arena *arena, struct err *err)
{
    const double error_max = 1e-3, low = (1 - level) / 2;
    struct plan_quantile q[2] = {plan_quantile_at(low, model->n_draws),
                                 plan_quantile_at(1 - low, model->n_draws)};
    struct law_near near;
    struct asked asked;
    enum err_code code = ERR_OK;

    asked_init(&asked, model, level, &near, count < AT_ONCE ? count : AT_ONCE, arena);
    for (size_t from = 0; code == ERR_OK && from < count; from += AT_ONCE) {
        size_t n = count - from < AT_ONCE ? count - from : AT_ONCE;
        struct law_x x[AT_ONCE];
        double error = INFINITY;
        bool nearly;

        for (size_t k = 0; k < n; k++)
            x[k] = x_of(configurations[from + k]);
        nearly = asked.near && model->law->near->losses(asked.near, x, n, asked.value, &error) &&
                 error < error_max;
        for (size_t k = 0; code == ERR_OK && k < n; k++) {
            const float *value = nearly ? asked.value + k * asked.near->stride : NULL;
            double *interval = configurations[from + k]->loss_interval;

            if (!nearly || !interval_nearly(&asked, &x[k], value, error, q, interval))
                code = interval_exactly(&asked, &x[k], interval, err);
        }
    }
    return code;
}
