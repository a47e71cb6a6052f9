#include "core/fit_identify.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/fit_start.h"
#include "core/lanes.h"
#include "core/law_parts.h"
#include "core/preset.h"

enum { SATURATION_LEVELS = 4, RANK_RUNS_MAX = 2000, RANK_POINTS = 3, LEVELS_MAX = 16 };

/* ln N and ln D explain each other to this share of their spread: parameter counts are integers, so
 * "D = 20·N" holds to rounding only. */
static const double collinear_share = 1e-5;

/* A column of the Jacobian with less than this share left beside the others depends on them. */
static const double dependent_share = 1e-8;

double fit_identify_value(const struct obs *obs, enum law_variable variable)
{
    switch (variable) {
    case LAW_N_ACTIVE:
        return obs->n_active;
    case LAW_N_TOTAL:
        return obs->n_total;
    case LAW_TOKENS:
        return obs->tokens;
    case LAW_EXPERTS:
        return obs->experts;
    case LAW_GRANULARITY:
        return obs->granularity;
    case LAW_VARIABLE_COUNT:
        break;
    }
    return NAN;
}

bool fit_identify_same(const struct obs *a, const struct obs *b)
{
    return a->n_active == b->n_active && a->tokens == b->tokens && a->experts == b->experts &&
           a->granularity == b->granularity &&
           (a->n_total == b->n_total || (isnan(a->n_total) && isnan(b->n_total)));
}

size_t fit_identify_levels(const struct obs *obs, size_t count, enum law_variable variable,
                           size_t most)
{
    double seen[LEVELS_MAX] = {0};
    size_t levels = 0;

    if (most > LEVELS_MAX)
        most = LEVELS_MAX;
    for (size_t i = 0; i < count && levels < most; i++) {
        double value = fit_identify_value(&obs[i], variable);
        size_t k = 0;

        while (k < levels && seen[k] != value)
            k++;
        if (k == levels)
            seen[levels++] = value;
    }
    return levels;
}

/* Sorting puts equal configurations side by side only for the variables obs_compare sees first; a
 * law that reads fewer may see the same one again later. Each is looked up among those found, up to
 * the few that decide anything. */
size_t fit_identify_configurations(const struct law *law, const struct obs *obs, size_t count)
{
    enum { ENOUGH = 4 * LAW_MAX_COEFFICIENTS };
    size_t found[ENOUGH], n = 0;

    for (size_t i = 0; i < count && n < ENOUGH; i++) {
        bool is_new = true;

        for (size_t k = 0; k < n && is_new; k++) {
            bool same = true;

            for (int v = 0; v < LAW_VARIABLE_COUNT && same; v++)
                same = !law_reads(law, (enum law_variable)v) ||
                       fit_identify_value(&obs[i], (enum law_variable)v) ==
                           fit_identify_value(&obs[found[k]], (enum law_variable)v);
            is_new = !same;
        }
        if (is_new)
            found[n++] = i;
    }
    return n;
}

static void covariances(const struct law *law, const struct obs *obs, size_t count, double *ret_nn,
                        double *ret_nd, double *ret_dd)
{
    double n_mean = 0.0, d_mean = 0.0;

    *ret_nn = *ret_nd = *ret_dd = 0.0;
    for (size_t i = 0; i < count; i++) {
        n_mean += log(fit_identify_value(&obs[i], law->size_variable));
        d_mean += log(obs[i].tokens);
    }
    n_mean /= (double)count;
    d_mean /= (double)count;
    for (size_t i = 0; i < count; i++) {
        double n = log(fit_identify_value(&obs[i], law->size_variable)) - n_mean;
        double d = log(obs[i].tokens) - d_mean;

        *ret_nn += n * n;
        *ret_nd += n * d;
        *ret_dd += d * d;
    }
}

double fit_identify_collinearity(const struct law *law, const struct obs *obs, size_t count)
{
    double nn, nd, dd;

    covariances(law, obs, count, &nn, &nd, &dd);
    return nn > 0.0 && dd > 0.0 ? nd / sqrt(nn * dd) : 0.0;
}

/* E_start and E_max as the caller left them: pinned unless enough values of E were seen. */
static bool stays_pinned(const struct fit_options *options, size_t i, const struct obs *obs,
                         size_t count)
{
    return options->law->coefficients[i].role == LAW_SATURATION &&
           options->hold[i] == FIT_DEFAULT && !options->prior[i].set &&
           fit_identify_levels(obs, count, LAW_EXPERTS, SATURATION_LEVELS) < SATURATION_LEVELS;
}

