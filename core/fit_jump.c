/* Jumps away from a search's best point. The robust objective is nearly a sum of absolute values,
 * so there are shallow optima all along the valleys of a law, which every start from the box
 * shares, and others where a term serves other runs or changes place with another. */
#include <math.h>
#include <string.h>

#include "core/fit_bowl.h"
#include "core/fit_edge.h"
#include "core/fit_search_parts.h"
#include "core/fit_shape.h"
#include "core/rng.h"

enum {
    STARTS_A_JUMP = 8,    /* one jump for so many starts */
    JUMPS_LEAST = 6,      /* in a row without gain… */
    JUMPS_AGREEING = 4,   /* …and until so many searches have ended at the best point… */
    JUMPS_MOST = 16,      /* …but not for long: so many times the least… */
    LONGEST = 4,          /* …and so many times what is enough in a row */
    MANY_RUNS = 300,      /* fewer have more optima, and cost less: so many times the jumps… */
    MANY_IF_WIDE = 1000,  /* …with more coefficients than WIDE, some of which bend the law… */
    WIDE = 9,             /* … */
    MANY_IF_RARE = 3000,  /* …or where less than one search in RARE ends at the best point… */
    RARE = 8,             /* … */
    RARE_MOST = 32,       /* …and no more than so many… */
    MOST_FOR_FEW = 100,   /* …at most… */
    STEPS_ENOUGH = 12000, /* …as long as all descents together have no more steps */
    WALKS_ENOUGH = 10,    /* along the edge of numbers without gain: they are dear */
    REWEIGH_STEPS = 15,
    SHAPE_ROUNDS = 2,
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

/* A shape whose best point is no further above is worth leaving. */
static const double worth_freeing = 2.0;

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
static void redraw(struct search *search, size_t number, struct rng *rng, double *ret_z)
{
    const struct fit_problem *problem = search->problem;
    double drawn[LAW_MAX_COEFFICIENTS] = {0}, middle[LAW_MAX_COEFFICIENTS] = {0};
    bool few = problem->n < MANY_RUNS;
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

/* Whether the best point does without a term: another might do better with it, elsewhere. */
static bool lacks_a_term(const struct search *search)
{
    const struct fit_problem *problem = search->problem;

    for (size_t j = 0; j < problem->p; j++)
        if (problem->term[problem->index[j]] != SIZE_MAX && search->found->z[j] == 0.0)
            return true;
    return false;
}

/* How many jumps in a row without gain are enough of many runs. */
static size_t least_jumps(const struct search *search)
{
    size_t starts = search->options->starts / STARTS_A_JUMP;

    return starts > JUMPS_LEAST ? starts : JUMPS_LEAST;
}

/* And of these. */
static size_t patience(const struct search *search)
{
    const struct fit_problem *problem = search->problem;
    size_t many = problem->p > WIDE ? MANY_IF_WIDE : MANY_RUNS, times;

    if (RARE * search->found->agreeing < search->found->ended &&
        search->found->agreeing < RARE_MOST)
        many = MANY_IF_RARE;
    times = many / problem->n < MOST_FOR_FEW ? many / problem->n : MOST_FOR_FEW;
    if (lacks_a_term(search))
        times *= 2;
    return (times > 0 ? times : 1) * least_jumps(search);
}

/* What jumps work with. */
struct jumps {
    struct search *search;
    struct fit_polish_goal goal, glance;
    struct fit_bowl bowl;
    bool has_bowl;
    struct fit_edge edge;
    size_t walks;   /* along the edge that brought nothing better */
    size_t steps;   /* of all descents */
    double *weight; /* n_rows */
};

/* Down with other weights: half of the runs hardly count, or each as much as chance has it. */
static void reweigh(struct jumps *jumps, struct rng *rng, double *z)
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

/* Few runs are left in every way; many by jumps in place of the dearer ones. */
static void leave(struct jumps *jumps, size_t k, struct rng *rng, double *z)
{
    struct search *search = jumps->search;
    enum leave way = leaves[k % LEAVES];

    if (lacks_a_term(search) && k % 2 == 1)
        way = REDRAW;
    if ((way == TURN && !fit_edge_turns(search->problem)) ||
        (way == REWEIGH && search->problem->n >= MANY_RUNS))
        way = JUMP;
    if (way == JUMP && !jumps->has_bowl)
        way = REDRAW;
    if (way == JUMP)
        fit_bowl_jump(&jumps->bowl, jump_least + (jump_most - jump_least) * rng_uniform(rng), rng,
                      z);
    else if (way == REDRAW)
        redraw(search, k, rng, z);
    else if (way == REWEIGH)
        reweigh(jumps, rng, z);
    else
        fit_edge_turn(&jumps->edge, &jumps->glance, k / LEAVES % FIT_EDGE_TURNS, z);
}

/* From the edge of numbers to the best that can be told: along it, or away from it where E_start
 * and E_max may turn. */
static struct fit_polished leave_edge(struct jumps *jumps, double *z)
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
static struct fit_polished descend(struct jumps *jumps, double *z)
{
    struct search *search = jumps->search;
    struct fit_polish *polish = search->polish;
    double best = search->found->objective;
    struct fit_polished got;

    polish->known = jumps->has_bowl ? fit_bowl_holds : NULL;
    polish->known_ctx = &jumps->bowl;
    got = fit_polish_run(polish, &jumps->glance, z);
    polish->known = NULL;
    jumps->steps += got.iterations;
    if (got.known)
        got.objective = best;
    else if (got.objective < best * (1.0 + worth_walking) && jumps->walks < WALKS_ENOUGH &&
             fit_edge_reached(search->problem, z)) {
        got = leave_edge(jumps, z);
        jumps->walks++;
        jumps->steps += got.iterations;
    } else if (got.objective < best * (1.0 + worth_polishing)) {
        got = fit_polish_run(polish, &jumps->goal, z);
        jumps->steps += got.iterations;
    }
    return got;
}

static enum err_code begin(struct search *search, struct arena *arena, struct jumps *ret,
                           struct err *err)
{
    enum err_code code;

    memset(ret, 0, sizeof *ret);
    ret->search = search;
    ret->goal = search_goal(search);
    ret->glance = (struct fit_polish_goal){ret->goal.delta, 1e-4, SEARCH_STEPS, false};
    ret->weight = arena_calloc(arena, search->problem->n_rows + 1, sizeof *ret->weight);
    if (ret->weight == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", search->problem->n);
    code = fit_edge_init(&ret->edge, search->problem, arena, err);
    if (code == ERR_OK && fit_edge_reached(search->problem, search->found->z)) {
        double z[LAW_MAX_COEFFICIENTS];
        struct fit_polished got;

        memcpy(z, search->found->z, sizeof z);
        got = leave_edge(ret, z);
        (void)search_take(search, &got, z, 1);
    }
    ret->has_bowl = fit_bowl_find(search->polish, search->found->z, &ret->bowl);
    return code;
}

/* Descends from z and keeps what is better. */
static bool try_from(struct jumps *jumps, double *z)
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

/* From every shape to the best point that has it, and on from there if it is no hopeless one. */
static enum err_code try_shapes(struct jumps *jumps, struct err *err)
{
    struct search *search = jumps->search;
    double from[LAW_MAX_COEFFICIENTS], z[LAW_MAX_COEFFICIENTS];
    bool better = true, held[LAW_MAX_COEFFICIENTS];

    for (int round = 0; round < SHAPE_ROUNDS && better; round++) {
        better = false;
        memcpy(from, search->found->z, sizeof from);
        for (size_t shape = 0; shape < FIT_SHAPES; shape++) {
            memcpy(z, from, sizeof z);
            if (!fit_shape_set(search->problem, shape, z, held) ||
                !(fit_edge_hold(&jumps->edge, &jumps->glance, held, z).objective <
                  worth_freeing * search->found->objective))
                continue;
            better = try_from(jumps, z) || better;
            if (search_cancelled(search))
                return err_set(err, ERR_CANCELLED, "the fit was cancelled");
        }
    }
    return ERR_OK;
}

/* To the same shape in other coordinates: in the best ones a valley that has no end is shorter. */
static void try_turns(struct jumps *jumps)
{
    struct search *search = jumps->search;
    size_t agreeing = search->found->agreeing;

    for (size_t turn = 0; fit_edge_turns(search->problem) && turn < FIT_EDGE_TURNS; turn++) {
        double z[LAW_MAX_COEFFICIENTS];
        struct fit_polished got;

        memcpy(z, search->found->z, sizeof z);
        fit_edge_turn(&jumps->edge, &jumps->goal, turn, z);
        got = fit_polish_run(search->polish, &jumps->goal, z);
        (void)search_take(search, &got, z, 0);
        search->found->agreeing = agreeing;
    }
}

enum err_code fit_jump_about(struct search *search, struct arena *arena, struct err *err)
{
    size_t fruitless = 0;
    struct jumps jumps;
    enum err_code code = begin(search, arena, &jumps, err);

    if (code == ERR_OK)
        code = try_shapes(&jumps, err);
    for (size_t k = 0; search->problem->p > 0 && code == ERR_OK; k++) {
        size_t most = jumps.steps < STEPS_ENOUGH ? patience(search) : least_jumps(search);
        struct rng rng = rng_stream(search->options->seed, ~(uint64_t)k);
        double z[LAW_MAX_COEFFICIENTS];

        if ((fruitless >= most && search->found->agreeing >= JUMPS_AGREEING) ||
            k >= JUMPS_MOST * least_jumps(search) + LONGEST * most)
            break;
        memcpy(z, search->found->z, sizeof z);
        leave(&jumps, k, &rng, z);
        fruitless = try_from(&jumps, z) ? 0 : fruitless + 1;
        if (search_cancelled(search))
            code = err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    if (code == ERR_OK)
        try_turns(&jumps);
    return code;
}
