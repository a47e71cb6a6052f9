#include "core/plan_least.h"

#include <math.h>

#include "core/plan_search.h"

enum { NEWTON_MAX = 100 };

/* Of tokens, as PLAN_D_MODEL_ENDLESS of d_model. */
static const double tokens_endless = 1e250;

/* ---- The balance --------------------------------------------------------------------------------
 * Along a path D(d) the loss Σ m·N^mu + n·D^nu is stationary under equal compute where
 *     ln(Σ |m·mu|·N^mu · e_N) = ln(|n·nu|·D^nu · e_D),
 *     e_N = d ln N/d ln d,  e_D = −d ln D/d ln d at equal compute = e_F + w·e_A,
 *     w = 2·N_act·D_inf/(F·D),  F FLOPs per token, A = N_act.
 * Paths of equal compute and of equal loss are tangent exactly there. */
struct balance {
    double value, slope; /* left minus right, and its derivative by ln d along the path */
};

struct path {
    const struct plan_cell *cell;
    bool equal_loss;    /* else equal compute */
    double target_loss; /* equal loss: the loss */
};

/* Tokens on the path and s = −d ln D/d ln d along it; tokens <= 0 where d is too large (equal
 * compute), INFINITY where it is too small (equal loss). */
static double path_tokens(const struct path *path, double d_model, const struct plan_moments *size,
                          double *ret_decline)
{
    const struct law_slice *slice = &path->cell->slice;
    double rest = path->target_loss - slice->c, slope = 0;

    *ret_decline = NAN;
    if (!path->equal_loss)
        return plan_cell_tokens_by_compute(path->cell, d_model);
    for (size_t j = 0; j < slice->n_size_terms; j++) {
        double term = slice->m[j] * pow(size->value, slice->mu[j]);

        rest -= term;
        slope -= term * slice->mu[j] * size->elasticity;
    }
    if (!(rest > 0))
        return INFINITY;
    *ret_decline = -slope / (rest * slice->nu);
    return pow(rest / slice->n, 1 / slice->nu);
}

static struct balance balance_at(const struct path *path, double d_model)
{
    const struct plan_cell *cell = path->cell;
    const struct law_slice *slice = &cell->slice;
    struct plan_moments size = plan_poly_moments(&cell->size, d_model);
    struct plan_moments flops = plan_poly_moments(&cell->flops, d_model);
    double ln_size = log(size.value), ln_gain, ln_gain_slope = slice->mu[0] * size.elasticity;
    double decline, tokens = path_tokens(path, d_model, &size, &decline);
    double e_d = flops.elasticity, bend = flops.bend;

    if (!(tokens > 0 && tokens < INFINITY))
        return (struct balance){tokens > 0 ? INFINITY : -INFINITY, NAN};
    if (cell->limits->inference_tokens > 0) {
        struct plan_moments active = plan_poly_moments(&cell->active, d_model);
        double weight = SHAPE_INFERENCE_FLOPS_PER_PARAM * active.value *
                        cell->limits->inference_tokens / (flops.value * tokens);

        e_d += weight * active.elasticity;
        if (!path->equal_loss)
            decline = e_d;
        bend += weight * (active.bend +
                          (active.elasticity - flops.elasticity + decline) * active.elasticity);
    } else if (!path->equal_loss) {
        decline = e_d;
    }
    ln_gain = log(-slice->m[0] * slice->mu[0]) + slice->mu[0] * ln_size;
    if (slice->n_size_terms > 1) {
        double sum = 0, moment = 0;

        for (size_t j = 0; j < slice->n_size_terms; j++) {
            double gain = -slice->m[j] * slice->mu[j] * exp(slice->mu[j] * ln_size);

            sum += gain;
            moment += gain * slice->mu[j];
        }
        ln_gain = log(sum);
        ln_gain_slope = moment / sum * size.elasticity;
    }
    return (struct balance){
        .value =
            ln_gain - log(-slice->n * slice->nu * e_d / size.elasticity) - slice->nu * log(tokens),
        .slope = ln_gain_slope + size.bend / size.elasticity + slice->nu * decline - bend / e_d,
    };
}

