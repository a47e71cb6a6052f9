#include "core/fit_problem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_start.h"

/* 1/E_max stays this far (relative) below 1/E_start. Here Ê is linear in E up to 5e-6 of its
 * change, and an objective whose infimum is a linear Ê within 1e-6 of it (marin-moe.csv). Nearer,
 * who computes Ê as the formula is printed would see nothing of E but rounding. */
static const double saturation_margin = 5e-6;

/* A free E_start without a finite optimum walks off. At this many times the largest E seen, Ê is
 * proportional to a constant plus E to a percent, and stays so beyond. */
static const double e_start_most = 100.0;

/* A kappa without a finite optimum walks off. So near 1 a weight is as good as all. */
static const double weight_most = 1.0 - 1e-12;

static void set_bounds(struct fit_problem *problem)
{
    const struct law *law = problem->law;
    double largest = 1.0;

    for (size_t i = 0; i < problem->n; i++)
        largest = fmax(largest, problem->x[i].experts);
    for (size_t j = 0; j < problem->p; j++) {
        const struct law_coefficient *c = &law->coefficients[problem->index[j]];
        double low = c->lower, high = c->upper;

        if (c->role == LAW_AMPLITUDE) {
            problem->lower[j] = law->signed_amplitudes ? -INFINITY : 0.0;
            problem->upper[j] = INFINITY;
            continue;
        }
        if (problem->index[j] == problem->e_max) {
            problem->lower[j] = log(saturation_margin);
            problem->upper[j] = 0.0;
            continue;
        }
        if (problem->index[j] == problem->kappa) {
            problem->lower[j] = 0.0;
            problem->upper[j] = weight_most;
            continue;
        }
        if (problem->index[j] == problem->e_start)
            high = fmin(high, e_start_most * largest);
        if (problem->index[j] == problem->e_start && !problem->is_free[problem->e_max])
            high = fmin(high, (1.0 - saturation_margin) * problem->fixed[problem->e_max]);
        low = law_to_transform(c->transform, low);
        high = law_to_transform(c->transform, high);
        problem->lower[j] = c->transform == LAW_RECIPROCAL ? high : low;
        problem->upper[j] = c->transform == LAW_RECIPROCAL ? low : high;
    }
}

static void set_coefficients(struct fit_problem *problem, const bool *is_free,
                             const double *natural)
{
    const struct law *law = problem->law;
    size_t term = 0;

    problem->e_start = law_coefficient_index(law, "E_start");
    problem->e_max = law_coefficient_index(law, "E_max");
    if (problem->e_start == law->n_coefficients || problem->e_max == law->n_coefficients)
        problem->e_start = problem->e_max = SIZE_MAX;
    problem->kappa = law_coefficient_index(law, "kappa");
    problem->kappa = problem->kappa == law->n_coefficients ? SIZE_MAX : problem->kappa;
    for (size_t i = 0; i < law->n_coefficients; i++) {
        problem->term[i] = SIZE_MAX;
        if (law->coefficients[i].role == LAW_AMPLITUDE) {
            problem->amplitude[term] = i;
            problem->term[i] = term++;
        }
        problem->coordinate[i] = SIZE_MAX;
        problem->fixed[i] = natural[i];
        problem->is_free[i] = is_free[i];
        if (is_free[i]) {
            problem->coordinate[i] = problem->p;
            problem->index[problem->p++] = i;
        }
    }
}

/* The golden ratio jitters the pick inside each stride: sorted runs are a regular grid of E and D,
 * which a fixed stride could meet always at the same value. */
static size_t jittered(size_t i, size_t stride)
{
    return i * stride + (size_t)(fmod((double)(i + 1) * 0.6180339887498949, 1.0) * (double)stride);
}

/* The centre: geometric means, and a value of E half-way in logarithms. */
static struct law_x centre_of(const struct law_x *x, const double *weight, size_t n)
{
    struct law_x sum = {0};
    double total = 0.0, ln_experts = 0.0;

    for (size_t i = 0; i < n; i++) {
        total += weight[i];
        sum.ln_n_active += weight[i] * x[i].ln_n_active;
        sum.ln_n_total += weight[i] * x[i].ln_n_total;
        sum.ln_tokens += weight[i] * x[i].ln_tokens;
        sum.ln_granularity += weight[i] * x[i].ln_granularity;
        ln_experts += weight[i] * log(x[i].experts);
    }
    sum.ln_n_active /= total;
    sum.ln_n_total /= total;
    sum.ln_tokens /= total;
    sum.ln_granularity /= total;
    sum.experts = fmax(1.0, exp(ln_experts / total));
    return sum;
}

