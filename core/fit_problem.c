#include "core/fit_problem.h"

#include <math.h>
#include <string.h>

/* 1/E_max stays this far (relative) below 1/E_start: nearer, the exponents of Ê and the amplitudes
 * leave the range of a double while the losses stay what they are. */
static const double saturation_margin = 5e-3;

/* A free E_start without a finite optimum walks off. At this many times the largest E seen, Ê is
 * proportional to a constant plus E to a percent, and stays so beyond. */
static const double e_start_most = 100.0;

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

    problem->n_frame_x = problem->n / stride;
    for (size_t r = 0; r < problem->n_frame_x; r++)
        problem->frame_x[r] = problem->x[jittered(r, stride)];
    fit_frame_init(&problem->frame, law);
    if (!problem->normalised)
        problem->frame.count = 0;
    for (size_t i = 0; i < law->n_coefficients; i++) {
        const struct law_coefficient *c = &law->coefficients[i];
        double low = law_to_transform(c->transform, c->search_lower);
        double high = law_to_transform(c->transform, c->search_upper);

        problem->place[i] = SIZE_MAX;
        problem->middle[i] = law_from_transform(c->transform, 0.5 * (low + high));
        if (problem->coordinate[i] == SIZE_MAX && c->role == LAW_SATURATION)
            problem->middle[i] = problem->fixed[i];
        if (problem->coordinate[i] != SIZE_MAX && c->role == LAW_SATURATION)
            problem->frame_moves = problem->frame.count > 0;
    }
    for (size_t o = 0; o < problem->frame.count; o++)
        problem->place[problem->frame.order[o]] = o;
    fit_frame_set(&problem->frame, law, problem->middle, problem->frame_x, problem->n_frame_x);
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
    if (!allocate(problem, arena))
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count; i++) {
        problem->x[i] = law_x_from_obs(&obs[i]);
        problem->y[i] = law->response == LAW_IDENTITY_IS_SUM ? obs[i].loss : log(obs[i].loss);
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
    return ERR_OK;
}

enum err_code fit_problem_thin(const struct fit_problem *from, size_t stride, struct arena *arena,
                               struct fit_problem *ret_thin, struct err *err)
{
    struct fit_problem thin = *from;

    thin.n = from->n / stride;
    if (!allocate(&thin, arena))
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", thin.n);
    for (size_t i = 0; i < thin.n; i++) {
        size_t pick = jittered(i, stride);

        thin.x[i] = from->x[pick];
        thin.y[i] = from->y[pick];
        thin.weight[i] = from->weight[pick];
    }
    *ret_thin = thin;
    return ERR_OK;
}

void fit_problem_clip(const struct fit_problem *problem, double *z)
{
    for (size_t j = 0; j < problem->p; j++)
        z[j] = fmax(problem->lower[j], fmin(z[j], problem->upper[j]));
}

/* Everything about a point that does not depend on the run. */
struct point {
    double natural[LAW_MAX_COEFFICIENTS]; /* amplitudes: only the fixed ones are read */
    double factor[LAW_MAX_TERMS];         /* term k contributes factor_k·φ_k to exp(f) */
    double slope[LAW_MAX_TERMS];          /* d factor_k/dz of its own amplitude, 0 when fixed */
    double log_slope[LAW_MAX_TERMS][LAW_MAX_COEFFICIENTS]; /* ∂ ln φ_k(centre)/∂coefficient */
    double chain[LAW_MAX_COEFFICIENTS][LAW_MAX_COEFFICIENTS]; /* ∂coefficient_i/∂z_j */
};

void fit_problem_frame(const struct fit_problem *problem, const double *natural,
                       struct fit_frame *ret_frame)
{
    double at[LAW_MAX_COEFFICIENTS];

    *ret_frame = problem->frame;
    if (!problem->frame_moves)
        return;
    memcpy(at, problem->middle, sizeof at);
    for (size_t i = 0; i < problem->law->n_coefficients; i++)
        if (problem->law->coefficients[i].role == LAW_SATURATION)
            at[i] = natural[i];
    fit_frame_set(ret_frame, problem->law, at, problem->frame_x, problem->n_frame_x);
}

static void exponents_at(const struct fit_problem *problem, const double *z, double *natural,
                         struct fit_frame *ret_frame)
{
    double effect[LAW_MAX_COEFFICIENTS] = {0};

    fit_problem_frame(problem, natural, ret_frame);
    for (size_t o = 0; o < ret_frame->count; o++)
        if (problem->is_free[ret_frame->order[o]])
            effect[o] = z[problem->coordinate[ret_frame->order[o]]];
    fit_frame_exponents(ret_frame, problem->is_free, effect, natural);
}

