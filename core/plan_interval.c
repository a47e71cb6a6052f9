#include "core/plan_interval.h"

#include <math.h>

#include "core/near.h"
#include "core/plan_draws.h"

/* Configurations asked of all draws at once; and draws asked exactly for one quantile: FEW are
 * aimed at, MANY taken where rounding cannot tell more apart. */
enum { AT_ONCE = 16, FEW = 8, MANY = 128, CUTS = 4, NARROWINGS = 14 };

/* A model's draws column by column, and scratch for their losses. */
struct asked {
    const struct plan_model *model;
    const double *columns;
    double *loss;  /* of all draws */
    float *near;   /* at_once rows of stride; NULL: the law or the arena has none */
    size_t stride; /* a multiple of NEAR_LANES, >= n_draws */
    double level;
};

static enum err_code asked_init(struct asked *asked, const struct plan_model *model, double level,
                                size_t at_once, struct arena *arena, struct err *err)
{
    size_t n = model->law->n_coefficients, count = model->n_draws;
    size_t stride = (count + NEAR_LANES - 1) / NEAR_LANES * NEAR_LANES;
    double *block = arena_alloc(arena, (model->draw_columns ? 1 : n + 1) * count * sizeof *block);

    if (!block)
        return err_set(err, ERR_NO_MEMORY, "no room for the losses of %zu draws", count);
    *asked = (struct asked){
        .model = model,
        .columns = model->draw_columns,
        .loss = block,
        .stride = stride,
        .level = level,
    };
    if (model->law->losses_near && count > MANY)
        asked->near = arena_alloc(arena, at_once * stride * sizeof *asked->near);
    if (model->draw_columns)
        return ERR_OK;
    asked->columns = block + count;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < n; j++)
            block[(j + 1) * count + i] = model->draws[i * n + j];
    return ERR_OK;
}

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

static void interval_exactly(const struct asked *asked, const struct law_x *x, double ret[2])
{
    size_t count = asked->model->n_draws;

    law_losses(asked->model->law, asked->columns, count, x, asked->loss);
    plan_draws_quantiles(asked->loss, count, asked->level, ret);
}

LANES_INLINE void count_block(const float *value, float most, uint32_t count[NEAR_LANES])
{
    for (int i = 0; i < NEAR_LANES; i++)
        count[i] += value[i] <= most ? 1 : 0;
}

LANES_INLINE size_t sum_of(const uint32_t count[NEAR_LANES])
{
    uint32_t sum = 0;

    for (int i = 0; i < NEAR_LANES; i++)
        sum += count[i];
    return sum;
}

/* How many values are at most each of the thresholds. */
LANES_CLONES
static void count_at_most(const float *value, size_t stride, const float most[CUTS],
                          size_t ret_count[CUTS])
{
    uint32_t a[NEAR_LANES] = {0}, b[NEAR_LANES] = {0}, c[NEAR_LANES] = {0}, d[NEAR_LANES] = {0};
    const float at_a = most[0], at_b = most[1], at_c = most[2], at_d = most[3];

    for (size_t at = 0; at < stride; at += NEAR_LANES) {
        count_block(value + at, at_a, a);
        count_block(value + at, at_b, b);
        count_block(value + at, at_c, c);
        count_block(value + at, at_d, d);
    }
    ret_count[0] = sum_of(a);
    ret_count[1] = sum_of(b);
    ret_count[2] = sum_of(c);
    ret_count[3] = sum_of(d);
}

/* The places of the values in (low, high], at most MANY of them; MANY + 1 when there are more. And
 * how many are at most low. */
LANES_CLONES
static size_t gather(const float *value, size_t stride, float low, float high, size_t *ret_place,
                     size_t *ret_under)
{
    uint32_t under[NEAR_LANES] = {0};
    size_t n = 0;

    for (size_t at = 0; at < stride; at += NEAR_LANES) {
        uint32_t inside = 0; /* a bit for each */

        for (int i = 0; i < NEAR_LANES; i++) {
            float v = value[at + (size_t)i];

            under[i] += v <= low ? 1 : 0;
            inside |= ((v > low ? 1U : 0U) & (v <= high ? 1U : 0U)) << i;
        }
        for (; inside != 0; inside &= inside - 1) {
            if (n == MANY)
                return MANY + 1;
            ret_place[n++] = at + (size_t)__builtin_ctz(inside);
        }
    }
    *ret_under = 0;
    for (int i = 0; i < NEAR_LANES; i++)
        *ret_under += under[i];
    return n;
}

/* A range that holds the k-th smallest and the next; how many values are at most its ends. */
struct bracket {
    float low, high;
    size_t under, upto;
};

LANES_CLONES
static void find_range(const float *value, size_t count, float ret_range[2])
{
    float least[NEAR_LANES], most[NEAR_LANES];

    memcpy(least, value, sizeof least);
    memcpy(most, value, sizeof most);
    for (size_t at = 0; at + NEAR_LANES <= count; at += NEAR_LANES)
        for (int i = 0; i < NEAR_LANES; i++) {
            float v = value[at + (size_t)i];

            least[i] = v < least[i] ? v : least[i];
            most[i] = v > most[i] ? v : most[i];
        }
    for (size_t i = count - count % NEAR_LANES; i < count; i++) {
        least[0] = value[i] < least[0] ? value[i] : least[0];
        most[0] = value[i] > most[0] ? value[i] : most[0];
    }
    for (int i = 1; i < NEAR_LANES; i++) {
        least[0] = least[i] < least[0] ? least[i] : least[0];
        most[0] = most[i] > most[0] ? most[i] : most[0];
    }
    ret_range[0] = least[0];
    ret_range[1] = most[0];
}