static void set_priors(struct fit_problem *problem, const struct fit_options *options)
{
    for (size_t i = 0; i < problem->law->n_coefficients; i++) {
        const struct fit_prior *prior = &options->prior[i];

        if (!prior->set || problem->coordinate[i] == SIZE_MAX)
            continue;
        problem->prior[problem->n_priors].coefficient = i;
        problem->prior[problem->n_priors].mean =
            law_to_transform(problem->law->coefficients[i].transform, prior->mean);
        problem->prior[problem->n_priors].sd = prior->sd;
        problem->n_priors++;
    }
}

static bool allocate(struct fit_problem *problem, struct arena *arena)
{
    problem->n_rows = problem->n + problem->n_priors;
    problem->x = arena_calloc(arena, problem->n, sizeof *problem->x);
    problem->y = arena_calloc(arena, problem->n_rows, sizeof *problem->y);
    problem->weight = arena_calloc(arena, problem->n_rows, sizeof *problem->weight);
    if (problem->x == NULL || problem->y == NULL || problem->weight == NULL)
        return false;
    for (size_t k = 0; k < problem->n_priors; k++)
        problem->weight[problem->n + k] = 1.0;
    return true;
}

/* The frame at the fixed saturations or the middle of their boxes. */
static void set_frame(struct fit_problem *problem)
{
    const struct law *law = problem->law;
    size_t stride = (problem->n + FIT_FRAME_RUNS - 1) / FIT_FRAME_RUNS;

    assert(problem->n > 0);
    problem->n_frame_x = problem->n / stride;
    for (size_t r = 0; r < problem->n_frame_x; r++)
        problem->frame_x[r] = problem->x[jittered(r, stride)];
    for (size_t i = 0; i < law->n_coefficients; i++) {
        const struct law_coefficient *c = &law->coefficients[i];
        double low = law_to_transform(c->transform, c->search_lower);
        double high = law_to_transform(c->transform, c->search_upper);

        problem->place[i] = SIZE_MAX;
        problem->middle[i] = law_from_transform(c->transform, 0.5 * (low + high));
        if (problem->coordinate[i] == SIZE_MAX && c->role == LAW_SATURATION)
            problem->middle[i] = problem->fixed[i];
    }
    fit_frame_init(&problem->frame, law, problem->middle, problem->frame_x, problem->n_frame_x);
    if (!problem->normalised)
        problem->frame.count = 0;
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (problem->is_free[i] && law->coefficients[i].role == LAW_SATURATION)
            problem->frame_moves = problem->frame.count > 0;
    for (size_t o = 0; o < problem->frame.count; o++)
        problem->place[problem->frame.order[o]] = o;
    fit_frame_set(&problem->frame, law, problem->middle, problem->frame_x, problem->n_frame_x);
}

/* Which ∂φ_k/∂coefficient are other than 0 in any run, at a point of general position. */
static void set_pairs(struct fit_problem *problem)
{
    const struct law *law = problem->law;
    size_t width = law->n_terms * law->n_coefficients;
    double phi[FIT_BLOCK * LAW_MAX_TERMS];
    double dphi[FIT_BLOCK * LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];
    double z[LAW_MAX_COEFFICIENTS], natural[LAW_MAX_COEFFICIENTS];
    bool moves[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS] = {false};

    fit_start_draw(problem, 0, 1, z);
    fit_problem_searched(problem, z, natural, NULL);
    for (size_t from = 0; from < problem->n; from += FIT_BLOCK) {
        size_t size = problem->n - from < FIT_BLOCK ? problem->n - from : FIT_BLOCK;

        memset(dphi, 0, width * size * sizeof *dphi);
        law->terms(natural, &problem->x[from], size, phi, dphi);
        for (size_t d = 0; d < width; d++)
            for (size_t i = 0; i < size && !moves[d]; i++)
                moves[d] = dphi[d * size + i] != 0.0;
    }
    for (size_t j = 0; j < problem->p && problem->normalised; j++) {
        const struct law_coefficient *c = &law->coefficients[problem->index[j]];

        problem->is_factor[j] = problem->term[problem->index[j]] != SIZE_MAX ||
                                (c->role == LAW_EXPONENT && c->lower == 0.0);
    }
    for (size_t d = 0; d < width; d++) {
        size_t i = d % law->n_coefficients;

        if (!moves[d] || !problem->is_free[i] || problem->term[i] != SIZE_MAX)
            continue;
        problem->pair[problem->n_pairs].term = d / law->n_coefficients;
        problem->pair[problem->n_pairs++].coefficient = i;
    }
}