/* Natural values of everything but amplitudes and exponents of the frame. */
static void plain_at(const struct fit_problem *problem, const double *z, double *ret_natural)
{
    for (size_t i = 0; i < problem->law->n_coefficients; i++) {
        size_t j = problem->coordinate[i];

        ret_natural[i] = problem->fixed[i];
        if (j != SIZE_MAX && problem->term[i] == SIZE_MAX && problem->place[i] == SIZE_MAX)
            ret_natural[i] = law_from_transform(problem->law->coefficients[i].transform, z[j]);
    }
    if (problem->e_max != SIZE_MAX && problem->is_free[problem->e_max]) {
        /* E_start/E_max; the zero keeps its sign out of infinity. */
        double room = 0.0 - expm1(z[problem->coordinate[problem->e_max]]);

        ret_natural[problem->e_max] = ret_natural[problem->e_start] / room;
    }
}

/* ∂(1/E_max)/∂z: E_max follows E_start at a given ln(1 − E_start/E_max). */
static void e_max_chain(const struct fit_problem *problem, const double *natural,
                        double (*chain)[LAW_MAX_COEFFICIENTS])
{
    double e_start = natural[problem->e_start], share = e_start / natural[problem->e_max];
    size_t of_start = problem->coordinate[problem->e_start];

    chain[problem->e_max][problem->coordinate[problem->e_max]] = -(1.0 - share) / e_start;
    if (of_start != SIZE_MAX)
        chain[problem->e_max][of_start] =
            -share / (e_start * e_start) * chain[problem->e_start][of_start];
}

/* How the exponents move with saturation coordinate j, effects kept: by central differences, one
 * side only at a bound. */
static void saturation_chain(const struct fit_problem *problem, const double *z, size_t j,
                             double (*chain)[LAW_MAX_COEFFICIENTS])
{
    const double relative = 1e-5;
    double side[2][LAW_MAX_COEFFICIENTS], at[LAW_MAX_COEFFICIENTS], step[2];
    struct fit_frame frame;

    for (int s = 0; s < 2; s++) {
        double h = relative * fmax(fabs(z[j]), 1e-3);

        memcpy(at, z, problem->p * sizeof *at);
        at[j] += s == 0 ? -h : h;
        at[j] = fmax(problem->lower[j], fmin(at[j], problem->upper[j]));
        step[s] = at[j];
        plain_at(problem, at, side[s]);
        exponents_at(problem, at, side[s], &frame);
    }
    for (size_t i = 0; i < problem->law->n_coefficients && step[1] > step[0]; i++)
        if (problem->place[i] != SIZE_MAX && problem->is_free[i])
            chain[i][j] = (side[1][i] - side[0][i]) / (step[1] - step[0]);
}

void fit_problem_searched(const struct fit_problem *problem, const double *z, double *ret_natural,
                          double (*ret_chain)[LAW_MAX_COEFFICIENTS])
{
    const struct law *law = problem->law;
    double slopes[LAW_MAX_COEFFICIENTS][LAW_MAX_COEFFICIENTS];
    struct fit_frame frame;

    plain_at(problem, z, ret_natural);
    exponents_at(problem, z, ret_natural, &frame);
    if (ret_chain == NULL)
        return;
    memset(ret_chain, 0, LAW_MAX_COEFFICIENTS * sizeof *ret_chain);
    fit_frame_slopes(&frame, problem->is_free, slopes);
    for (size_t i = 0; i < law->n_coefficients; i++) {
        size_t j = problem->coordinate[i], o = problem->place[i];

        if (j == SIZE_MAX || problem->term[i] != SIZE_MAX)
            continue;
        if (o == SIZE_MAX) {
            ret_chain[i][j] = law->coefficients[i].transform == LAW_LN ? ret_natural[i] : 1.0;
            if (i == problem->e_max)
                e_max_chain(problem, ret_natural, ret_chain);
            if (problem->frame_moves && law->coefficients[i].role == LAW_SATURATION)
                saturation_chain(problem, z, j, ret_chain);
            continue;
        }
        for (size_t l = o; l < frame.count; l++)
            if (problem->is_free[frame.order[l]])
                ret_chain[i][problem->coordinate[frame.order[l]]] = slopes[o][l];
    }
}

/* Terms at the centre beyond this: the exponents have run so far along a valley that the amplitudes
 * which make up for them are about to leave the range of a double. */
static const double term_most = 1e250;

bool fit_problem_term_in_range(double term)
{
    return term > 1.0 / term_most && term < term_most;
}