enum err_code fit_identify_free(const struct fit_options *options, const struct obs *obs,
                                size_t count, bool *ret_free, bool *ret_pinned, double *ret_natural,
                                struct err *err)
{
    const struct law *law = options->law;
    enum err_code code = ERR_OK;
    size_t e_start = law_coefficient_index(law, "E_start");
    size_t e_max = law_coefficient_index(law, "E_max");

    for (size_t i = 0; i < law->n_coefficients; i++) {
        const struct law_coefficient *c = &law->coefficients[i];
        char pointer[64];

        ret_pinned[i] = stays_pinned(options, i, obs, count);
        ret_free[i] = options->hold[i] != FIT_FIXED && !ret_pinned[i];
        ret_natural[i] = options->hold[i] == FIT_FIXED ? options->fixed[i] : c->neutral;
        if (options->hold[i] != FIT_FIXED ||
            (options->fixed[i] >= c->lower && options->fixed[i] <= c->upper &&
             (isfinite(options->fixed[i]) || c->transform == LAW_RECIPROCAL)))
            continue;
        (void)snprintf(pointer, sizeof pointer, "/fixed/%s", c->name);
        code = err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                       "%s must be a number from %g to %g", c->name, c->lower, c->upper);
    }
    if (code == ERR_OK && e_start < law->n_coefficients && e_max < law->n_coefficients &&
        !ret_free[e_start] && !ret_free[e_max] && !(ret_natural[e_start] < ret_natural[e_max]))
        code = err_add(err, ERR_INVALID, ERR_AT_POINTER, "/fixed/E_start", 0,
                       "E_start (%g) must be less than E_max (%g)", ret_natural[e_start],
                       ret_natural[e_max]);
    return code;
}

static void add_field(struct err *err, const struct law_coefficient *c, double value,
                      const char *because)
{
    char pointer[64];

    (void)snprintf(pointer, sizeof pointer, "/fixed/%s", c->name);
    (void)err_add(err, ERR_NOT_IDENTIFIABLE, ERR_AT_POINTER, pointer, 0,
                  "%s, so %s cannot be determined: add runs that differ in it, or fix %s "
                  "(\"fixed\": {\"%s\": %g})",
                  because, c->name, c->name, c->name, value);
}

/* A value to fix a coefficient at. Neutral takes its term away, or the variable's part in it; but
 * where a term is held up by its amplitude, an exponent of 0 would make it a second floor: then the
 * published value. */
static double value_to_fix(const struct fit_options *options, size_t coefficient)
{
    const struct law *law = options->law;
    const struct preset *preset = preset_for_law(law->name);
    bool held = false;

    for (size_t i = 0; i < law->n_coefficients; i++)
        held = held ||
               (law->coefficients[i].role == LAW_AMPLITUDE && law->coefficients[i].needs != 0 &&
                (options->prior[i].set ||
                 (options->hold[i] == FIT_FIXED && options->fixed[i] != 0.0)));
    return held && law->coefficients[coefficient].role == LAW_EXPONENT && preset != NULL
               ? preset->coefficient[coefficient]
               : law->coefficients[coefficient].neutral;
}

/* One field for each free coefficient that needs a variable which never varied. */
static size_t add_never_varied(const struct fit_options *options, const bool *is_free,
                               const struct obs *obs, size_t count, struct err *err)
{
    const struct law *law = options->law;
    size_t added = 0;
    unsigned constant = 0;

    for (int v = 0; v < LAW_VARIABLE_COUNT; v++)
        if (law_reads(law, (enum law_variable)v) &&
            fit_identify_levels(obs, count, (enum law_variable)v, 2) < 2)
            constant |= LAW_BIT(v);
    for (size_t i = 0; i < law->n_coefficients; i++) {
        unsigned missing = law->coefficients[i].needs & constant;
        char because[128];
        int v = 0;

        if (!is_free[i] || options->prior[i].set || missing == 0)
            continue;
        while (!(missing & LAW_BIT(v)))
            v++;
        (void)snprintf(because, sizeof because, "%s never varied (it is %.10g in every run)",
                       law_variable_name((enum law_variable)v),
                       fit_identify_value(&obs[0], (enum law_variable)v));
        add_field(err, &law->coefficients[i], value_to_fix(options, i), because);
        added++;
    }
    return added;
}

/* The free exponent, without a prior, that needs just this variable; n_coefficients if none. */
static size_t lone_exponent(const struct fit_options *options, const bool *is_free,
                            enum law_variable variable)
{
    const struct law *law = options->law;

    for (size_t i = 0; i < law->n_coefficients; i++)
        if (law->coefficients[i].role == LAW_EXPONENT && is_free[i] && !options->prior[i].set &&
            law->coefficients[i].needs == LAW_BIT(variable))
            return i;
    return law->n_coefficients;
}