enum err_code fit_problem_init(struct fit_problem *problem, const struct fit_options *options,
                               const bool *is_free, const double *natural, const struct obs *obs,
                               size_t count, struct arena *arena, struct err *err)
{
    const struct law *law = options->law;
    double total = 0.0, sum = 0.0;

    memset(problem, 0, sizeof *problem);
    problem->law = law;
    problem->robust = options->robust;
    problem->n = count;
    problem->normalised = law->response == LAW_LOSS_IS_SUM && !law->signed_amplitudes;
    set_coefficients(problem, is_free, natural);
    set_priors(problem, options);
    problem->stride = (problem->p + FIT_LANE - 1) / FIT_LANE * FIT_LANE;
    if (!allocate(problem, arena))
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count; i++) {
        problem->x[i] = law_x_from_obs(&obs[i]);
        problem->y[i] = law_seen(law, obs[i].loss);
        problem->weight[i] = obs[i].weight;
        total += obs[i].weight;
        sum += obs[i].weight * problem->y[i];
    }
    set_bounds(problem);
    problem->centre = centre_of(problem->x, problem->weight, count);
    problem->shift = problem->normalised ? sum / total : 0.0;
    for (size_t i = 0; i < count; i++)
        problem->y[i] -= problem->shift;
    set_frame(problem);
    set_pairs(problem);
    return ERR_OK;
}

/* Where the runs from `from` on end that share its E and G; sorted runs lie so side by side. */
static size_t alike(const struct fit_problem *problem, size_t from)
{
    const struct law_x *x = problem->x;
    size_t to = from + 1;

    while (to < problem->n && x[to].experts == x[from].experts &&
           x[to].ln_granularity == x[from].ln_granularity)
        to++;
    return to;
}

/* Picks among n runs one in stride, and of those that share E and G at least an eighth of what a
 * fair share would be: a few runs of one E must not get lost among many of another. Returns how
 * many; ret_picks has room for n. */
static size_t pick_runs(const struct fit_problem *problem, size_t stride, size_t *ret_picks)
{
    size_t target = problem->n / stride, groups = 0, least = 0, count = 0, next = 0;

    for (size_t from = 0; from < problem->n; from = alike(problem, from))
        groups++;
    if (2 * groups <= target)
        least = target / (8 * groups) > 2 ? target / (8 * groups) : 2;
    for (size_t from = 0, to; from < problem->n; from = to) {
        size_t before = count, wanted;

        to = alike(problem, from);
        for (; next < target && jittered(next, stride) < to; next++)
            ret_picks[count++] = jittered(next, stride);
        wanted = to - from < least ? to - from : least;
        if (count - before >= wanted)
            continue;
        count = before;
        for (size_t k = 0; k < wanted; k++)
            ret_picks[count++] = from + k * (to - from) / wanted;
    }
    return count;
}

enum err_code fit_problem_thin(const struct fit_problem *from, size_t stride, struct arena *arena,
                               struct fit_problem *ret_thin, struct err *err)
{
    struct fit_problem thin = *from;
    size_t *picks = calloc(from->n, sizeof *picks);

    if (picks == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", from->n);
    thin.n = pick_runs(from, stride, picks);
    if (!allocate(&thin, arena)) {
        free(picks);
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", thin.n);
    }
    for (size_t i = 0; i < thin.n; i++) {
        thin.x[i] = from->x[picks[i]];
        thin.y[i] = from->y[picks[i]];
        thin.weight[i] = from->weight[picks[i]];
    }
    free(picks);
    *ret_thin = thin;
    return ERR_OK;
}

void fit_problem_clip(const struct fit_problem *problem, double *z)
{
    for (size_t j = 0; j < problem->p; j++)
        z[j] = fmax(problem->lower[j], fmin(z[j], problem->upper[j]));
}

double fit_problem_delta(const struct fit_problem *problem)
{
    return problem->robust.kind == ROBUST_SQUARED ? INFINITY : problem->robust.delta;
}