/* False when the point cannot be computed with. */
static bool point_set(const struct fit_problem *problem, const double *z, bool slopes,
                      struct point *point)
{
    const struct law *law = problem->law;
    size_t k_count = law->n_terms, c_count = law->n_coefficients;
    double phi[LAW_MAX_TERMS], dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];
    double unit = exp(-problem->shift);

    fit_problem_searched(problem, z, point->natural, slopes ? point->chain : NULL);
    if (problem->normalised)
        law->terms(point->natural, &problem->centre, 1, phi, dphi);
    for (size_t k = 0; k < k_count; k++) {
        size_t i = problem->amplitude[k], j = problem->coordinate[i];

        memset(point->log_slope[k], 0, sizeof point->log_slope[k]);
        if (j == SIZE_MAX) {
            point->factor[k] = problem->fixed[i] * unit;
            point->slope[k] = 0.0;
            continue;
        }
        if (problem->normalised && !fit_problem_term_in_range(phi[k]))
            return false;
        point->slope[k] = problem->normalised ? 1.0 / phi[k] : 1.0;
        if (problem->normalised)
            for (size_t c = 0; c < c_count; c++)
                point->log_slope[k][c] = dphi[k * c_count + c] / phi[k];
        point->factor[k] = z[j] * point->slope[k];
    }
    return true;
}

void fit_problem_natural(const struct fit_problem *problem, const double *z,
                         double *ret_coefficients)
{
    struct point point;

    if (!point_set(problem, z, false, &point)) {
        for (size_t i = 0; i < problem->law->n_coefficients; i++)
            ret_coefficients[i] = NAN;
        return;
    }
    for (size_t i = 0; i < problem->law->n_coefficients; i++) {
        size_t k = problem->term[i];

        ret_coefficients[i] = point.natural[i];
        if (k != SIZE_MAX && problem->coordinate[i] != SIZE_MAX)
            ret_coefficients[i] = point.factor[k] * exp(problem->shift);
    }
}

void fit_problem_point(const struct fit_problem *problem, const double *coefficients, double *ret_z)
{
    const struct law *law = problem->law;
    double phi[LAW_MAX_TERMS], effect[LAW_MAX_COEFFICIENTS];
    struct fit_frame frame;

    fit_problem_frame(problem, coefficients, &frame);
    fit_frame_effects(&frame, coefficients, effect);
    if (problem->normalised)
        law->terms(coefficients, &problem->centre, 1, phi, NULL);
    for (size_t j = 0; j < problem->p; j++) {
        size_t i = problem->index[j], k = problem->term[i];

        if (problem->place[i] != SIZE_MAX)
            ret_z[j] = effect[problem->place[i]];
        else if (i == problem->e_max)
            ret_z[j] = log1p(-coefficients[problem->e_start] / coefficients[i]);
        else if (k == SIZE_MAX)
            ret_z[j] = law_to_transform(law->coefficients[i].transform, coefficients[i]);
        else
            ret_z[j] =
                coefficients[i] * (problem->normalised ? phi[k] * exp(-problem->shift) : 1.0);
    }
}

/* One run: f from its S, and its row of the Jacobian. */
static bool row_of(const struct fit_problem *problem, const struct point *point, const double *phi,
                   const double *dphi, double *ret_f, double *ret_row)
{
    const struct law *law = problem->law;
    size_t k_count = law->n_terms, c_count = law->n_coefficients;
    double part[LAW_MAX_TERMS], sum = 0.0, unit;

    for (size_t k = 0; k < k_count; k++) {
        part[k] = point->factor[k] * phi[k];
        sum += part[k];
    }
    if (!isfinite(sum) || (law->response == LAW_LOSS_IS_SUM && sum <= 0.0))
        return false;
    *ret_f = law->response == LAW_LOSS_IS_SUM ? log(sum) : sum;
    if (ret_row == NULL)
        return true;
    unit = law->response == LAW_LOSS_IS_SUM ? 1.0 / sum : 1.0;
    for (size_t j = 0; j < problem->p; j++) {
        size_t k = problem->term[problem->index[j]];

        ret_row[j] = k == SIZE_MAX ? 0.0 : unit * point->slope[k] * phi[k];
    }
    for (size_t i = 0; i < c_count; i++) {
        double slope = 0.0;

        if (problem->coordinate[i] == SIZE_MAX || problem->term[i] != SIZE_MAX)
            continue;
        for (size_t k = 0; k < k_count; k++)
            slope += point->factor[k] * dphi[k * c_count + i] - part[k] * point->log_slope[k][i];
        slope *= unit;
        for (size_t j = 0; j < problem->p; j++)
            ret_row[j] += slope * point->chain[i][j];
    }
    for (size_t j = 0; j < problem->p; j++)
        if (!isfinite(ret_row[j]))
            return false;
    return true;
}