/* The d_model in [low, high] where the balance changes from positive to negative, or the end it
 * does not reach. low > 0; high may be INFINITY. */
static double balance_root(const struct path *path, double start, double low, double high)
{
    bool low_tried = false, high_tried = false;
    double d = fmin(fmax(start, low), high);

    for (int i = 0; i < NEWTON_MAX; i++) {
        struct balance balance = balance_at(path, d);
        double next = d * exp(-balance.value / balance.slope);

        if (balance.value == 0)
            return d;
        if (balance.value > 0) {
            if (d >= high)
                return high;
            low = d;
            low_tried = true;
        } else {
            if (d <= low && !low_tried)
                return low;
            high = d;
            high_tried = true;
        }
        if (!(balance.slope < 0 && next > low && next < high)) {
            if (balance.value > 0 && !high_tried)
                next = high < INFINITY ? high : d * 16;
            else if (balance.value < 0 && !low_tried)
                next = low;
            else
                next = sqrt(low) * sqrt(high);
        }
        /* The error of a Newton step is of the order of its square. */
        if (fabs(next - d) <= 1e-9 * d)
            return next;
        d = next;
    }
    return d;
}

/* The closed form of plan_closed_form_solve, with N in place of N_total by their ratio and the
 * embedding's linear term neglected where they differ: exact for cell->closed_form, else a start.
 */
static double start_at_compute(const struct plan_cell *cell)
{
    const struct law_slice *slice = &cell->slice;
    double mu = slice->mu[0], nu = slice->nu;
    double scale = cell->size.c3 / cell->active.c3;
    double ln_ratio = log(mu * slice->m[0] / (nu * slice->n)) + mu * log(scale);
    double ln_budget = log(cell->limits->compute_flops / SHAPE_TRAIN_FLOPS_PER_PARAM);

    return plan_poly_root(&cell->active, exp((nu * ln_budget - ln_ratio) / (mu + nu)));
}

/* At the optimum the terms stand as nu to mu, so that the size term is (L − c)·nu/(mu + nu). */
static double start_at_loss(const struct plan_cell *cell, double target_loss)
{
    const struct law_slice *slice = &cell->slice;
    double mu = slice->mu[0], nu = slice->nu;
    double term = (target_loss - slice->c) * nu / (mu + nu);

    return plan_poly_root(&cell->size, pow(term / slice->m[0], 1 / mu));
}

/* ---- Least loss ------------------------------------------------------------------------------ */

double plan_least_d_max(const struct plan_cell *cell)
{
    const struct plan_limits *limits = cell->limits;
    double d_max = cell->d_max;

    if (limits->compute_flops == INFINITY)
        return d_max;
    d_max = fmin(d_max, plan_cell_d_by_compute(cell, limits->compute_flops, 1, 0));
    if (limits->min_tokens_per_param > 0)
        d_max = fmin(d_max, plan_cell_d_by_compute(cell, limits->compute_flops, 0,
                                                   limits->min_tokens_per_param));
    return fmax(d_max, cell->d_min);
}

double plan_least_tokens(const struct plan_cell *cell, double d_model)
{
    double least = plan_cell_tokens_least(cell, d_model);
    double most = plan_cell_tokens_most(cell, d_model);

    if (!(most >= least * (1 - 1e-12)))
        return NAN;
    return cell->appetite == PLAN_MORE_TOKENS ? most : least;
}

static enum plan_outcome found(const struct plan_cell *cell, double d_model, double tokens,
                               struct plan_point *ret)
{
    double loss = plan_cell_loss(cell, d_model, tokens);

