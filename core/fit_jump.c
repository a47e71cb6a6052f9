#include "core/fit_jump.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

enum {
    FEW_RUNS = 300,    /* fewer are left in every way */
    WALKS_ENOUGH = 10, /* along the edge of numbers without gain: they are dear */
    REWEIGH_STEPS = 15,
};

/* The ways to leave the best point, in turn: a jump in its bowl's own measure; some coordinates
 * drawn anew; down the objective of other weights; E_start and E_max elsewhere on the same Ê. */
enum leave { JUMP, REDRAW, REWEIGH, TURN };
static const enum leave leaves[] = {JUMP, JUMP, JUMP, REDRAW, TURN, JUMP, REWEIGH, REDRAW};
enum { LEAVES = sizeof leaves / sizeof *leaves };

/* A jump that nearly stands still further above the best objective than this has found another
 * optimum. */
static const double worth_polishing = 1e-3;

/* In standard deviations. Of 600 fits of simulated studies at 2 % noise, 37 came from a start to
 * another optimum than the best; after four jumps of 1 to 4 still 17 did, of 6 to 16 six, of 10 to
 * 20 two, of 30 to 60 six. */
static const double jump_least = 10.0, jump_most = 20.0;

/* An end on the edge of numbers no further above the best objective than this is worth a walk along
 * the edge. */
static const double worth_walking = 0.01;

/* A run that a reweighing leaves out still counts for this share of its weight. */
static const double left_out = 0.02;

/* Some redraws go beyond the box: up to so many times as far from its middle. */
static const double stretched_share = 0.4, stretch_most = 20.0;

/* What an amplitude of 0 becomes, as a share of the loss: at 0 its exponents go nowhere. */
static const double least_share = 0.05;

/* Half of the searched coordinates anew, or a quarter, and the amplitudes as they then should be.
 */
static void redraw(struct search *search, uint64_t number, struct rng *rng, double *ret_z)
{
    const struct fit_problem *problem = search->problem;
    double drawn[LAW_MAX_COEFFICIENTS] = {0}, middle[LAW_MAX_COEFFICIENTS] = {0};
    bool few = problem->n < FEW_RUNS;
    double share = few && rng_uniform(rng) < 0.5 ? 0.25 : 0.5, stretch = 1.0;

    if (few && rng_uniform(rng) < stretched_share)
        stretch = pow(stretch_most, rng_uniform(rng));
    fit_start_draw(problem, search->options->seed, 0, middle);
    fit_start_draw(problem, ~search->options->seed, number, drawn);
    for (size_t s = 0; s < search->screen.q; s++) {
        size_t j = search->screen.searched[s];

        if (rng_uniform(rng) < share)
            ret_z[j] = middle[j] + stretch * (drawn[j] - middle[j]);
    }
    fit_problem_clip(problem, ret_z);
    (void)varpro_value(&search->screen, ret_z);
    for (size_t j = 0; j < problem->p && problem->normalised; j++)
        if (problem->term[problem->index[j]] != SIZE_MAX && ret_z[j] == 0.0)
            ret_z[j] = least_share;
}

bool fit_jump_lacks_a_term(const struct search *search)
{
    const struct fit_problem *problem = search->problem;

    for (size_t j = 0; j < problem->p; j++)
        if (problem->term[problem->index[j]] != SIZE_MAX && search->found->z[j] == 0.0)
            return true;
    return false;
}

/* Down with other weights: half of the runs hardly count, or each as much as chance has it. */
static void reweigh(struct fit_jumps *jumps, struct rng *rng, double *z)
{
    const struct fit_problem *problem = jumps->search->problem;
    struct fit_polish *polish = jumps->search->polish;
    struct fit_polish_goal goal = {jumps->goal.delta, 1e-3, REWEIGH_STEPS, false};
    const double *kept = polish->weight;
    bool halves = rng_uniform(rng) < 0.5;

    memcpy(jumps->weight, kept, problem->n_rows * sizeof *kept);
    for (size_t i = 0; i < problem->n; i++) {
        double u = rng_uniform(rng);

        jumps->weight[i] *= !halves ? -log1p(-u) : u < 0.5 ? left_out : 1.0;
    }
    polish->weight = jumps->weight;
    (void)fit_polish_run(polish, &goal, z);
    polish->weight = kept;
}

size_t fit_jump_steps(const struct fit_jumps *jumps)
{
    return jumps->search->polish->steps + jumps->edge.polish.steps;
}

