#include "core/varpro.h"

#include <float.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <string.h>

#include "core/amplitudes.h"
#include "core/fit_matrix.h"
#include "core/lanes.h"

/* Runs whose log loss lies further from the median, in median absolute deviations, are left out of
 * the search: least squares would fit them and nothing else. */
static const double gross_deviations = 20.0;

/* Priors are weighed against a Huber loss, the search against squares: at residuals of half a
 * percent squares count this many times more. */
static const double prior_share = 5.0;

/* Clears the root of runs whose response is a gross outlier. */
static void drop_gross(const struct fit_problem *problem, double *root, double *scratch)
{
    size_t n = problem->n;
    double median, deviation;

    memcpy(scratch, problem->y, n * sizeof *scratch);
    median = gsl_stats_select(scratch, 1, n, n / 2);
    for (size_t i = 0; i < n; i++)
        scratch[i] = fabs(problem->y[i] - median);
    deviation = gsl_stats_select(scratch, 1, n, n / 2);
    if (deviation <= 0.0)
        return;
    for (size_t i = 0; i < n; i++)
        if (!(fabs(problem->y[i] - median) <= gross_deviations * deviation))
            root[i] = 0.0;
}

enum err_code varpro_init(struct varpro *varpro, const struct fit_problem *problem,
                          struct arena *arena, struct err *err)
{
    const struct law *law = problem->law;
    size_t n = problem->n, k = law->n_terms;

    memset(varpro, 0, sizeof *varpro);
    varpro->problem = problem;
    for (size_t j = 0; j < problem->p; j++)
        if (problem->term[problem->index[j]] == SIZE_MAX)
            varpro->searched[varpro->q++] = j;
    varpro->rows = n + problem->n_priors;
    varpro->root = arena_calloc(arena, n, sizeof(double));
    varpro->target = arena_calloc(arena, n, sizeof(double));
    varpro->phi = arena_calloc(arena, varpro->rows * k, sizeof(double));
    varpro->work = arena_calloc(arena, n * k, sizeof(double));
    varpro->residual = arena_calloc(arena, varpro->rows, sizeof(double));
    varpro->gradient_terms = arena_calloc(arena, n * k * law->n_coefficients, sizeof(double));
    varpro->jacobian = arena_calloc(arena, varpro->rows * (varpro->q + 1), sizeof(double));
    if (!varpro->root || !varpro->target || !varpro->phi || !varpro->work || !varpro->residual ||
        !varpro->gradient_terms || !varpro->jacobian)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the search over %zu runs", n);
    for (size_t i = 0; i < n; i++)
        varpro->root[i] = sqrt(problem->weight[i]) *
                          (law->response == LAW_LOSS_IS_SUM ? exp(-problem->y[i]) : 1.0);
    if (law->response != LAW_IDENTITY_IS_SUM)
        drop_gross(problem, varpro->root, varpro->target);
    for (size_t i = 0; i < n; i++)
        if (law->response == LAW_LOSS_IS_SUM)
            varpro->target[i] = varpro->root[i] > 0.0 ? sqrt(problem->weight[i]) : 0.0;
        else
            varpro->target[i] = varpro->root[i] * problem->y[i];
    return ERR_OK;
}

void varpro_leave_out(struct varpro *varpro, const double *z, double most)
{
    if (!fit_problem_evaluate(varpro->problem, z, varpro->residual, NULL))
        return;
    for (size_t i = 0; i < varpro->problem->n; i++)
        if (!(fabs(varpro->residual[i]) <= most))
            varpro->root[i] = varpro->target[i] = 0.0;
}

/* φ at the centre of the runs, 1 for laws that are not normalised; false where it is out of range.
 */
static bool centre_terms(const struct fit_problem *problem, const double *natural, double *ret)
{
    bool in_range = true;

    for (size_t k = 0; k < problem->law->n_terms; k++)
        ret[k] = 1.0;
    if (problem->normalised)
        problem->law->terms(natural, &problem->centre, 1, ret, NULL);
    for (size_t k = 0; k < problem->law->n_terms; k++)
        in_range = in_range && fit_problem_term_in_range(ret[k]);
    return in_range;
}

/* The priors as rows below the runs: on searched coordinates a residual alone; on an amplitude A an
 * entry in its column, for which a logarithm is taken straight at the mean: (A − mean)/mean. */
static void prior_rows(struct varpro *v, const double *natural, const double *centre,
                       const size_t *term, size_t count)
{
    const struct fit_problem *problem = v->problem;

    for (size_t m = 0; m < problem->n_priors; m++) {
        size_t i = problem->prior[m].coefficient, row = problem->n + m;
        enum law_transform transform = problem->law->coefficients[i].transform;
        double scale = sqrt(prior_share) / problem->prior[m].sd, mean = problem->prior[m].mean;

        if (problem->term[i] == SIZE_MAX) {
            v->residual[row] = scale * (mean - law_to_transform(transform, natural[i]));
            continue;
        }
        if (transform == LAW_LN) {
            scale /= exp(mean);
            mean = exp(mean);
        }
        v->residual[row] = scale * mean;
        for (size_t c = 0; c < count; c++)
            if (term[c] == problem->term[i])
                v->phi[c * v->rows + row] = scale * (exp(problem->shift) / centre[term[c]]);
    }
}

