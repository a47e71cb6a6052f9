/* A fit_problem's residuals and slopes at a point: one block of runs at a time, column by column as
 * laws give them, into rows.
 *
 * With u = 1/S (1 where the response is the sum itself) and features v the derivatives of the
 * searched coefficients and the terms of the free amplitudes,
 *     ∂f_i/∂z = u_i·Σ_m v_m(x_i)·mix_m,   mix the chain rule: nothing of it depends on the run.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/fit_point.h"
#include "core/lanes.h"

enum {
    FEATURES_MAX = LAW_MAX_TERMS * (LAW_MAX_COEFFICIENTS + 1),
    RUNS_AT_ONCE = 8, /* share the loads of mix */
};

struct features {
    size_t count;
    size_t column[FEATURES_MAX]; /* of ∂φ (term·n_coefficients + coefficient), or of φ */
    bool is_slope[FEATURES_MAX];
    double mix[FEATURES_MAX][FIT_STRIDE];
    /* Those that a lane's coordinates have any of: terms that share none keep to their own. */
    size_t n_in_lane[FIT_STRIDE / FIT_LANE];
    size_t in_lane[FIT_STRIDE / FIT_LANE][FEATURES_MAX];
};

/* One block's values by column. */
struct block {
    size_t size;
    double phi[FIT_BLOCK * LAW_MAX_TERMS];
    double dphi[FIT_BLOCK * LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];
    double sum[FIT_BLOCK], f[FIT_BLOCK], unit[FIT_BLOCK];
};

static void sort_by_lane(struct features *features)
{
    for (size_t lane = 0; lane < FIT_STRIDE / FIT_LANE; lane++) {
        features->n_in_lane[lane] = 0;
        for (size_t m = 0; m < features->count; m++) {
            const double *mix = features->mix[m] + lane * FIT_LANE;

            if (mix[0] != 0.0 || mix[1] != 0.0 || mix[2] != 0.0 || mix[3] != 0.0)
                features->in_lane[lane][features->n_in_lane[lane]++] = m;
        }
    }
}

static void set_features(const struct fit_problem *problem, const struct fit_point *point,
                         struct features *ret)
{
    ret->count = 0;
    for (size_t m = 0; m < problem->n_pairs; m++) {
        size_t k = problem->pair[m].term, i = problem->pair[m].coefficient;
        double *mix = ret->mix[ret->count];

        memset(mix, 0, sizeof ret->mix[0]);
        for (size_t j = 0; j < problem->p; j++)
            mix[j] = point->factor[k] * point->chain[i][j];
        ret->is_slope[ret->count] = true;
        ret->column[ret->count++] = k * problem->law->n_coefficients + i;
    }
    for (size_t k = 0; k < problem->law->n_terms; k++) {
        size_t own = problem->coordinate[problem->amplitude[k]];
        double *mix = ret->mix[ret->count];

        if (own == SIZE_MAX)
            continue;
        memset(mix, 0, sizeof ret->mix[0]);
        for (size_t j = 0; j < problem->p && problem->normalised; j++)
            mix[j] = -point->factor[k] * point->drift[k][j];
        mix[own] += point->slope[k];
        ret->is_slope[ret->count] = false;
        ret->column[ret->count++] = k;
    }
    sort_by_lane(ret);
}

static const double *feature_values(const struct features *features, const struct block *block,
                                    size_t m)
{
    return (features->is_slope[m] ? block->dphi : block->phi) + features->column[m] * block->size;
}

/* Σ_k factor_k·φ_k of each run. */
FIT_CLONES
static void set_sums(const struct law *law, const double *factor, struct block *block)
{
    size_t size = block->size;

    for (size_t i = 0; i < size; i++)
        block->sum[i] = factor[0] * block->phi[i];
    for (size_t k = 1; k < law->n_terms; k++)
        for (size_t i = 0; i < size; i++)
            block->sum[i] += factor[k] * block->phi[k * size + i];
}