/* The coefficient in its transform, and ∂/∂z of it. An amplitude moves with the exponents, because
 * its coordinate is its share of the loss at the centre: ln A = ln z − ln φ(centre; θ) + shift. */
static double transformed(const struct fit_problem *problem, const struct point *point,
                          const double *z, size_t i, double *ret_slopes)
{
    enum law_transform transform = problem->law->coefficients[i].transform;
    size_t j = problem->coordinate[i], k = problem->term[i];
    double unit = exp(problem->shift), natural, by_ln;

    if (k == SIZE_MAX) {
        /* The chain is that of the coefficient itself, or of its reciprocal. */
        for (size_t q = 0; q < problem->p; q++)
            ret_slopes[q] =
                transform == LAW_LN ? point->chain[i][q] / point->natural[i] : point->chain[i][q];
        return law_to_transform(transform, point->natural[i]);
    }
    memset(ret_slopes, 0, problem->p * sizeof *ret_slopes);
    natural = point->factor[k] * unit;
    by_ln = transform == LAW_LN ? 1.0 : natural;
    ret_slopes[j] = transform == LAW_LN ? 1.0 / z[j] : unit * point->slope[k];
    for (size_t other = 0; problem->normalised && other < problem->law->n_coefficients; other++)
        if (problem->coordinate[other] != SIZE_MAX && problem->term[other] == SIZE_MAX)
            for (size_t q = 0; q < problem->p; q++)
                ret_slopes[q] -= by_ln * point->log_slope[k][other] * point->chain[other][q];
    return law_to_transform(transform, natural);
}

void fit_problem_transformed(const struct fit_problem *problem, const double *z, double *ret_x,
                             struct fit_matrix *ret_slopes)
{
    struct point point;

    if (!point_set(problem, z, true, &point))
        memset(&point, 0, sizeof point);
    for (size_t j = 0; j < problem->p; j++)
        ret_x[j] = transformed(problem, &point, z, problem->index[j], ret_slopes->at[j]);
}

/* The rows of the priors: residual (mean − x)/sd, f = x/sd. */
static bool prior_rows(const struct fit_problem *problem, const double *z,
                       const struct point *point, double *ret_residuals, double *ret_jacobian)
{
    for (size_t m = 0; m < problem->n_priors; m++) {
        double slopes[LAW_MAX_COEFFICIENTS], sd = problem->prior[m].sd;
        double x = transformed(problem, point, z, problem->prior[m].coefficient, slopes);
        double residual = (problem->prior[m].mean - x) / sd;

        ret_residuals[problem->n + m] = residual;
        for (size_t j = 0; j < problem->p; j++) {
            if (!isfinite(residual) || !isfinite(slopes[j]))
                return false;
            if (ret_jacobian != NULL)
                ret_jacobian[(problem->n + m) * problem->p + j] = slopes[j] / sd;
        }
    }
    return true;
}

bool fit_problem_evaluate(const struct fit_problem *problem, const double *z, double *ret_residuals,
                          double *ret_jacobian)
{
    const struct law *law = problem->law;
    size_t k_count = law->n_terms, width = law->n_terms * law->n_coefficients;
    double phi[FIT_BLOCK * LAW_MAX_TERMS];
    double dphi[FIT_BLOCK * LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];
    struct point point;

    if (!point_set(problem, z, ret_jacobian != NULL || problem->n_priors > 0, &point))
        return false;
    for (size_t from = 0; from < problem->n; from += FIT_BLOCK) {
        size_t size = problem->n - from < FIT_BLOCK ? problem->n - from : FIT_BLOCK;

        law->terms(point.natural, problem->x + from, size, phi, ret_jacobian ? dphi : NULL);
        for (size_t i = 0; i < size; i++) {
            double f = 0.0;
            double *row = ret_jacobian ? ret_jacobian + (from + i) * problem->p : NULL;

            if (!row_of(problem, &point, phi + i * k_count, dphi + i * width, &f, row))
                return false;
            ret_residuals[from + i] = problem->y[from + i] - f;
        }
    }
    return prior_rows(problem, z, &point, ret_residuals, ret_jacobian);
}

double fit_problem_delta(const struct fit_problem *problem)
{
    return problem->robust.kind == ROBUST_SQUARED ? INFINITY : problem->robust.delta;
}
