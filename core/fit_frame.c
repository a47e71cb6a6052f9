#include "core/fit_frame.h"

#include <math.h>
#include <string.h>

enum { ROWS_MAX = FIT_FRAME_RUNS * LAW_MAX_TERMS };

/* A feature that earlier ones explain but for this share has no effect of its own. */
static const double explained_share = 1e-10;

static size_t bits(unsigned mask)
{
    size_t count = 0;

    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

void fit_frame_init(struct fit_frame *frame, const struct law *law)
{
    memset(frame, 0, sizeof *frame);
    for (size_t level = 0; level <= LAW_VARIABLE_COUNT; level++)
        for (size_t i = 0; i < law->n_coefficients; i++) {
            const struct law_coefficient *c = &law->coefficients[i];

            if (c->role == LAW_EXPONENT && c->transform == LAW_IDENTITY && isinf(c->lower) &&
                isinf(c->upper) && bits(c->needs) == level)
                frame->order[frame->count++] = i;
        }
    for (size_t j = 0; j < LAW_MAX_COEFFICIENTS; j++)
        frame->norm[j] = 1.0;
}

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Column `o` of ret: the feature of exponent order[o], each term's mean over the runs taken out. */
static void features(const struct fit_frame *frame, const struct law *law, const double *natural,
                     const struct law_x *x, size_t count, double (*ret)[ROWS_MAX])
{
    size_t k_count = law->n_terms, c_count = law->n_coefficients;
    double phi[LAW_MAX_TERMS], dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS];

    memset(dphi, 0, sizeof dphi);
    for (size_t r = 0; r < count; r++) {
        law->terms(natural, &x[r], 1, phi, dphi);
        for (size_t o = 0; o < frame->count; o++)
            for (size_t k = 0; k < k_count; k++) {
                double z = dphi[k * c_count + frame->order[o]] / phi[k];

                ret[o][k * count + r] = isfinite(z) ? z : 0.0;
            }
    }
    for (size_t o = 0; o < frame->count; o++) {
        double before = dot(ret[o], ret[o], k_count * count);

        for (size_t k = 0; k < k_count; k++) {
            double mean = 0.0;

            for (size_t r = 0; r < count; r++)
                mean += ret[o][k * count + r];
            mean /= (double)count;
            for (size_t r = 0; r < count; r++)
                ret[o][k * count + r] -= mean;
        }
        /* The same in every run, but for the mean's rounding. */
        if (!(dot(ret[o], ret[o], k_count * count) > explained_share * explained_share * before))
            memset(ret[o], 0, k_count * count * sizeof *ret[o]);
    }
}

void fit_frame_set(struct fit_frame *frame, const struct law *law, const double *natural,
                   const struct law_x *x, size_t count)
{
    double z[LAW_MAX_COEFFICIENTS][ROWS_MAX], square[LAW_MAX_COEFFICIENTS];
    size_t rows = count * law->n_terms;

    if (frame->count == 0)
        return;
    features(frame, law, natural, x, count, z);
    for (size_t j = 0; j < frame->count; j++) {
        double before = dot(z[j], z[j], rows);

        for (size_t i = 0; i < j; i++) {
            double share = square[i] > 0.0 ? dot(z[i], z[j], rows) / square[i] : 0.0;

            frame->mix[i][j] = share;
            for (size_t r = 0; share != 0.0 && r < rows; r++)
                z[j][r] -= share * z[i][r];
        }
        square[j] = dot(z[j], z[j], rows);
        if (!(square[j] > explained_share * explained_share * before))
            square[j] = 0.0;
        frame->norm[j] = square[j] > 0.0 ? sqrt(square[j] / (double)count) : 1.0;
    }
}

void fit_frame_exponents(const struct fit_frame *frame, const bool *is_free, const double *effect,
                         double *natural)
{
    for (size_t o = frame->count; o-- > 0;) {
        double value = effect[o] / frame->norm[o];

        if (!is_free[frame->order[o]])
            continue;
        for (size_t l = o + 1; l < frame->count; l++)
            value -= frame->mix[o][l] * natural[frame->order[l]];
        natural[frame->order[o]] = value;
    }
}

void fit_frame_effects(const struct fit_frame *frame, const double *natural, double *ret_effect)
{
    for (size_t o = 0; o < frame->count; o++) {
        ret_effect[o] = natural[frame->order[o]];
        for (size_t l = o + 1; l < frame->count; l++)
            ret_effect[o] += frame->mix[o][l] * natural[frame->order[l]];
        ret_effect[o] *= frame->norm[o];
    }
}

void fit_frame_slopes(const struct fit_frame *frame, const bool *is_free,
                      double (*ret)[LAW_MAX_COEFFICIENTS])
{
    memset(ret, 0, LAW_MAX_COEFFICIENTS * sizeof *ret);
    for (size_t l = 0; l < frame->count; l++) {
        if (!is_free[frame->order[l]])
            continue;
        ret[l][l] = 1.0 / frame->norm[l];
        for (size_t o = l; o-- > 0;) {
            if (!is_free[frame->order[o]])
                continue;
            for (size_t m = o + 1; m <= l; m++)
                ret[o][l] -= frame->mix[o][m] * ret[m][l];
        }
    }
}
