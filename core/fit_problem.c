#include "core/fit_problem.h"

#include <math.h>
#include <string.h>

/* 1/E_max stays this far (relative) below 1/E_start: at equality Ê no longer depends on E. */
static const double saturation_margin = 1e-9;

/* A free E_start with no finite optimum walks off: beyond this the law's Ê has long stopped
 * changing with E for any E that exists. */
static const double e_start_max = 1e6;

static void set_bounds(struct fit_problem *problem)
{
    const struct law *law = problem->law;

    for (size_t j = 0; j < problem->p; j++) {
        const struct law_coefficient *c = &law->coefficients[problem->index[j]];
        double low = c->lower, high = c->upper;

        if (c->role == LAW_AMPLITUDE) {
            problem->lower[j] = law->signed_amplitudes ? -INFINITY : 0.0;
            problem->upper[j] = INFINITY;
            continue;
        }
        if (problem->index[j] == problem->e_start)
            high = fmin(high, e_start_max);
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
    for (size_t i = 0; i < law->n_coefficients; i++) {
        problem->term[i] = SIZE_MAX;
        if (law->coefficients[i].role == LAW_AMPLITUDE) {
            problem->amplitude[term] = i;
            problem->term[i] = term++;
        }
        problem->coordinate[i] = SIZE_MAX;
        problem->fixed[i] = natural[i];
        if (is_free[i]) {
            problem->coordinate[i] = problem->p;
            problem->index[problem->p++] = i;
        }
    }
    set_bounds(problem);
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
    problem->centre = centre_of(problem->x, problem->weight, count);
    problem->shift = problem->normalised ? sum / total : 0.0;
    for (size_t i = 0; i < count; i++)
        problem->y[i] -= problem->shift;
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
        /* The golden ratio jitters the pick inside each stride: sorted runs are a regular grid of
         * E and D, which a fixed stride could meet always at the same value. */
        double golden = fmod((double)(i + 1) * 0.6180339887498949, 1.0);
        size_t pick = i * stride + (size_t)(golden * (double)stride);

        thin.x[i] = from->x[pick];
        thin.y[i] = from->y[pick];
        thin.weight[i] = from->weight[pick];
    }
    *ret_thin = thin;
    return ERR_OK;
}

double fit_problem_upper(const struct fit_problem *problem, const double *z, size_t j)
{
    size_t start = problem->e_start;
    double inverse;

    if (start >= problem->law->n_coefficients || problem->e_max >= problem->law->n_coefficients)
        return problem->upper[j];
    if (problem->index[j] == problem->e_max) {
        double e_start = problem->fixed[start];

        if (problem->coordinate[start] != SIZE_MAX)
            e_start = law_from_transform(problem->law->coefficients[start].transform,
                                         z[problem->coordinate[start]]);
        return fmin(problem->upper[j], (1.0 - saturation_margin) / e_start);
    }
    if (problem->index[j] == start && problem->coordinate[problem->e_max] == SIZE_MAX) {
        inverse = 1.0 / problem->fixed[problem->e_max];
        return fmin(problem->upper[j], law_to_transform(problem->law->coefficients[start].transform,
                                                        (1.0 - saturation_margin) / inverse));
    }
    return problem->upper[j];
}

void fit_problem_clip(const struct fit_problem *problem, double *z)
{
    for (size_t j = 0; j < problem->p; j++)
        z[j] = fmax(problem->lower[j], fmin(z[j], fit_problem_upper(problem, z, j)));
}

/* Everything about a point that does not depend on the run. */
struct point {
    double natural[LAW_MAX_COEFFICIENTS]; /* amplitudes: only the fixed ones are read */
    double factor[LAW_MAX_TERMS];         /* term k contributes factor_k·φ_k to exp(f) */
    double slope[LAW_MAX_TERMS];          /* d factor_k/dz of its own amplitude, 0 when fixed */
    double centre[LAW_MAX_TERMS];         /* φ_k at the centre, 1 when not normalised */
    double log_slope[LAW_MAX_TERMS][LAW_MAX_COEFFICIENTS]; /* ∂ ln φ_k(centre)/∂coefficient */
    double chain[LAW_MAX_COEFFICIENTS]; /* d coefficient/dz (d(1/coefficient)/dz = 1) */
};

