/* Chains of jumps: each leaves its best point again and again, and goes on from what is better,
 * until many jumps in a row bring nothing. A chain may be caught where few ways lead on; others,
 * begun elsewhere, seldom are in the same place. */
#include <math.h>
#include <string.h>

#include "core/fit_jump.h"
#include "core/fit_shape.h"

/* Of one chain. */
enum {
    STARTS_A_JUMP = 8,   /* one jump for so many starts */
    JUMPS_LEAST = 6,     /* in a row without gain… */
    JUMPS_AGREEING = 4,  /* …and until so many searches have ended at the best point… */
    JUMPS_MOST = 16,     /* …but not for long: so many times the least… */
    LONGEST = 4,         /* …and so many times what is enough in a row */
    MANY_RUNS = 600,     /* fewer have more optima, and cost less: so many times the jumps… */
    MANY_IF_WIDE = 1000, /* …with more coefficients than WIDE, some of which bend the law… */
    WIDE = 9,            /* … */
    MANY_IF_RARE = 3000, /* …or where runs lie far off or less than one search in RARE ends at the
                          * best point… */
    RARE = 8,            /* … */
    RARE_MOST = 32,      /* …and no more than so many… */
    MOST_FOR_FEW = 100,  /* …at most */
    SHAPE_ROUNDS = 2,
};

/* Of all chains. */
enum {
    CHAINS_ALIKE = 3,      /* so many more than end elsewhere have found the optimum… */
    CHAINS_ALIKE_LIES = 6, /* …and where runs lie far off… */
    CHAINS_MOST = 8,       /* …or so many have tried */
    ELSEWHERE = 20,        /* draws for a place to begin */
    ELSEWHERE_STEPS = 40,
};

/* Steps for every start asked for: after so many a chain waits only LAST times the least for a
 * gain, it ends after most, and after all of them no other begins; of fewer runs than CHEAP, whose
 * steps cost less, after twice as many. Long chains do better than more of them: of 60 fits of six
 * hard studies 19 missed with chains of half the length, 12 with these. */
enum { STEPS_ENOUGH = 400, LAST = 4, STEPS_MOST = 500, STEPS_ALL = 1120, CHEAP = 200 };

/* The share of a chain's searches that end at its best point where that is plainly the optimum. */
static const double plain = 0.75;

/* A shape whose best point is no further above is worth leaving. */
static const double worth_freeing = 2.0;

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

    if (search->lies || (RARE * search->found->agreeing < search->found->ended &&
                         search->found->agreeing < RARE_MOST))
        many = MANY_IF_RARE;
    times = many / problem->n < MOST_FOR_FEW ? many / problem->n : MOST_FOR_FEW;
    if (fit_jump_lacks_a_term(search))
        times *= 2;
    return (times > 0 ? times : 1) * least_jumps(search);
}

/* Whether a chain has jumped enough: `jumped` times, the last `fruitless` of them for nothing. */
static bool is_enough(const struct fit_jumps *jumps, size_t jumped, size_t fruitless, size_t steps)
{
    const struct search *search = jumps->search;
    size_t least = least_jumps(search), most = patience(search), starts = search->options->starts;

    if (jumped >= JUMPS_MOST * least + LONGEST * most || steps >= STEPS_MOST * starts)
        return true;
    if (steps >= STEPS_ENOUGH * starts)
        return fruitless >= LAST * least;
    return fruitless >= most && search->found->agreeing >= JUMPS_AGREEING;
}

/* From every shape to the best point that has it, and on from there if it is no hopeless one. */
static enum err_code try_shapes(struct fit_jumps *jumps, struct err *err)
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
            better = fit_jump_down(jumps, z) || better;
            if (search_cancelled(search))
                return err_set(err, ERR_CANCELLED, "the fit was cancelled");
        }
    }
    return ERR_OK;
}

/* To the same shape in other coordinates: in the best ones a valley that has no end is shorter. */
static void try_turns(struct fit_jumps *jumps)
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