/* Terms at z, weighted, free ones by column into phi, priors below them; the residual starts as the
 * target less the fixed terms. ret_free gets the term of each column. Returns how many columns, or
 * SIZE_MAX. */
static size_t columns(struct varpro *v, const double *natural, bool slopes, size_t *ret_free)
{
    const struct fit_problem *problem = v->problem;
    const struct law *law = problem->law;
    size_t n = problem->n, k_count = law->n_terms, free_count = 0;
    double unit = exp(-problem->shift), centre[LAW_MAX_TERMS], check = 0.0;

    if (!centre_terms(problem, natural, centre))
        return SIZE_MAX;
    law->terms(natural, problem->x, n, v->work, slopes ? v->gradient_terms : NULL);
    memcpy(v->residual, v->target, n * sizeof *v->residual);
    for (size_t k = 0; k < k_count; k++) {
        size_t i = problem->amplitude[k];
        double *column = v->phi + free_count * v->rows;

        if (problem->coordinate[i] == SIZE_MAX) {
            for (size_t r = 0; r < n; r++)
                v->residual[r] -= v->root[r] * unit * problem->fixed[i] * v->work[k * n + r];
            continue;
        }
        ret_free[free_count++] = k;
        for (size_t r = 0; r < n; r++) {
            column[r] = v->root[r] * (v->work[k * n + r] / centre[k]);
            check += 0.0 * column[r]; /* 0, or NAN */
        }
        memset(column + n, 0, (v->rows - n) * sizeof *column);
    }
    prior_rows(v, natural, centre, ret_free, free_count);
    return check == 0.0 ? free_count : SIZE_MAX;
}

/* The natural mean of the prior on an amplitude whose logarithm has one; 0 without. */
static double prior_mean(const struct fit_problem *problem, size_t coefficient)
{
    for (size_t m = 0; m < problem->n_priors; m++)
        if (problem->prior[m].coefficient == coefficient &&
            problem->law->coefficients[coefficient].transform == LAW_LN)
            return exp(problem->prior[m].mean);
    return 0.0;
}

/* z's amplitudes from those of the columns, 0 giving way to the mean of a prior on a logarithm,
 * which 0 has none of; false where the coefficients themselves leave the range of a double. */
static bool keep_amplitudes(const struct fit_problem *problem, const double *natural,
                            const size_t *term, size_t count, const double *a, double *z)
{
    double centre[LAW_MAX_TERMS];

    if (!centre_terms(problem, natural, centre))
        return false;
    for (size_t c = 0; c < count; c++) {
        size_t i = problem->amplitude[term[c]];
        double scale = exp(problem->shift) / centre[term[c]];

        z[problem->coordinate[i]] = a[c] == 0.0 ? prior_mean(problem, i) / scale : a[c];
        if (!isfinite(a[c] * scale))
            return false;
    }
    return true;
}

struct inner {
    size_t count;
    size_t term[LAW_MAX_TERMS];
    double natural[LAW_MAX_COEFFICIENTS];
    double a[LAW_MAX_TERMS]; /* by column */
    struct amplitudes set;
    double value;
};

/* Solves the amplitudes; phi and residual are left factored by all columns. */
static bool solve_inner(struct varpro *v, double *z, bool slopes, struct inner *ret)
{
    const struct fit_problem *problem = v->problem;

    fit_problem_searched(problem, z, ret->natural, NULL);
    ret->count = columns(v, ret->natural, slopes, ret->term);
    if (ret->count == SIZE_MAX)
        return false;
    ret->value = amplitudes_solve(v->phi, v->residual, v->rows, ret->count,
                                  problem->law->signed_amplitudes, ret->a, &ret->set);
    if (!isfinite(ret->value))
        return false;
    return keep_amplitudes(problem, ret->natural, ret->term, ret->count, ret->a, z);
}

double varpro_value(struct varpro *varpro, double *z)
{
    struct inner inner;

    return solve_inner(varpro, z, false, &inner) ? inner.value : INFINITY;
}

