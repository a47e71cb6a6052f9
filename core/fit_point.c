/* A point of a fit_problem: from coordinates to coefficients and back. */
#include "core/fit_point.h"

#include <math.h>
#include <string.h>

#include "core/law_parts.h"

/* Whether κ is searched: only beside E_start and E_max, by which it is measured. */
static bool has_kappa(const struct fit_problem *problem)
{
    return problem->kappa != SIZE_MAX && problem->e_max != SIZE_MAX &&
           problem->is_free[problem->kappa];
}

/* ln(Ê/E_start) at the centre, and how it moves; 1 and not at all where it vanishes. */
static struct law_saturation centre_gain(const struct fit_problem *problem, const double *natural)
{
    struct law_saturation at = law_saturate(problem->centre.experts, natural[problem->e_start],
                                            1.0 / natural[problem->e_max]);

    return at.ln_gain > 0.0 ? at : (struct law_saturation){.ln_gain = 1.0};
}

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
    if (has_kappa(problem)) /* the middle is that of t */
        at[problem->kappa] /= centre_gain(problem, natural).ln_gain;
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
    if (has_kappa(problem))
        ret_natural[problem->kappa] = z[problem->coordinate[problem->kappa]] /
                                      (1.0 - z[problem->coordinate[problem->kappa]]) /
                                      centre_gain(problem, ret_natural).ln_gain;
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

/* ∂κ/∂z, κ = w/(1 − w)/ln(Ê/E_start); the chains of E_start and E_max are set. */
static void kappa_chain(const struct fit_problem *problem, const double *natural,
                        double (*chain)[LAW_MAX_COEFFICIENTS])
{
    struct law_saturation at = centre_gain(problem, natural);
    double *of_kappa = chain[problem->kappa], kappa = natural[problem->kappa];
    double more = 1.0 + kappa * at.ln_gain;

    for (size_t j = 0; j < problem->p; j++)
        of_kappa[j] = -kappa / at.ln_gain *
                      (at.d_ln_gain_by_start * chain[problem->e_start][j] +
                       at.d_inverse_e_max * chain[problem->e_max][j]);
    of_kappa[problem->coordinate[problem->kappa]] = more * more / at.ln_gain;
}

/* How the exponents move with saturation coordinate j, effects kept: by differences to one side,
 * away from the bound. What is left of a difference's error is a share of the exponents' own
 * slopes, which steps and the test of an optimum do not see. */
static void saturation_chain(const struct fit_problem *problem, const double *z,
                             const double *natural, size_t j, double (*chain)[LAW_MAX_COEFFICIENTS])
{
    double h = 1e-6 * fmax(fabs(z[j]), 1e-3);
    double there[LAW_MAX_COEFFICIENTS], at[LAW_MAX_COEFFICIENTS];
    struct fit_frame frame;

    memcpy(at, z, problem->p * sizeof *at);
    at[j] += at[j] + h > problem->upper[j] ? -h : h;
    plain_at(problem, at, there);
    exponents_at(problem, at, there, &frame);
    for (size_t i = 0; i < problem->law->n_coefficients; i++)
        if (problem->place[i] != SIZE_MAX && problem->is_free[i])
            chain[i][j] = (there[i] - natural[i]) / (at[j] - z[j]);
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
                saturation_chain(problem, z, ret_natural, j, ret_chain);
            continue;
        }
        for (size_t l = o; l < frame.count; l++)
            if (problem->is_free[frame.order[l]])
                ret_chain[i][problem->coordinate[frame.order[l]]] = slopes[o][l];
    }
    if (has_kappa(problem))
        kappa_chain(problem, ret_natural, ret_chain);
}

bool fit_problem_term_in_range(double term)
{
    return term > 1.0 / FIT_TERM_MOST && term < FIT_TERM_MOST;
}

bool fit_point_set(const struct fit_problem *problem, const double *z, bool slopes,
                   struct fit_point *point)
{
    const struct law *law = problem->law;
    size_t k_count = law->n_terms, c_count = law->n_coefficients;
    double phi[LAW_MAX_TERMS], dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];
    double unit = exp(-problem->shift);

    fit_problem_searched(problem, z, point->natural, slopes ? point->chain : NULL);
    if (slopes)
        memset(dphi, 0, k_count * c_count * sizeof *dphi);
    if (problem->normalised)
        law->terms(point->natural, &problem->centre, 1, phi, slopes ? dphi : NULL);
    for (size_t k = 0; k < k_count; k++) {
        size_t i = problem->amplitude[k], j = problem->coordinate[i];

        memset(point->drift[k], 0, sizeof point->drift[k]);
        if (j == SIZE_MAX) {
            point->factor[k] = problem->fixed[i] * unit;
            point->slope[k] = 0.0;
            continue;
        }
        if (problem->normalised && !fit_problem_term_in_range(phi[k]))
            return false;
        point->slope[k] = problem->normalised ? 1.0 / phi[k] : 1.0;
        for (size_t c = 0; c < c_count && slopes && problem->normalised; c++)
            if (problem->is_free[c] && problem->term[c] == SIZE_MAX)
                for (size_t q = 0; q < problem->p; q++)
                    point->drift[k][q] += dphi[k * c_count + c] / phi[k] * point->chain[c][q];
        point->factor[k] = z[j] * point->slope[k];
    }
    return true;
}

void fit_problem_natural(const struct fit_problem *problem, const double *z,
                         double *ret_coefficients)
{
    struct fit_point point;

    if (!fit_point_set(problem, z, false, &point)) {
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

static double weight_of(double t)
{
    return isinf(t) ? 1.0 : t / (1.0 + t);
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
        else if (i == problem->kappa)
            ret_z[j] = weight_of(coefficients[i] * centre_gain(problem, coefficients).ln_gain);
        else if (k == SIZE_MAX)
            ret_z[j] = law_to_transform(law->coefficients[i].transform, coefficients[i]);
        else
            ret_z[j] =
                coefficients[i] * (problem->normalised ? phi[k] * exp(-problem->shift) : 1.0);
    }
}

/* An amplitude moves with the exponents, because
 * its coordinate is its share of the loss at the centre: ln A = ln z − ln φ(centre; θ) + shift. */
double fit_point_transformed(const struct fit_problem *problem, const struct fit_point *point,
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
    for (size_t q = 0; q < problem->p; q++)
        ret_slopes[q] -= by_ln * point->drift[k][q];
    return law_to_transform(transform, natural);
}

void fit_problem_transformed(const struct fit_problem *problem, const double *z, double *ret_x,
                             struct fit_matrix *ret_slopes)
{
    struct fit_point point;

    if (!fit_point_set(problem, z, true, &point))
        memset(&point, 0, sizeof point);
    for (size_t j = 0; j < problem->p; j++)
        ret_x[j] = fit_point_transformed(problem, &point, z, problem->index[j], ret_slopes->at[j]);
}