/* One chain, from what search->found is. Numbers of different chains do not meet. */
static enum err_code run(struct fit_jumps *jumps, uint64_t chain, struct err *err)
{
    struct search *search = jumps->search;
    size_t fruitless = 0, before = fit_jump_steps(jumps);
    enum err_code code;

    fit_jump_begin(jumps);
    code = try_shapes(jumps, err);
    for (size_t k = 0;
         code == ERR_OK && !is_enough(jumps, k, fruitless, fit_jump_steps(jumps) - before); k++) {
        double z[LAW_MAX_COEFFICIENTS];

        memcpy(z, search->found->z, sizeof z);
        fit_jump_leave(jumps, chain << 32 | k, z);
        fruitless = fit_jump_down(jumps, z) ? 0 : fruitless + 1;
        if (search_cancelled(search))
            code = err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    if (code == ERR_OK)
        try_turns(jumps);
    return code;
}

/* A start that no search has had, descended; false when none has a finite value. */
static bool begin_elsewhere(struct search *search, uint64_t chain)
{
    struct fit_polish_goal goal = search_goal(search);

    for (uint64_t t = 0; t < ELSEWHERE && !isfinite(search->found->objective); t++) {
        double z[LAW_MAX_COEFFICIENTS] = {0};
        struct fit_polished got;

        fit_start_draw(search->problem, search->options->seed, chain << 32 | t, z);
        (void)varpro_descend(&search->screen, z, ELSEWHERE_STEPS);
        got = fit_polish_run(search->polish, &goal, z);
        (void)search_take(search, &got, z, 1);
        search->found->ended++;
    }
    return isfinite(search->found->objective);
}

/* Steps after which no other chain begins. */
static size_t steps_all(const struct search *search)
{
    return (search->problem->n < CHEAP ? 2 * STEPS_ALL : STEPS_ALL) * search->options->starts;
}

/* Adds what one more chain found to what all did. `alike` counts those that have it now, `others`
 * those that ended elsewhere. */
static void add(struct search *search, const struct fit_found *found, size_t *alike, size_t *others)
{
    struct fit_found *all = search->found;
    int order = search_compare(search, found->objective);
    struct fit_found sum = found->objective < all->objective ? *found : *all;

    sum.ended = all->ended + found->ended;
    sum.agreeing = order < 0    ? found->agreeing
                   : order == 0 ? all->agreeing + found->agreeing
                                : all->agreeing;
    if (order < 0) {
        *others += *alike;
        *alike = 0;
    }
    *(order > 0 ? others : alike) += 1;
    *all = sum;
}

/* Whether one chain is enough: of many runs, and where most searches ended at its best point and no
 * run lies far off, which a term may serve in a corner no search of that chain has seen. */
static bool is_plain(const struct search *search)
{
    const struct fit_found *found = search->found;

    return patience(search) == least_jumps(search) ||
           (!search->lies && (double)found->agreeing >= plain * (double)found->ended);
}

enum err_code fit_chain_all(struct search *search, struct arena *arena, struct err *err)
{
    struct fit_found *all = search->found;
    struct fit_jumps jumps;
    enum err_code code = ERR_OK;
    size_t alike = 1, others = 0, enough = search->lies ? CHAINS_ALIKE_LIES : CHAINS_ALIKE;

    if (search->problem->p == 0)
        return ERR_OK;
    code = fit_jump_init(&jumps, search, arena, err);
    if (code == ERR_OK)
        code = run(&jumps, 0, err);
    if (code != ERR_OK || is_plain(search))
        return code;
    for (uint64_t chain = 1; code == ERR_OK && chain < CHAINS_MOST && alike < others + enough &&
                             fit_jump_steps(&jumps) < steps_all(search);
         chain++) {
        struct fit_found found = {.objective = INFINITY};

        search->found = &found;
        if (begin_elsewhere(search, chain))
            code = run(&jumps, chain, err);
        search->found = all;
        add(search, &found, &alike, &others);
    }
    return code;
}
