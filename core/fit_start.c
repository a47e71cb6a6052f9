#include "core/fit_start.h"

#include <math.h>
#include <string.h>

#include "core/rng.h"

enum { FRAME_RUNS_MAX = 512 /* enough to see where the runs lie */ };

/* The middle of a coefficient's box, in its transform. */
static void box_of(const struct law_coefficient *c, double *ret_low, double *ret_high)
{
    double a = law_to_transform(c->transform, c->search_lower);
    double b = law_to_transform(c->transform, c->search_upper);

    *ret_low = fmin(a, b);
    *ret_high = fmax(a, b);
}

static size_t bits(unsigned mask)
{
    size_t count = 0;

    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

/* Exponents without bounds are the ones ln φ is linear in; main effects first. */
static void set_order(struct fit_start *start)
{
    const struct law *law = start->problem->law;

    for (size_t level = 0; level <= LAW_VARIABLE_COUNT; level++)
        for (size_t i = 0; i < law->n_coefficients; i++) {
            const struct law_coefficient *c = &law->coefficients[i];

            if (c->role == LAW_EXPONENT && c->transform == LAW_IDENTITY && isinf(c->lower) &&
                isinf(c->upper) && bits(c->needs) == level)
                start->order[start->count++] = i;
        }
}

/* Features of one exponent over (run, term), each term's mean over the runs taken out. */
static void features(const struct fit_start *start, const double *natural, size_t stride,
                     size_t runs, double *phi, double *dphi, double *ret)
{
    const struct fit_problem *problem = start->problem;
    const struct law *law = problem->law;
    size_t k_count = law->n_terms, c_count = law->n_coefficients, rows = runs * k_count;

    for (size_t r = 0; r < runs; r++) {
        law->terms(natural, &problem->x[r * stride], 1, phi, dphi);
        for (size_t k = 0; k < k_count; k++)
            for (size_t o = 0; o < start->count; o++) {
                double z = dphi[k * c_count + start->order[o]] / phi[k];

                ret[o * rows + r * k_count + k] = isfinite(z) ? z : 0.0;
            }
    }
    for (size_t o = 0; o < start->count; o++)
        for (size_t k = 0; k < k_count; k++) {
            double mean = 0.0;

            for (size_t r = 0; r < runs; r++)
                mean += ret[o * rows + r * k_count + k];
            mean /= (double)runs;
            for (size_t r = 0; r < runs; r++)
                ret[o * rows + r * k_count + k] -= mean;
        }
}

/* Gram-Schmidt; what is left of a feature that earlier ones explain mixes with nothing. */
static void orthogonalise(struct fit_start *start, double *z, size_t rows)
{
    double norm[LAW_MAX_COEFFICIENTS];

    for (size_t j = 0; j < start->count; j++) {
        double *column = z + j * rows, before = 0.0;

        norm[j] = 0.0;
        for (size_t r = 0; r < rows; r++)
            before += column[r] * column[r];
        for (size_t i = 0; i < j; i++) {
            const double *other = z + i * rows;
            double dot = 0.0;

            if (norm[i] <= 0.0)
                continue;
            for (size_t r = 0; r < rows; r++)
                dot += other[r] * column[r];
            start->mix[i][j] = dot / norm[i];
            for (size_t r = 0; r < rows; r++)
                column[r] -= start->mix[i][j] * other[r];
        }
        for (size_t r = 0; r < rows; r++)
            norm[j] += column[r] * column[r];
        if (norm[j] <= 1e-20 * before)
            norm[j] = 0.0;
    }
}

enum err_code fit_start_init(struct fit_start *start, const struct fit_problem *problem,
                             struct arena *arena, struct err *err)
{
    const struct law *law = problem->law;
    size_t stride = (problem->n + FRAME_RUNS_MAX - 1) / FRAME_RUNS_MAX;
    size_t runs = (problem->n + stride - 1) / stride, rows = runs * law->n_terms;
    double natural[LAW_MAX_COEFFICIENTS], phi[LAW_MAX_TERMS];
    double dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS], *z;

    memset(start, 0, sizeof *start);
    start->problem = problem;
    set_order(start);
    for (size_t i = 0; i < law->n_coefficients; i++) {
        double low, high;

        box_of(&law->coefficients[i], &low, &high);
        natural[i] = law_from_transform(law->coefficients[i].transform, 0.5 * (low + high));
        if (problem->coordinate[i] == SIZE_MAX && law->coefficients[i].role == LAW_SATURATION)
            natural[i] = problem->fixed[i];
    }
    z = arena_calloc(arena, start->count * rows + 1, sizeof *z);
    if (z == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for the starts");
    features(start, natural, stride, runs, phi, dphi, z);
    orthogonalise(start, z, rows);
    return ERR_OK;
}

/* A value of the box, or of the prior where there is one. */
static double draw(const struct fit_problem *problem, size_t i, struct rng *rng, size_t number)
{
    double low, high, at = number == 0 ? 0.5 : rng_uniform(rng);

    for (size_t m = 0; m < problem->n_priors; m++)
        if (problem->prior[m].coefficient == i)
            return problem->prior[m].mean +
                   (number == 0 ? 0.0 : problem->prior[m].sd * rng_normal(rng));
    box_of(&problem->law->coefficients[i], &low, &high);
    return low + at * (high - low);
}

void fit_start_draw(const struct fit_start *start, uint64_t seed, size_t number, double *ret_z)
{
    const struct fit_problem *problem = start->problem;
    struct rng rng = rng_stream(seed, number);
    double value[LAW_MAX_COEFFICIENTS];

    for (size_t j = 0; j < problem->p; j++) {
        size_t i = problem->index[j];

        ret_z[j] = problem->term[i] == SIZE_MAX ? draw(problem, i, &rng, number) : 0.0;
    }
    for (size_t o = start->count; o-- > 0;) {
        size_t i = start->order[o], j = problem->coordinate[i];

        value[o] = j == SIZE_MAX ? problem->fixed[i] : ret_z[j];
        for (size_t later = o + 1; later < start->count && j != SIZE_MAX; later++)
            value[o] -= start->mix[o][later] * value[later];
        if (j != SIZE_MAX)
            ret_z[j] = value[o];
    }
    fit_problem_clip(problem, ret_z);
}

void fit_start_frame(const struct fit_start *start, struct fit_matrix *ret)
{
    const struct fit_problem *problem = start->problem;

    memset(ret, 0, sizeof *ret);
    for (size_t j = 0; j < problem->p; j++)
        ret->at[j][j] = 1.0;
    /* Column of frame coordinate `o`: itself, and earlier ones give way in back-substitution. */
    for (size_t o = 0; o < start->count; o++) {
        size_t column = problem->coordinate[start->order[o]];
        double move[LAW_MAX_COEFFICIENTS] = {0};

        if (column == SIZE_MAX)
            continue;
        move[o] = 1.0;
        for (size_t e = o; e-- > 0;) {
            size_t row = problem->coordinate[start->order[e]];

            if (row == SIZE_MAX)
                continue;
            for (size_t later = e + 1; later <= o; later++)
                move[e] -= start->mix[e][later] * move[later];
            ret->at[row][column] = move[e];
        }
    }
}