static void point_searched(const struct fit_problem *problem, const double *z, struct point *point)
{
    const struct law *law = problem->law;

    for (size_t i = 0; i < law->n_coefficients; i++) {
        size_t j = problem->coordinate[i];
        enum law_transform transform = law->coefficients[i].transform;

        point->natural[i] = problem->fixed[i];
        point->chain[i] = 0.0;
        if (j == SIZE_MAX || problem->term[i] != SIZE_MAX)
            continue;
        point->natural[i] = law_from_transform(transform, z[j]);
        point->chain[i] = transform == LAW_LN ? point->natural[i] : 1.0;
    }
}

static void point_set(const struct fit_problem *problem, const double *z, struct point *point)
{
    const struct law *law = problem->law;
    size_t k_count = law->n_terms, c_count = law->n_coefficients;
    double phi[LAW_MAX_TERMS], dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];
    double unit = exp(-problem->shift);

    point_searched(problem, z, point);
    if (problem->normalised)
        law->terms(point->natural, &problem->centre, 1, phi, dphi);
    for (size_t k = 0; k < k_count; k++) {
        size_t i = problem->amplitude[k], j = problem->coordinate[i];

        point->centre[k] = 1.0;
        memset(point->log_slope[k], 0, sizeof point->log_slope[k]);
        if (j == SIZE_MAX) {
            point->factor[k] = problem->fixed[i] * unit;
            point->slope[k] = 0.0;
            continue;
        }
        if (problem->normalised) {
            point->centre[k] = phi[k];
            for (size_t c = 0; c < c_count; c++)
                point->log_slope[k][c] = dphi[k * c_count + c] / phi[k];
        }
        point->slope[k] = 1.0 / point->centre[k];
        point->factor[k] = z[j] * point->slope[k];
    }
}

void fit_problem_natural(const struct fit_problem *problem, const double *z,
                         double *ret_coefficients)
{
    struct point point;

    point_set(problem, z, &point);
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
    double phi[LAW_MAX_TERMS];

    if (problem->normalised)
        law->terms(coefficients, &problem->centre, 1, phi, NULL);
    for (size_t j = 0; j < problem->p; j++) {
        size_t i = problem->index[j], k = problem->term[i];

        if (k == SIZE_MAX)
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
        size_t i = problem->index[j];
        double slope = 0.0;

        if (problem->term[i] != SIZE_MAX) {
            ret_row[j] = unit * point->slope[problem->term[i]] * phi[problem->term[i]];
            continue;
        }
        for (size_t k = 0; k < k_count; k++)
            slope += point->factor[k] * dphi[k * c_count + i] - part[k] * point->log_slope[k][i];
        ret_row[j] = unit * slope * point->chain[i];
        if (!isfinite(ret_row[j]))
            return false;
    }
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

    memset(ret_slopes, 0, problem->p * sizeof *ret_slopes);
    ret_slopes[j] = 1.0;
    if (k == SIZE_MAX)
        return z[j];
    natural = point->factor[k] * unit;
    by_ln = transform == LAW_LN ? 1.0 : natural;
    ret_slopes[j] = transform == LAW_LN ? 1.0 / z[j] : unit * point->slope[k];
    for (size_t q = 0; problem->normalised && q < problem->p; q++) {
        size_t other = problem->index[q];

        if (problem->term[other] == SIZE_MAX)
            ret_slopes[q] = -by_ln * point->log_slope[k][other] * point->chain[other];
    }
    return law_to_transform(transform, natural);
}

void fit_problem_transformed(const struct fit_problem *problem, const double *z, double *ret_x,
                             struct fit_matrix *ret_slopes)
{
    struct point point;

    point_set(problem, z, &point);
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

    point_set(problem, z, &point);
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