    if (!(loss < INFINITY))
        return PLAN_NOTHING;
    *ret = (struct plan_point){d_model, tokens, loss, loss};
    return PLAN_FOUND;
}

static enum plan_outcome least_loss_unimodal(const struct plan_cell *cell, struct plan_point *ret)
{
    const struct plan_limits *limits = cell->limits;
    const struct path path = {.cell = cell};
    double d = cell->d_max, tokens, cap;

    if (limits->compute_flops == INFINITY) {
        cap = plan_cell_tokens_cap(cell, d);
        return d < INFINITY && cap < INFINITY ? found(cell, d, cap, ret) : PLAN_ENDLESS;
    }
    if (cell->closed_form)
        d = fmax(cell->d_min, fmin(d, start_at_compute(cell)));
    else
        d = balance_root(&path, start_at_compute(cell), cell->d_min, cell->d_max);
    tokens = plan_cell_tokens_by_compute(cell, d);
    cap = plan_cell_tokens_cap(cell, d);
    if (tokens > cap) {
        /* Compute is left over here: a larger model is better until compute or d_max binds. */
        double up = d;

        if (limits->max_tokens < INFINITY)
            up = fmax(up,
                      plan_cell_d_by_compute(cell, limits->compute_flops, limits->max_tokens, 0));
        if (limits->max_tokens_per_param < INFINITY)
            up = fmax(up, plan_cell_d_by_compute(cell, limits->compute_flops, 0,
                                                 limits->max_tokens_per_param));
        d = fmin(up, cell->d_max);
        tokens = plan_cell_tokens_most(cell, d);
    }
    if (tokens < plan_cell_tokens_least(cell, d)) {
        /* Too large for the fewest tokens allowed: the largest that is not. */
        d = fmin(d, plan_least_d_max(cell));
        tokens = fmin(plan_cell_tokens_least(cell, d), plan_cell_tokens_cap(cell, d));
    }
    return found(cell, d, tokens, ret);
}

static double loss_at(const void *ctx, double x)
{
    const struct plan_cell *cell = (const struct plan_cell *)ctx;
    double tokens = plan_least_tokens(cell, exp(x));

    return tokens > 0 ? plan_cell_loss(cell, exp(x), tokens) : INFINITY;
}

static enum plan_outcome least_loss_global(const struct plan_cell *cell, struct plan_point *ret)
{
    double d_max = plan_least_d_max(cell), d, x;
    bool endless = d_max > PLAN_D_MODEL_ENDLESS;
    double high = log(endless ? PLAN_D_MODEL_ENDLESS : d_max);

    if (cell->appetite == PLAN_MORE_TOKENS && plan_cell_tokens_most(cell, cell->d_min) == INFINITY)
        return PLAN_ENDLESS;
    if (plan_search_least(loss_at, cell, log(cell->d_min), high, &x) == INFINITY)
        return PLAN_NOTHING;
    if (endless && x > high - 1)
        return PLAN_ENDLESS;
    d = fmin(fmax(exp(x), cell->d_min), d_max);
    return found(cell, d, plan_least_tokens(cell, d), ret);
}

enum plan_outcome plan_least_loss(const struct plan_cell *cell, struct plan_point *ret)
{
    if (!cell->feasible || !cell->finite)
        return PLAN_NOTHING;
    return cell->unimodal ? least_loss_unimodal(cell, ret) : least_loss_global(cell, ret);
}

double plan_least_reachable(const struct plan_cell *cell)
{
    struct plan_point point;
    double d = plan_least_d_max(cell);
    enum plan_outcome outcome = plan_least_loss(cell, &point);

    if (outcome == PLAN_FOUND)
        return point.loss;
    if (outcome == PLAN_NOTHING)
        return INFINITY;
    /* Powers of infinity are exact here: N^mu and D^nu are 0. */
    if (cell->unimodal)
        return plan_cell_loss(cell, d, plan_cell_tokens_cap(cell, d));
    d = fmin(d, PLAN_D_MODEL_ENDLESS);
    return plan_cell_loss(cell, d, fmin(plan_least_tokens(cell, d), tokens_endless));
}

