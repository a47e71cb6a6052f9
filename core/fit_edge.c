#include "core/fit_edge.h"

#include <math.h>
#include <string.h>

enum { STRIDES_MOST = 1 << 20 };

/* In ln φ: so far from the edge a descent is not stopped by it, and so far inside it walks go. */
static const double near_edge = 3.0;
static const double insides[] = {2.0, 0.2, 0.02};

enum err_code fit_edge_init(struct fit_edge *edge, const struct fit_problem *problem,
                            struct arena *arena, struct err *err)
{
    size_t most = problem->n_rows + problem->law->n_terms;

    memset(edge, 0, sizeof *edge);
    edge->problem = problem;
    edge->held = *problem;
    edge->held.y = arena_calloc(arena, most, sizeof(double));
    edge->held.weight = arena_calloc(arena, most, sizeof(double));
    if (edge->held.y == NULL || edge->held.weight == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a fit of %zu runs", problem->n);
    memcpy(edge->held.y, problem->y, problem->n_rows * sizeof(double));
    memcpy(edge->held.weight, problem->weight, problem->n_rows * sizeof(double));
    for (size_t i = problem->n_rows; i < most; i++)
        edge->held.weight[i] = 1.0;
    edge->held.n_rows = most;
    return fit_polish_init(&edge->polish, &edge->held, arena, err);
}

static bool has_prior(const struct fit_problem *problem, size_t coefficient)
{
    for (size_t m = 0; m < problem->n_priors; m++)
        if (problem->prior[m].coefficient == coefficient)
            return true;
    return false;
}

/* ln φ at the centre of the runs of each term whose amplitude is free to run off, of the others 0.
 */
static void centre_logs(const struct fit_problem *problem, const double *z, double *ret)
{
    double natural[LAW_MAX_COEFFICIENTS], phi[LAW_MAX_TERMS];

    memset(ret, 0, problem->law->n_terms * sizeof *ret);
    if (!problem->normalised)
        return;
    fit_problem_searched(problem, z, natural, NULL);
    problem->law->terms(natural, &problem->centre, 1, phi, NULL);
    for (size_t k = 0; k < problem->law->n_terms; k++) {
        size_t i = problem->amplitude[k];

        if (problem->is_free[i] && z[problem->coordinate[i]] > 0.0 && phi[k] > 0.0 &&
            problem->law->coefficients[i].transform == LAW_LN && !has_prior(problem, i))
            ret[k] = log(phi[k]);
    }
}

bool fit_edge_reached(const struct fit_problem *problem, const double *z)
{
    double at[LAW_MAX_TERMS];

    centre_logs(problem, z, at);
    for (size_t k = 0; k < problem->law->n_terms; k++)
        if (fabs(at[k]) > log(FIT_TERM_MOST) - near_edge)
            return true;
    return false;
}

/* Priors of standard deviation 1 on the logarithms of amplitudes near the edge: next to what an
 * objective gives for them, that is to hold them. */
static void hold(struct fit_edge *edge, const double *z, double inside)
{
    struct fit_problem *held = &edge->held;
    double at[LAW_MAX_TERMS], most = log(FIT_TERM_MOST);

    held->n_priors = edge->problem->n_priors;
    centre_logs(edge->problem, z, at);
    for (size_t k = 0; k < held->law->n_terms; k++) {
        size_t i = held->amplitude[k];

        if (!(fabs(at[k]) > most - near_edge))
            continue;
        held->prior[held->n_priors].coefficient = i;
        held->prior[held->n_priors].mean =
            log(z[held->coordinate[i]]) + held->shift - copysign(most - inside, at[k]);
        held->prior[held->n_priors++].sd = 1.0;
    }
    held->n_rows = held->n + held->n_priors;
}

void fit_edge_walk(struct fit_edge *edge, const struct fit_polish_goal *goal, double *z)
{
    for (size_t s = 0; s < sizeof insides / sizeof *insides; s++) {
        hold(edge, z, insides[s]);
        (void)fit_polish_run(&edge->polish, goal, z);
    }
}

/* The point t times the way from `from` to `to` beyond it. */
static void beyond(const struct fit_problem *problem, const double *from, const double *to,
                   double t, double *ret)
{
    for (size_t j = 0; j < problem->p; j++)
        if (problem->is_factor[j])
            ret[j] = from[j] > 0.0 && to[j] > 0.0 ? to[j] * pow(to[j] / from[j], t) : to[j];
        else
            ret[j] = to[j] + t * (to[j] - from[j]);
    fit_problem_clip(problem, ret);
}

double fit_edge_stride(struct fit_polish *polish, const struct fit_polish_goal *goal,
                       const double *from, double *z)
{
    const struct fit_polish_goal stay = {goal->delta, 0.0, 0, false};
    double to[LAW_MAX_COEFFICIENTS], next[LAW_MAX_COEFFICIENTS];
    double best = fit_polish_run(polish, &stay, z).objective;

    memcpy(to, z, polish->problem->p * sizeof *to);
    for (double t = 1.0; t < STRIDES_MOST; t *= 2.0) {
        double got;

        beyond(polish->problem, from, to, t, next);
        got = fit_polish_run(polish, &stay, next).objective;
        if (!(got < best))
            break;
        best = got;
        memcpy(z, next, polish->problem->p * sizeof *next);
    }
    return best;
}

struct fit_polished fit_edge_hold(struct fit_edge *edge, const struct fit_polish_goal *goal,
                                  const bool *held, double *z)
{
    const struct fit_problem *problem = edge->problem;
    struct fit_polished got;

    edge->held.n_priors = problem->n_priors;
    edge->held.n_rows = problem->n_rows;
    for (size_t j = 0; j < problem->p; j++)
        if (held[j])
            edge->held.lower[j] = edge->held.upper[j] = z[j];
    got = fit_polish_run(&edge->polish, goal, z);
    memcpy(edge->held.lower, problem->lower, sizeof problem->lower);
    memcpy(edge->held.upper, problem->upper, sizeof problem->upper);
    return got;
}

bool fit_edge_turns(const struct fit_problem *problem)
{
    return problem->e_start != SIZE_MAX && problem->is_free[problem->e_start] &&
           problem->is_free[problem->e_max];
}

/* With r = E_start/E_max and p = (1 − r)/E_start
 *     ln Ê = ln E_start + ln(1 + p·(E − 1)) − ln(1 + r·p·(E − 1))
 * whose curvature next to its slope is p·(1 + r)/2. */
void fit_edge_turn(struct fit_edge *edge, const struct fit_polish_goal *goal,
                   enum fit_edge_turn turn, double *z)
{
    const struct fit_problem *problem = edge->problem;
    size_t start = problem->coordinate[problem->e_start],
           left = problem->coordinate[problem->e_max];
    bool held[LAW_MAX_COEFFICIENTS] = {false};
    double bend = exp(z[left] - z[start]) * (1.0 - 0.5 * exp(z[left]));

    z[start] = turn == FIT_EDGE_ENDLESS ? -log(2.0 * bend) : 0.0;
    z[left] = turn == FIT_EDGE_ENDLESS                 ? 0.0
              : turn == FIT_EDGE_LINEAR || bend >= 0.5 ? -INFINITY
                                                       : log(1.0 - sqrt(1.0 - 2.0 * bend));
    fit_problem_clip(problem, z);
    held[start] = true;
    (void)fit_edge_hold(edge, goal, held, z);
}
