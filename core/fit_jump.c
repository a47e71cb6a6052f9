/* Jumps away from a search's best point. The robust objective is nearly a sum of absolute values,
 * so there are shallow optima all along the valleys of a law, which every start from the box
 * shares, and others where a term serves other runs or changes place with another. */
#include <math.h>
#include <string.h>

#include "core/fit_search_parts.h"
#include "core/rng.h"

enum {
    STARTS_A_JUMP = 8,  /* one jump for so many starts */
    JUMPS_LEAST = 6,    /* in a row without gain… */
    JUMPS_AGREEING = 4, /* …and until so many searches have ended at the best point… */
    JUMPS_MOST = 16,    /* …but not for long: so many times the least */
    JUMPS_A_REDRAW = 4, /* the last of so many redraws; of two where a term is empty */
    MANY_RUNS = 300,    /* fewer have more optima, and cost less */
    MORE_FOR_FEW = 5,   /* times the jumps at most */
};

/* A jump that nearly stands still further above the best objective than this has found another
 * optimum. */
static const double worth_polishing = 1e-3;

/* In standard deviations. Of 600 fits of simulated studies at 2 % noise, 37 came from a start to
 * another optimum than the best; after four jumps of 1 to 4 still 17 did, of 6 to 16 six, of 10 to
 * 20 two, of 30 to 60 six. */
static const double jump_least = 10.0, jump_most = 20.0;

/* What an amplitude of 0 becomes, as a share of the loss: at 0 its exponents go nowhere. */
static const double least_share = 0.05;

/* The best point and the shape of its bowl: a Cholesky factor of the scaled normal matrix, and the
 * spread of the residuals in units of their slope: together the asymptotic covariance of the robust
 * estimate. */
struct bowl {
    const struct search *search;
    struct fit_matrix factor;
    double scale[LAW_MAX_COEFFICIENTS], sd;
};

/* False where the runs say nothing of its shape. */
static bool find_bowl(const struct search *search, struct bowl *ret)
{
    const struct fit_problem *problem = search->problem;
    const struct fit_polish *polish = search->polish;
    double delta = fit_problem_delta(problem), squares = 0.0, inside = 0.0, total = 0.0;
    size_t p = problem->p;

    if (!fit_problem_evaluate(problem, search->found->z, polish->residual, polish->jacobian))
        return false;
    memset(ret, 0, sizeof *ret);
    ret->search = search;
    for (size_t i = 0; i < problem->n_rows; i++) {
        const double *row = polish->jacobian + i * problem->stride;
        double size = fmin(fabs(polish->residual[i]), delta), w = problem->weight[i];

        for (size_t j = 0; j < p; j++)
            for (size_t k = 0; k <= j; k++)
                ret->factor.at[j][k] += w * row[j] * row[k];
        if (i >= problem->n)
            continue;
        squares += w * size * size;
        inside += fabs(polish->residual[i]) <= delta ? w : 0.0;
        total += w;
    }
    for (size_t j = 0; j < p; j++)
        ret->scale[j] = sqrt(ret->factor.at[j][j]);
    for (size_t j = 0; j < p; j++)
        for (size_t k = 0; k <= j; k++)
            ret->factor.at[j][k] /=
                ret->scale[j] > 0.0 && ret->scale[k] > 0.0 ? ret->scale[j] * ret->scale[k] : 1.0;
    for (size_t j = 0; j < p; j++)
        ret->factor.at[j][j] += 1e-10; /* flat directions jump 1e5 residuals, not to infinity */
    ret->sd = sqrt(squares / total) / fmax(inside / total, 0.05);
    return fit_matrix_factor(&ret->factor, p);
}

/* The best point moved by a normal draw with the covariance (factor·factorᵀ)⁻¹. */
static void jump(const struct bowl *bowl, double length, struct rng *rng, double *ret_z)
{
    size_t p = bowl->search->problem->p;
    double u[LAW_MAX_COEFFICIENTS];

    for (size_t j = 0; j < p; j++)
        u[j] = length * bowl->sd * rng_normal(rng);
    for (size_t i = p; i-- > 0;) {
        for (size_t k = i + 1; k < p; k++)
            u[i] -= bowl->factor.at[k][i] * u[k];
        u[i] /= bowl->factor.at[i][i];
    }
    for (size_t j = 0; j < p; j++)
        if (bowl->scale[j] > 0.0)
            ret_z[j] += u[j] / bowl->scale[j];
    fit_problem_clip(bowl->search->problem, ret_z);
}