/* ---- Least compute and least memory for a loss ------------------------------------------------
 */

struct aim {
    const struct plan_cell *cell;
    double target_loss;
    double (*tokens)(const struct plan_cell *cell, double d_model);
};

/* How far the loss lies above the target at the tokens of a rule. */
static double excess_at(const void *ctx, double x)
{
    const struct aim *aim = (const struct aim *)ctx;
    double tokens = aim->tokens(aim->cell, exp(x));

    return tokens > 0 ? plan_cell_loss(aim->cell, exp(x), tokens) - aim->target_loss : INFINITY;
}

/* The d_model between d_out, where the target is missed, and d_in, where it is met, at which it is
 * just met. */
static double d_at_target(const struct aim *aim, double d_out, double d_in)
{
    double out = log(d_out), in = log(d_in);
    double x = plan_search_root(excess_at, aim, in, excess_at(aim, in), out, excess_at(aim, out));

    return x == in ? d_in : exp(x);
}

static enum plan_outcome least_compute_unimodal(const struct plan_cell *cell, double target_loss,
                                                struct plan_point *ret)
{
    const struct path path = {.cell = cell, .equal_loss = true, .target_loss = target_loss};
    struct aim aim = {.cell = cell, .target_loss = target_loss};
    double d_end = fmin(cell->d_max, PLAN_D_MODEL_ENDLESS), d, tokens, decline;
    struct plan_moments size;

    if (!(target_loss > cell->slice.c))
        return PLAN_NOTHING;
    d = balance_root(&path, start_at_loss(cell, target_loss), cell->d_min, cell->d_max);
    size = plan_poly_moments(&cell->size, d);
    tokens = path_tokens(&path, d, &size, &decline);
    if (tokens > plan_cell_tokens_cap(cell, d)) {
        /* More tokens than there are: the smallest model that does with fewer. */
        aim.tokens = plan_cell_tokens_cap;
        if (!(excess_at(&aim, log(d_end)) <= 0))
            return PLAN_NOTHING;
        d = d_at_target(&aim, d, d_end);
        tokens = plan_cell_tokens_cap(cell, d);
    }
    if (tokens < plan_cell_tokens_least(cell, d)) {
        /* Fewer than may be: the smallest model that the fewest tokens bring to the target. */
        aim.tokens = plan_cell_tokens_least;
        d = excess_at(&aim, log(cell->d_min)) <= 0 ? cell->d_min
                                                   : d_at_target(&aim, cell->d_min, d);
        tokens = plan_cell_tokens_least(cell, d);
    }
    if (!(tokens < INFINITY) || found(cell, d, tokens, ret) != PLAN_FOUND)
        return PLAN_NOTHING;
    ret->cost = plan_cell_compute(cell, d, tokens);
    return ret->cost <= cell->limits->compute_flops * (1 + 1e-12) ? PLAN_FOUND : PLAN_NOTHING;
}

/* The fewest tokens within the limits that reach the target at d_model, or NAN. */
static double tokens_for_target(const struct plan_cell *cell, double target_loss, double d_model)
{
    const struct law_slice *slice = &cell->slice;
    double least = plan_cell_tokens_least(cell, d_model);
    double most = plan_cell_tokens_most(cell, d_model), rest = target_loss - slice->c, size;

    if (!(most >= least * (1 - 1e-12)))
        return NAN;
    if (plan_cell_loss(cell, d_model, least) <= target_loss)
        return least;
    if (cell->appetite != PLAN_MORE_TOKENS)
        return NAN;
    size = plan_poly_at(&cell->size, d_model);
    for (size_t j = 0; j < slice->n_size_terms; j++)
        rest -= slice->m[j] * pow(size, slice->mu[j]);
    least = fmax(least, pow(rest / slice->n, 1 / slice->nu));
    return least <= most ? least : NAN;
}