/* By the bowl; where that ends beyond what can be computed, by a redraw: in a flat bowl most do. */
static void jump(struct fit_jumps *jumps, uint64_t number, struct rng *rng, double *z)
{
    const struct fit_problem *problem = jumps->search->problem;
    double from[LAW_MAX_COEFFICIENTS];

    memcpy(from, z, problem->p * sizeof *from);
    fit_bowl_jump(&jumps->bowl, jump_least + (jump_most - jump_least) * rng_uniform(rng), rng, z);
    if (fit_problem_evaluate(problem, z, jumps->search->polish->trial, NULL))
        return;
    memcpy(z, from, problem->p * sizeof *z);
    redraw(jumps->search, number, rng, z);
}

/* Few runs are left in every way; many by jumps in place of the dearer ones. */
void fit_jump_leave(struct fit_jumps *jumps, uint64_t number, double *z)
{
    struct search *search = jumps->search;
    struct rng rng = rng_stream(search->options->seed, ~number);
    enum leave way = leaves[number % LEAVES];

    if (fit_jump_lacks_a_term(search) && number % 2 == 1)
        way = REDRAW;
    if ((way == TURN && !fit_edge_turns(search->problem)) ||
        (way == REWEIGH && search->problem->n >= FEW_RUNS))
        way = JUMP;
    if (way == JUMP && !jumps->has_bowl)
        way = REDRAW;
    if (way == JUMP)
        jump(jumps, number, &rng, z);
    else if (way == REDRAW)
        redraw(search, number, &rng, z);
    else if (way == REWEIGH)
        reweigh(jumps, &rng, z);
    else
        fit_edge_turn(&jumps->edge, &jumps->glance, number / LEAVES % FIT_EDGE_TURNS, z);
}

/* From the edge of numbers to the best that can be told: along it, or away from it where E_start
 * and E_max may turn. */
static struct fit_polished leave_edge(struct fit_jumps *jumps, double *z)
{
    struct search *search = jumps->search;
    double turned[LAW_MAX_COEFFICIENTS];
    struct fit_polished got, other;

    memcpy(turned, z, sizeof turned);
    fit_edge_walk(&jumps->edge, &jumps->goal, z);
    got = fit_polish_run(search->polish, &jumps->goal, z);
    if (!fit_edge_turns(search->problem))
        return got;
    fit_edge_turn(&jumps->edge, &jumps->goal, FIT_EDGE_DENSE, turned);
    other = fit_polish_run(search->polish, &jumps->goal, turned);
    if (!(other.objective < got.objective))
        return got;
    memcpy(z, turned, sizeof turned);
    return other;
}

/* Down from z: to the last digit if that is worth it. */
static struct fit_polished descend(struct fit_jumps *jumps, double *z)
{
    struct search *search = jumps->search;
    struct fit_polish *polish = search->polish;
    double best = search->found->objective;
    struct fit_polished got;

    polish->known = jumps->has_bowl ? fit_bowl_holds : NULL;
    polish->known_ctx = &jumps->bowl;
    got = fit_polish_run(polish, &jumps->glance, z);
    polish->known = NULL;
    if (got.known)
        got.objective = best;
    else if (got.objective < best * (1.0 + worth_walking) && jumps->walks < WALKS_ENOUGH &&
             fit_edge_reached(search->problem, z)) {
        got = leave_edge(jumps, z);
        jumps->walks++;
    } else if (got.objective < best * (1.0 + worth_polishing)) {
        got = fit_polish_run(polish, &jumps->goal, z);
    }
    return got;
}

enum err_code fit_jump_init(struct fit_jumps *jumps, struct search *search, struct arena *arena,
                            struct err *err)
{
    memset(jumps, 0, sizeof *jumps);
    jumps->search = search;
    jumps->goal = search_goal(search);
    jumps->glance = (struct fit_polish_goal){jumps->goal.delta, 1e-4, SEARCH_STEPS, false};
    jumps->weight = arena_calloc(arena, search->problem->n_rows + 1, sizeof *jumps->weight);
    if (jumps->weight == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", search->problem->n);
    return fit_edge_init(&jumps->edge, search->problem, arena, err);
}

void fit_jump_begin(struct fit_jumps *jumps)
{
    struct search *search = jumps->search;

    jumps->walks = 0;
    jumps->has_bowl = false;
    if (fit_edge_reached(search->problem, search->found->z)) {
        double z[LAW_MAX_COEFFICIENTS];
        struct fit_polished got;

        memcpy(z, search->found->z, sizeof z);
        got = leave_edge(jumps, z);
        (void)search_take(search, &got, z, 1);
    }
    jumps->has_bowl = fit_bowl_find(search->polish, search->found->z, &jumps->bowl);
}

bool fit_jump_down(struct fit_jumps *jumps, double *z)
{
    struct search *search = jumps->search;
    struct fit_polished got = descend(jumps, z);
    bool better = search_take(search, &got, z, 1);

    search->found->ended++;
    if (better) {
        jumps->walks = 0;
        jumps->has_bowl = fit_bowl_find(search->polish, search->found->z, &jumps->bowl);
    }
    return better;
}