/* f and u; false when one is not finite. */
FIT_CLONES
static bool set_response(const struct law *law, struct block *block)
{
    bool is_log = law->response == LAW_LOSS_IS_SUM;
    double check = 0.0;

    memcpy(block->f, block->sum, block->size * sizeof *block->f);
    if (is_log && !lanes_log_each(block->f, block->size))
        return false;
    for (size_t i = 0; i < block->size; i++) {
        check += 0.0 * block->f[i]; /* 0, or NAN */
        block->unit[i] = is_log ? 1.0 / block->sum[i] : 1.0;
    }
    return check == 0.0;
}

static bool fill_block(const struct fit_problem *problem, const struct fit_point *point,
                       size_t from, bool slopes, struct block *block)
{
    const struct law *law = problem->law;

    block->size = problem->n - from < FIT_BLOCK ? problem->n - from : FIT_BLOCK;
    law->terms(point->natural, problem->x + from, block->size, block->phi,
               slopes ? block->dphi : NULL);
    set_sums(law, point->factor, block);
    return set_response(law, block);
}

/* One lane of the rows of a few runs from the ith on; inlined at a constant number of runs, so that
 * they stay in registers. Adds zeros to check, or NAN somewhere. */
LANES_INLINE void lane_of_rows(const struct features *features, const double *const *value,
                               const double *unit, size_t i, size_t runs, size_t lane,
                               size_t stride, fit_lane *check, double *ret_rows)
{
    fit_lane row[RUNS_AT_ONCE] = {{0}};

    for (size_t a = 0; a < features->n_in_lane[lane]; a++) {
        size_t m = features->in_lane[lane][a];
        fit_lane mix;

        memcpy(&mix, features->mix[m] + lane * FIT_LANE, sizeof mix);
#pragma GCC unroll 8
        for (size_t r = 0; r < runs; r++)
            row[r] += value[m][i + r] * mix;
    }
#pragma GCC unroll 8
    for (size_t r = 0; r < runs; r++) {
        fit_lane scaled = unit[i + r] * row[r];

        *check += 0.0 * scaled;
        memcpy(ret_rows + (i + r) * stride + lane * FIT_LANE, &scaled, sizeof scaled);
    }
}

FIT_CLONES
static bool block_rows(const struct fit_problem *problem, const struct features *features,
                       const struct block *block, double *ret_rows)
{
    size_t lanes = problem->stride / FIT_LANE, stride = problem->stride, i = 0;
    const double *value[FEATURES_MAX];
    fit_lane check = {0};

    for (size_t m = 0; m < features->count; m++)
        value[m] = feature_values(features, block, m);
    for (; i + RUNS_AT_ONCE <= block->size; i += RUNS_AT_ONCE)
        for (size_t l = 0; l < lanes; l++)
            lane_of_rows(features, value, block->unit, i, RUNS_AT_ONCE, l, stride, &check,
                         ret_rows);
    for (; i < block->size; i++)
        for (size_t l = 0; l < lanes; l++)
            lane_of_rows(features, value, block->unit, i, 1, l, stride, &check, ret_rows);
    return check[0] + check[1] + check[2] + check[3] == 0.0;
}

/* The rows of the priors: residual (mean − x)/sd, f = x/sd. */
static bool prior_rows(const struct fit_problem *problem, const double *z,
                       const struct fit_point *point, double *ret_residuals, double *ret_jacobian)
{
    for (size_t m = 0; m < problem->n_priors; m++) {
        double slopes[LAW_MAX_COEFFICIENTS], sd = problem->prior[m].sd;
        double x = fit_point_transformed(problem, point, z, problem->prior[m].coefficient, slopes);
        double residual = (problem->prior[m].mean - x) / sd;

        ret_residuals[problem->n + m] = residual;
        for (size_t j = 0; j < problem->p; j++)
            if (!isfinite(residual) || !isfinite(slopes[j]))
                return false;
        for (size_t j = 0; j < problem->stride && ret_jacobian != NULL; j++)
            ret_jacobian[(problem->n + m) * problem->stride + j] =
                j < problem->p ? slopes[j] / sd : 0.0;
    }
    return true;
}