static double compute_at(const void *ctx, double x)
{
    const struct aim *aim = (const struct aim *)ctx;
    double tokens = tokens_for_target(aim->cell, aim->target_loss, exp(x));
    double compute = plan_cell_compute(aim->cell, exp(x), tokens);

    return isfinite(compute) ? compute : INFINITY;
}

static double memory_at(const void *ctx, double x)
{
    const struct aim *aim = (const struct aim *)ctx;

    return excess_at(ctx, x) <= 0 ? plan_poly_at(&aim->cell->served, exp(x)) : INFINITY;
}

static enum plan_outcome least_cost_global(const struct plan_cell *cell, double target_loss,
                                           plan_search_function *cost, struct plan_point *ret)
{
    const struct aim aim = {cell, target_loss, plan_least_tokens};
    double d_max = fmin(plan_least_d_max(cell), PLAN_D_MODEL_ENDLESS), x, d, tokens;
    double least = plan_search_least(cost, &aim, log(cell->d_min), log(d_max), &x);

    if (least == INFINITY)
        return PLAN_NOTHING;
    d = exp(x);
    tokens =
        cost == memory_at ? plan_least_tokens(cell, d) : tokens_for_target(cell, target_loss, d);
    if (!(tokens < INFINITY))
        return PLAN_ENDLESS;
    if (found(cell, d, tokens, ret) != PLAN_FOUND)
        return PLAN_NOTHING;
    ret->cost = least;
    return PLAN_FOUND;
}

enum plan_outcome plan_least_compute(const struct plan_cell *cell, double target_loss,
                                     struct plan_point *ret)
{
    if (!cell->feasible || !cell->finite)
        return PLAN_NOTHING;
    return cell->unimodal ? least_compute_unimodal(cell, target_loss, ret)
                          : least_cost_global(cell, target_loss, compute_at, ret);
}

static enum plan_outcome least_memory_unimodal(const struct plan_cell *cell, double target_loss,
                                               struct plan_point *ret)
{
    const struct aim aim = {cell, target_loss, plan_least_tokens};
    struct plan_point best;
    double d = cell->d_min, tokens;

    if (!(excess_at(&aim, log(d)) <= 0)) {
        enum plan_outcome outcome = plan_least_loss(cell, &best);
        double d_end =
            outcome == PLAN_FOUND ? best.d_model : fmin(cell->d_max, PLAN_D_MODEL_ENDLESS);

        if (outcome == PLAN_NOTHING || !(excess_at(&aim, log(d_end)) <= 0))
            return PLAN_NOTHING;
        d = d_at_target(&aim, d, d_end);
    }
    tokens = plan_least_tokens(cell, d);
    if (!(tokens < INFINITY))
        return PLAN_ENDLESS;
    if (found(cell, d, tokens, ret) != PLAN_FOUND)
        return PLAN_NOTHING;
    ret->cost = plan_poly_at(&cell->served, d);
    return PLAN_FOUND;
}

enum plan_outcome plan_least_memory(const struct plan_cell *cell, double target_loss,
                                    struct plan_point *ret)
{
    if (!cell->feasible || !cell->finite)
        return PLAN_NOTHING;
    return cell->unimodal ? least_memory_unimodal(cell, target_loss, ret)
                          : least_cost_global(cell, target_loss, memory_at, ret);
}

enum plan_outcome plan_least(const struct plan_cell *cell, enum plan_objective objective,
                             double target_loss, struct plan_point *ret)
{
    switch (objective) {
    case PLAN_LEAST_LOSS:
        return plan_least_loss(cell, ret);
    case PLAN_LEAST_COMPUTE:
        return plan_least_compute(cell, target_loss, ret);
    case PLAN_LEAST_MEMORY:
        break;
    }
    return plan_least_memory(cell, target_loss, ret);
}