/* ∂(Φ·a)/∂z of searched coordinate s into column s of the Jacobian, weighted. */
static void slope_columns(struct varpro *v, const double *z, const struct inner *inner)
{
    const struct fit_problem *problem = v->problem;
    const struct law *law = problem->law;
    size_t n = problem->n, k_count = law->n_terms, c_count = law->n_coefficients;
    double factor_of[LAW_MAX_TERMS], unit = exp(-problem->shift);
    double chain[LAW_MAX_COEFFICIENTS][LAW_MAX_COEFFICIENTS], natural[LAW_MAX_COEFFICIENTS];
    double centre[LAW_MAX_TERMS];

    fit_problem_searched(problem, z, natural, chain);
    for (size_t k = 0; k < k_count; k++)
        factor_of[k] = problem->fixed[problem->amplitude[k]] * unit;
    (void)centre_terms(problem, natural, centre);
    for (size_t c = 0; c < inner->count; c++)
        factor_of[inner->term[c]] = inner->a[c] / centre[inner->term[c]];
    memset(v->jacobian, 0, v->rows * v->q * sizeof *v->jacobian);
    for (size_t m = 0; m < problem->n_pairs; m++) {
        size_t k = problem->pair[m].term, i = problem->pair[m].coefficient;

        for (size_t s = 0; s < v->q; s++)
            if (chain[i][v->searched[s]] != 0.0)
                lanes_add(v->jacobian + s * v->rows, factor_of[k] * chain[i][v->searched[s]],
                          v->gradient_terms + (k * c_count + i) * n, n);
    }
    for (size_t s = 0; s < v->q; s++)
        for (size_t r = 0; r < n; r++)
            v->jacobian[s * v->rows + r] *= v->root[r];
    for (size_t m = 0; m < problem->n_priors; m++) {
        size_t i = problem->prior[m].coefficient;
        double scale = sqrt(prior_share) / problem->prior[m].sd;

        if (problem->term[i] != SIZE_MAX) /* amplitudes are not searched */
            scale = 0.0;
        else if (law->coefficients[i].transform == LAW_LN)
            scale /= natural[i];
        for (size_t s = 0; s < v->q; s++)
            v->jacobian[s * v->rows + n + m] = scale * chain[i][v->searched[s]];
    }
}

/* The normal equations of the projected problem: columns of the Jacobian and the residual with the
 * span of the used amplitudes taken out. */
static bool normal_equations(struct varpro *v, double *z, struct inner *inner,
                             struct fit_matrix *ret_h, double *ret_g)
{
    unsigned all;

    if (!solve_inner(v, z, true, inner))
        return false;
    slope_columns(v, z, inner);
    all = (1u << inner->count) - 1u;
    if (inner->set.used != all) { /* factored with columns that are not used */
        if (columns(v, inner->natural, false, inner->term) == SIZE_MAX)
            return false;
        amplitudes_factor(v->phi, v->residual, v->rows, inner->count, inner->set.used, &inner->set);
    }
    for (size_t s = 0; s < v->q; s++)
        amplitudes_turn(&inner->set, v->phi, v->rows, v->jacobian + s * v->rows);
    for (size_t s = 0; s < v->q; s++) {
        const double *a = v->jacobian + s * v->rows + inner->set.k;
        size_t m = v->rows - inner->set.k;

        ret_g[s] = lanes_dot(a, v->residual + inner->set.k, m);
        for (size_t u = 0; u <= s; u++)
            ret_h->at[s][u] = ret_h->at[u][s] =
                lanes_dot(a, v->jacobian + u * v->rows + inner->set.k, m);
        if (!isfinite(ret_g[s]) || !isfinite(ret_h->at[s][s]))
            return false;
    }
    return true;
}

/* One damped step from z to ret_z; false when the system has no solution. */
static bool damped_step(const struct varpro *v, const double *z, const struct fit_matrix *h,
                        const double *g, double damping, double *ret_z)
{
    struct fit_matrix m = *h;
    double step[LAW_MAX_COEFFICIENTS], largest = 0.0;

    for (size_t s = 0; s < v->q; s++)
        largest = fmax(largest, h->at[s][s]);
    for (size_t s = 0; s < v->q; s++) {
        m.at[s][s] += damping * h->at[s][s] + DBL_EPSILON * largest + DBL_MIN;
        step[s] = g[s];
    }
    if (!fit_matrix_factor(&m, v->q))
        return false;
    fit_matrix_solve(&m, v->q, step);
    memcpy(ret_z, z, v->problem->p * sizeof *ret_z);
    for (size_t s = 0; s < v->q; s++)
        ret_z[v->searched[s]] += step[s];
    fit_problem_clip(v->problem, ret_z);
    return true;
}

double varpro_descend(struct varpro *varpro, double *z, size_t iterations)
{
    /* The search need only find the basin. */
    static const double enough = 1e-4;
    struct fit_matrix h;
    struct inner inner;
    double g[LAW_MAX_COEFFICIENTS], damping = 1e-2, value;

    if (varpro->q == 0)
        return varpro_value(varpro, z);
    if (!normal_equations(varpro, z, &inner, &h, g))
        return INFINITY;
    value = inner.value;
    for (size_t it = 0, refused = 0; it < iterations && refused < 6; it++) {
        double next[LAW_MAX_COEFFICIENTS], got = INFINITY;

        if (damped_step(varpro, z, &h, g, damping, next))
            got = varpro_value(varpro, next);
        if (!(got < value)) {
            damping = fmax(damping * 8.0, 1e-3);
            refused++;
            continue;
        }
        memcpy(z, next, varpro->problem->p * sizeof *z);
        refused = 0;
        damping *= 0.1;
        if (value - got <= enough * value)
            return got;
        value = got;
        if (it + 1 < iterations && !normal_equations(varpro, z, &inner, &h, g))
            break;
    }
    return value;
}