/* By counting, which no branch of the data slows. */
static void cut(const float *value, size_t stride, const float at[CUTS], size_t k,
                struct bracket *bracket)
{
    size_t count[CUTS];

    count_at_most(value, stride, at, count);
    for (int j = 0; j < CUTS && count[j] <= k; j++) {
        bracket->low = at[j];
        bracket->under = count[j];
    }
    for (int j = CUTS - 1; j >= 0 && count[j] >= k + 2; j--) {
        bracket->high = at[j];
        bracket->upto = count[j];
    }
}

/* Where the quantile was of the configuration before: which draw, and how far around it a bracket
 * of few reached. The order of the draws changes little from one E to the next. */
struct guess {
    bool known;
    size_t place;
    float reach;
};

/* What one look around the guess tells: both ends, one, or none of them. */
static void look_around(const float *value, const struct asked *asked, const struct guess *guess,
                        size_t k, struct bracket *bracket)
{
    const float middle = value[guess->place], near = 8 * guess->reach, far = 32 * guess->reach;
    const float at[CUTS] = {middle - far, middle - near, middle + near, middle + far};

    cut(value, asked->stride, at, k, bracket);
}

/* The few that may be the k-th smallest and the next. */
static struct bracket narrow(const float *value, const struct asked *asked,
                             const struct guess *guess, size_t k)
{
    struct bracket bracket = {-INFINITY, INFINITY, 0, asked->model->n_draws};

    if (guess->known)
        look_around(value, asked, guess, k, &bracket);
    if (bracket.low == -INFINITY || bracket.high == INFINITY) {
        float range[2];

        find_range(value, asked->model->n_draws, range);
        bracket.low = fmaxf(bracket.low, range[0]);
        bracket.high = fminf(bracket.high, range[1]);
    }
    for (int i = 0; i < NARROWINGS && bracket.upto - bracket.under > FEW; i++) {
        float step = (bracket.high - bracket.low) / (CUTS + 1), at[CUTS];

        for (int j = 0; j < CUTS; j++)
            at[j] = bracket.low + step * (float)(j + 1);
        cut(value, asked->stride, at, k, &bracket);
    }
    return bracket;
}

/* The quantile that is `fraction` from the k-th smallest loss to the next; false where too many may
 * be these two. A loss further than 3·error from the range lies outside the two for certain. */
static bool quantile(const struct asked *asked, const struct law_x *x, const float *near,
                     double error, double probability, struct guess *guess, double *ret)
{
    const struct law *law = asked->model->law;
    size_t count = asked->model->n_draws, place[MANY], under, n;
    double at = probability * (double)(count - 1);
    double column[LAW_MAX_COEFFICIENTS * MANY], loss[MANY];
    size_t k = (size_t)at;
    struct bracket bracket = narrow(near, asked, guess, k);

    n = gather(near, asked->stride, bracket.low * (float)(1 - 4 * error),
               bracket.high * (float)(1 + 4 * error), place, &under);
    if (n > MANY)
        return false;
    *guess = (struct guess){true, place[n / 2], (bracket.high - bracket.low) / 2};
    for (size_t j = 0; j < law->n_coefficients; j++)
        for (size_t i = 0; i < n; i++)
            column[j * n + i] = asked->columns[j * count + place[i]];
    law_losses(law, column, n, x, loss);
    *ret = plan_draws_between(loss, n, k - under, at - (double)k);
    return true;
}

enum err_code plan_interval_fill(const struct plan_model *model, double level,
                                 struct plan_configuration *const *configurations, size_t count,
                                 struct arena *arena, struct err *err)
{
    const double error_max = 1e-3, low = (1 - level) / 2;
    struct guess guess[2] = {{.known = false}, {.known = false}};
    struct asked asked;
    enum err_code code =
        asked_init(&asked, model, level, count < AT_ONCE ? count : AT_ONCE, arena, err);

    for (size_t from = 0; code == ERR_OK && from < count; from += AT_ONCE) {
        size_t n = count - from < AT_ONCE ? count - from : AT_ONCE;
        struct law_x x[AT_ONCE];
        double error = INFINITY;
        bool nearly;

        for (size_t k = 0; k < n; k++)
            x[k] = x_of(configurations[from + k]);
        nearly = asked.near &&
                 model->law->losses_near(asked.columns, model->n_draws, x, n, asked.stride,
                                         asked.near, &error) &&
                 error < error_max;
        for (size_t k = 0; k < n; k++) {
            const float *near = nearly ? asked.near + k * asked.stride : NULL;
            double *interval = configurations[from + k]->loss_interval;

            if (!nearly || !quantile(&asked, &x[k], near, error, low, &guess[0], &interval[0]) ||
                !quantile(&asked, &x[k], near, error, 1 - low, &guess[1], &interval[1]))
                interval_exactly(&asked, &x[k], interval);
        }
    }
    return code;
}