bool fit_problem_evaluate(const struct fit_problem *problem, const double *z, double *ret_residuals,
                          double *ret_jacobian)
{
    struct fit_point point;
    struct features features;
    struct block block;
    bool slopes = ret_jacobian != NULL;

    if (!fit_point_set(problem, z, slopes || problem->n_priors > 0, &point))
        return false;
    if (slopes)
        set_features(problem, &point, &features);
    for (size_t from = 0; from < problem->n; from += block.size) {
        if (!fill_block(problem, &point, from, slopes, &block))
            return false;
        for (size_t i = 0; i < block.size; i++)
            ret_residuals[from + i] = problem->y[from + i] - block.f[i];
        if (slopes &&
            !block_rows(problem, &features, &block, ret_jacobian + from * problem->stride))
            return false;
    }
    return prior_rows(problem, z, &point, ret_residuals, ret_jacobian);
}

/* What a coefficient rounded to a double moves a run by, in units of DBL_EPSILON of the sum: each
 * term's own size, and its slopes times what they are slopes of. */
static double coarseness(const struct fit_problem *problem, const struct fit_point *point,
                         const struct block *block, size_t i)
{
    const struct law *law = problem->law;
    double total = 0.0;

    for (size_t k = 0; k < law->n_terms; k++)
        total += fabs(point->factor[k] * block->phi[k * block->size + i]);
    for (size_t m = 0; m < problem->n_pairs; m++) {
        size_t k = problem->pair[m].term, j = problem->pair[m].coefficient;
        double at = point->natural[j];

        if (law->coefficients[j].transform == LAW_RECIPROCAL)
            at = 1.0 / at;
        total += fabs(point->factor[k] * at *
                      block->dphi[(k * law->n_coefficients + j) * block->size + i]);
    }
    return total;
}

double fit_problem_rounding(const struct fit_problem *problem, const double *z)
{
    double total = 0.0;
    struct fit_point point;
    struct block block;

    if (!fit_point_set(problem, z, false, &point))
        return INFINITY;
    for (size_t from = 0; from < problem->n; from += block.size) {
        if (!fill_block(problem, &point, from, true, &block))
            return INFINITY;
        for (size_t i = 0; i < block.size; i++) {
            double off = DBL_EPSILON * block.unit[i] * coarseness(problem, &point, &block, i);
            double slope = robust_slope(&problem->robust, problem->y[from + i] - block.f[i]);

            total += problem->weight[from + i] * (fabs(slope) + off / 2) * off;
        }
    }
    return total;
}

bool fit_problem_pull(const struct fit_problem *problem, const double *z, const double *pull,
                      double *ret_slope)
{
    double total[FEATURES_MAX] = {0}, weight[FIT_BLOCK];
    struct fit_point point;
    struct features features;
    struct block block;

    if (!fit_point_set(problem, z, true, &point))
        return false;
    set_features(problem, &point, &features);
    for (size_t from = 0; from < problem->n; from += block.size) {
        if (!fill_block(problem, &point, from, true, &block))
            return false;
        for (size_t i = 0; i < block.size; i++)
            weight[i] = pull[from + i] * block.unit[i];
        for (size_t m = 0; m < features.count; m++)
            total[m] += lanes_dot(weight, feature_values(&features, &block, m), block.size);
    }
    memset(ret_slope, 0, problem->p * sizeof *ret_slope);
    for (size_t m = 0; m < features.count; m++)
        for (size_t j = 0; j < problem->p; j++)
            ret_slope[j] += total[m] * features.mix[m][j];
    for (size_t m = 0; m < problem->n_priors; m++) {
        double slopes[LAW_MAX_COEFFICIENTS], sd = problem->prior[m].sd;

        (void)fit_point_transformed(problem, &point, z, problem->prior[m].coefficient, slopes);
        for (size_t j = 0; j < problem->p; j++)
            ret_slope[j] += pull[problem->n + m] * slopes[j] / sd;
    }
    for (size_t j = 0; j < problem->p; j++)
        if (!isfinite(ret_slope[j]))
            return false;
    return true;
}