/* Half of the searched coordinates anew, and the amplitudes as they then should be. */
static void redraw(struct search *search, size_t number, struct rng *rng, double *ret_z)
{
    const struct fit_problem *problem = search->problem;
    double drawn[LAW_MAX_COEFFICIENTS] = {0};

    fit_start_draw(problem, ~search->options->seed, number, drawn);
    for (size_t s = 0; s < search->screen.q; s++)
        if (rng_uniform(rng) < 0.5)
            ret_z[search->screen.searched[s]] = drawn[search->screen.searched[s]];
    (void)varpro_value(&search->screen, ret_z);
    for (size_t j = 0; j < problem->p && problem->normalised; j++)
        if (problem->term[problem->index[j]] != SIZE_MAX && ret_z[j] == 0.0)
            ret_z[j] = least_share;
}

/* Nearer than half a standard deviation the law is as good as linear and the objective convex:
 * steps from there lead to the same optimum. */
static bool in_bowl(void *ctx, const double *z)
{
    static const double radius = 0.5;
    const struct bowl *bowl = ctx;
    size_t p = bowl->search->problem->p;
    double sum = 0.0;

    for (size_t i = 0; i < p; i++) {
        double along = 0.0;

        for (size_t k = i; k < p; k++)
            along += bowl->factor.at[k][i] * bowl->scale[k] * (z[k] - bowl->search->found->z[k]);
        sum += along * along;
    }
    return sum < radius * radius * bowl->sd * bowl->sd;
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
    size_t n = search->problem->n, times = 1;

    if (n < MANY_RUNS)
        times = MANY_RUNS / n < MORE_FOR_FEW ? MANY_RUNS / n : MORE_FOR_FEW;
    if (lacks_a_term(search))
        times *= 2;
    return times * least_jumps(search);
}

enum err_code fit_jump_about(struct search *search, struct err *err)
{
    struct fit_polish_goal goal = search_goal(search);
    struct fit_polish_goal glance = {goal.delta, 1e-4, SEARCH_STEPS, false};
    size_t fruitless = 0;
    struct bowl bowl;
    bool has_bowl = find_bowl(search, &bowl);

    for (size_t k = 0; search->problem->p > 0; k++) {
        size_t most = patience(search);
        size_t turn = lacks_a_term(search) ? JUMPS_A_REDRAW / 2 : JUMPS_A_REDRAW;
        struct rng rng = rng_stream(search->options->seed, ~(uint64_t)k);
        double z[LAW_MAX_COEFFICIENTS], length;
        struct fit_polished got;

        if ((fruitless >= most && search->found->agreeing >= JUMPS_AGREEING) ||
            k >= JUMPS_MOST * least_jumps(search) + most)
            break;
        memcpy(z, search->found->z, sizeof z);
        length = jump_least + (jump_most - jump_least) * rng_uniform(&rng);
        if (has_bowl && k % turn != turn - 1)
            jump(&bowl, length, &rng, z);
        else
            redraw(search, k, &rng, z);
        search->polish->known = has_bowl ? in_bowl : NULL;
        search->polish->known_ctx = &bowl;
        got = fit_polish_run(search->polish, &glance, z);
        search->polish->known = NULL;
        if (got.known)
            got.objective = search->found->objective;
        else if (got.objective < search->found->objective * (1.0 + worth_polishing))
            got = fit_polish_run(search->polish, &goal, z);
        search->found->ended++;
        fruitless++;
        if (search_take(search, &got, z, 1)) {
            fruitless = 0;
            has_bowl = find_bowl(search, &bowl);
        }
        if (search_cancelled(search))
            return err_set(err, ERR_CANCELLED, "the fit was cancelled");
    }
    return ERR_OK;
}