/* With D = k·N^t the size and the data term are powers of one variable: exchanging them gives the
 * same losses, so that no run can tell which is which. */
static bool add_collinear(const struct fit_options *options, const bool *is_free,
                          const struct obs *obs, size_t count, struct err *err)
{
    const struct law *law = options->law;
    size_t of_size = lone_exponent(options, is_free, law->size_variable);
    size_t of_tokens = lone_exponent(options, is_free, LAW_TOKENS);
    const struct preset *preset = preset_for_law(law->name);
    double nn, nd, dd;
    char because[160];

    if (of_size == law->n_coefficients || of_tokens == law->n_coefficients)
        return false;
    covariances(law, obs, count, &nn, &nd, &dd);
    if (!(nn > 0.0 && dd > 0.0) || dd - nd * nd / nn > collinear_share * collinear_share * dd)
        return false;
    (void)snprintf(because, sizeof because,
                   "%s and tokens move together in every run (tokens per parameter %.4g to %.4g), "
                   "so the runs cannot tell their effects apart",
                   law_variable_name(law->size_variable),
                   obs[0].tokens / fit_identify_value(&obs[0], law->size_variable),
                   obs[count - 1].tokens / fit_identify_value(&obs[count - 1], law->size_variable));
    for (int pass = 0; pass < 2; pass++) {
        size_t i = pass == 0 ? of_size : of_tokens;
        const struct law_coefficient *c = &law->coefficients[i];
        char pointer[64];

        (void)snprintf(pointer, sizeof pointer, "/fixed/%s", c->name);
        (void)err_add(err, ERR_NOT_IDENTIFIABLE, ERR_AT_POINTER, pointer, 0,
                      "%s: add runs at another ratio, or fix %s (\"fixed\": {\"%s\": %g}, as "
                      "published)",
                      because, c->name, c->name,
                      preset == NULL ? c->neutral : preset->coefficient[i]);
    }
    return true;
}

enum err_code fit_identify_runs(const struct fit_options *options, const bool *is_free,
                                const struct obs *obs, size_t count, struct err *err)
{
    const struct law *law = options->law;
    size_t p = 0, priors = 0, configurations;

    for (size_t i = 0; i < law->n_coefficients; i++) {
        p += is_free[i] ? 1 : 0;
        priors += is_free[i] && options->prior[i].set ? 1 : 0;
    }
    if (count == 0 || (p > 0 && count + priors <= p)) {
        if (count > 0)
            (void)add_never_varied(options, is_free, obs, count, err);
        return err_set(err, ERR_TOO_FEW_EXPERIMENTS,
                       "law %s has %zu free coefficients, so it takes at least %zu runs of "
                       "different configurations; there are %zu runs",
                       law->name, p, p + 1 - (priors < p ? priors : p), count);
    }
    if (add_never_varied(options, is_free, obs, count, err) > 0)
        return err_set(err, ERR_NOT_IDENTIFIABLE,
                       "the %zu runs cannot determine every coefficient of law %s: see errors",
                       count, law->name);
    if (add_collinear(options, is_free, obs, count, err))
        return err_set(err, ERR_NOT_IDENTIFIABLE,
                       "the %zu runs cannot determine every coefficient of law %s: see errors",
                       count, law->name);
    configurations = fit_identify_configurations(law, obs, count);
    if (p > 0 && configurations + priors <= p)
        return err_set(err, ERR_TOO_FEW_EXPERIMENTS,
                       "law %s has %zu free coefficients, so it takes at least %zu runs of "
                       "different configurations; the %zu runs have %zu different ones",
                       law->name, p, p + 1 - (priors < p ? priors : p), count, configurations);
    return ERR_OK;
}

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
 * earlier ones. */
static unsigned dependent_columns(const size_t *order, size_t p, size_t m, double *columns)
{
    double norm[LAW_MAX_COEFFICIENTS];
    unsigned dependent = 0;

    for (size_t a = 0; a < p; a++) {
        double *column = columns + order[a] * m, before = lanes_dot(column, column, m);

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
    unsigned dependent = ~0u;
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
        dependent &= dependent_columns(order, p, some->n_rows, columns);
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
            add_field(err, &problem->law->coefficients[i],
                      preset == NULL ? problem->law->coefficients[i].neutral
                                     : preset->coefficient[i],
                      "the runs have too few different values of its variables");
    }
    return err_set(err, ERR_NOT_IDENTIFIABLE,
                   "the %zu runs cannot determine every coefficient of law %s: see errors",
                   problem->n, problem->law->name);
}
