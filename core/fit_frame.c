#include "core/fit_frame.h"

#include <math.h>
#include <string.h>

/* A feature that earlier ones explain but for this share has no effect of its own. */
static const double explained_share = 1e-10;

static size_t bits(unsigned mask)
{
    size_t count = 0;

    for (; mask != 0; mask &= mask - 1)
        count++;
    return count;
}

/* Which terms an exponent moves. */
static unsigned moved(const struct law *law, size_t coefficient, const double *dphi, size_t count)
{
    unsigned in = 0;

    for (size_t k = 0; k < law->n_terms; k++)
        for (size_t r = 0; r < count; r++)
            if (dphi[(k * law->n_coefficients + coefficient) * count + r] != 0.0)
                in |= 1u << k;
    return in;
}

/* Whether ln φ is linear in an exponent: its slopes phi and dphi stay when the exponent moves. */
static bool is_linear(const struct law *law, const double *natural, size_t coefficient,
                      const struct law_x *x, size_t count, const double *phi, const double *dphi)
{
    static const double step = 0.125, rounding = 1e-9;
    double moved_phi[LAW_MAX_TERMS * FIT_FRAME_RUNS], at[LAW_MAX_COEFFICIENTS];
    double moved_dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS * FIT_FRAME_RUNS] = {0};

    memcpy(at, natural, law->n_coefficients * sizeof *at);
    at[coefficient] += step;
    law->terms(at, x, count, moved_phi, moved_dphi);
    for (size_t k = 0; k < law->n_terms; k++)
        for (size_t r = 0; r < count; r++) {
            size_t slope = (k * law->n_coefficients + coefficient) * count + r;
            double was = dphi[slope] / phi[k * count + r];
            double is = moved_dphi[slope] / moved_phi[k * count + r];

            if (fabs(is - was) > rounding * fabs(was))
                return false;
        }
    return true;
}

void fit_frame_init(struct fit_frame *frame, const struct law *law, const double *natural,
                    const struct law_x *x, size_t count)
{
    double phi[LAW_MAX_TERMS * FIT_FRAME_RUNS];
    double dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS * FIT_FRAME_RUNS] = {0};

    memset(frame, 0, sizeof *frame);
    law->terms(natural, x, count, phi, dphi);
    for (size_t level = 0; level <= LAW_VARIABLE_COUNT; level++)
        for (size_t i = 0; i < law->n_coefficients; i++) {
            const struct law_coefficient *c = &law->coefficients[i];

            if (c->role != LAW_EXPONENT || c->transform != LAW_IDENTITY || !isinf(c->lower) ||
                !isinf(c->upper) || bits(c->needs) != level ||
                !is_linear(law, natural, i, x, count, phi, dphi))
                continue;
            frame->in[frame->count] = moved(law, i, dphi, count);
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

/* A feature: the terms of `in` (bits) by runs; the other terms' values are 0 and not looked at. */
struct feature {
    unsigned in;
    double z[LAW_MAX_TERMS][FIT_FRAME_RUNS];
};

static double feature_dot(const struct feature *a, const struct feature *b, size_t count)
{
    double sum = 0.0;

    for (size_t k = 0; k < LAW_MAX_TERMS; k++)
        if (a->in & b->in & 1u << k)
            sum += dot(a->z[k], b->z[k], count);
    return sum;
}

/* a −= share·b */
static void feature_less(struct feature *a, double share, const struct feature *b, size_t count)
{
    for (size_t k = 0; k < LAW_MAX_TERMS; k++) {
        if (!(b->in & 1u << k))
            continue;
        if (!(a->in & 1u << k))
            memset(a->z[k], 0, count * sizeof a->z[k][0]);
        a->in |= 1u << k;
        for (size_t r = 0; r < count; r++)
            a->z[k][r] -= share * b->z[k][r];
    }
}

/* One exponent's ∂ ln φ_k/∂θ, its mean over the runs taken out; false where that leaves nothing. */
static bool set_term(const double *phi, const double *slope, size_t count, double *ret)
{
    double mean = 0.0, before = 0.0;

    for (size_t r = 0; r < count; r++) {
        double z = slope[r] / phi[r];

        ret[r] = isfinite(z) ? z : 0.0;
        mean += ret[r];
        before += ret[r] * ret[r];
    }
    mean /= (double)count;
    for (size_t r = 0; r < count; r++)
        ret[r] -= mean;
    /* The same in every run, but for the mean's rounding. */
    return dot(ret, ret, count) > explained_share * explained_share * before;
}

static void features(const struct fit_frame *frame, const struct law *law, const double *natural,
                     const struct law_x *x, size_t count, struct feature *ret)
{
    size_t c_count = law->n_coefficients;
    double phi[LAW_MAX_TERMS * FIT_FRAME_RUNS];
    double dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS * FIT_FRAME_RUNS];

    law->terms(natural, x, count, phi, dphi);
    for (size_t o = 0; o < frame->count; o++) {
        ret[o].in = 0;
        for (size_t k = 0; k < law->n_terms; k++)
            if (frame->in[o] & 1u << k &&
                set_term(phi + k * count, dphi + (k * c_count + frame->order[o]) * count, count,
                         ret[o].z[k]))
                ret[o].in |= 1u << k;
    }
}

void fit_frame_set(struct fit_frame *frame, const struct law *law, const double *natural,
                   const struct law_x *x, size_t count)
{
    struct feature z[LAW_MAX_COEFFICIENTS];
    double square[LAW_MAX_COEFFICIENTS];

    if (frame->count == 0)
        return;
    features(frame, law, natural, x, count, z);
    for (size_t j = 0; j < frame->count; j++) {
        double before = feature_dot(&z[j], &z[j], count);

        for (size_t i = 0; i < j; i++) {
            double share = square[i] > 0.0 ? feature_dot(&z[i], &z[j], count) / square[i] : 0.0;

            frame->mix[i][j] = share;
            if (share != 0.0)
                feature_less(&z[j], share, &z[i], count);
        }
        square[j] = feature_dot(&z[j], &z[j], count);
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
