/* fit_identify_rank: whether the Jacobian's columns are independent, and which is to be fixed if
 * not.
 */
#include <math.h>

#include "core/fit_identify.h"
#include "core/fit_start.h"
#include "core/lanes.h"
#include "core/preset.h"

enum { RANK_RUNS_MAX = 2000, RANK_POINTS = 3 };

/* A column with less than this share left beside the others depends on them. */
static const double dependent_share = 1e-8;

/* Amplitudes first, exponents of one variable, of more, saturations: so that of columns that depend
 * on each other the one named is the easiest to fix. */
static size_t naming_order(const struct fit_problem *problem, size_t *ret_order)
{
    const struct law *law = problem->law;
    size_t n = 0;

    for (int role = LAW_AMPLITUDE; role <= LAW_SATURATION; role++)
        for (size_t bits = 0; bits <= LAW_VARIABLE_COUNT; bits++)
            for (size_t j = 0; j < problem->p; j++) {
                const struct law_coefficient *c = &law->coefficients[problem->index[j]];

                if ((int)c->role == role && (size_t)__builtin_popcount(c->needs) == bits)
                    ret_order[n++] = j;
            }
    return n;
}

/* Gram-Schmidt in naming order over columns of m values; a bit per coordinate that depends on
 * earlier ones, and in ret_idle per one that moves nothing at all. */
static unsigned dependent_columns(const size_t *order, size_t p, size_t m, double *columns,
                                  unsigned *ret_idle)
{
    double norm[LAW_MAX_COEFFICIENTS];
    unsigned dependent = 0;

    *ret_idle = 0;
    for (size_t a = 0; a < p; a++) {
        double *column = columns + order[a] * m, before = lanes_dot(column, column, m);

        if (before == 0.0)
            *ret_idle |= 1u << order[a];
        for (int pass = 0; pass < 2; pass++)
            for (size_t b = 0; b < a; b++) {
                const double *earlier = columns + order[b] * m;

                if (!(dependent & (1u << order[b])))
                    lanes_add(column, -lanes_dot(column, earlier, m) / norm[b], earlier, m);
            }
        norm[a] = lanes_dot(column, column, m);
        if (!(norm[a] > dependent_share * dependent_share * before))
            dependent |= 1u << order[a];
    }
    return dependent;
}

enum err_code fit_identify_rank(const struct fit_options *options,
                                const struct fit_problem *problem, struct arena *arena,
                                struct err *err)
{
    const struct fit_problem *some = problem;
    struct fit_problem thin;
    size_t order[LAW_MAX_COEFFICIENTS], p = problem->p;
    const struct preset *preset = preset_for_law(problem->law->name);
    unsigned dependent = ~0u, idle = ~0u;
    double *residuals, *jacobian, *columns;

    if (p == 0)
        return ERR_OK;
    if (problem->n >= 2 * RANK_RUNS_MAX) {
        enum err_code code =
            fit_problem_thin(problem, problem->n / RANK_RUNS_MAX, arena, &thin, err);

        if (code != ERR_OK)
            return code;
        some = &thin;
    }
    residuals = arena_calloc(arena, some->n_rows, sizeof *residuals);
    jacobian = arena_calloc(arena, some->n_rows * some->stride, sizeof *jacobian);
    columns = arena_calloc(arena, some->n_rows * p, sizeof *columns);
    if (residuals == NULL || jacobian == NULL || columns == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for %zu runs", problem->n);
    (void)naming_order(problem, order);
    for (size_t point = 1; point <= RANK_POINTS && dependent != 0; point++) {
        double z[LAW_MAX_COEFFICIENTS];
        unsigned idle_here;

        fit_start_draw(problem, 0, point, z);
        for (size_t j = 0; j < p; j++)
            if (problem->term[problem->index[j]] != SIZE_MAX)
                z[j] = 1.0 / (double)problem->law->n_terms;
        if (!fit_problem_evaluate(some, z, residuals, jacobian))
            continue;
        /* What a prior determines does not depend on how well. */
        for (size_t m = 0; m < some->n_priors; m++)
            for (size_t j = 0; j < p; j++)
                jacobian[(some->n + m) * some->stride + j] *= some->prior[m].sd;
        for (size_t j = 0; j < p; j++)
            for (size_t i = 0; i < some->n_rows; i++)
                columns[j * some->n_rows + i] = jacobian[i * some->stride + j];
        dependent &= dependent_columns(order, p, some->n_rows, columns, &idle_here);
        idle &= idle_here;
    }
    if (dependent == ~0u) /* no point had finite values: the search will say so */
        return ERR_OK;
    /* A caller who insists on E_start and E_max gets them, at a bound and with a warning. */
    for (size_t j = 0; j < p; j++)
        if (options->hold[problem->index[j]] == FIT_FREE &&
            problem->law->coefficients[problem->index[j]].role == LAW_SATURATION)
            dependent &= ~(1u << j);
    if (dependent == 0)
        return ERR_OK;
    for (size_t j = 0; j < p; j++) {
        size_t i = problem->index[j];

        /* The published value: an exponent fixed at 0 would turn its term into a second floor. */
        if (dependent & (1u << j))
            fit_identify_refuse(
                err, &problem->law->coefficients[i],
                preset == NULL ? problem->law->coefficients[i].neutral : preset->coefficient[i],
                idle & (1u << j) ? "next to what is fixed it has no effect on any run"
                                 : "the runs have too few different values of its variables",
                !(idle & (1u << j)));
    }
    return err_set(err, ERR_NOT_IDENTIFIABLE,
                   "the %zu runs cannot determine every coefficient of law %s: see errors",
                   problem->n, problem->law->name);
}
