/* Sets are kept about a reference, N, D and Ê of ordinary runs, since coefficients of a term go
 * with one another: what is left of the exponents away from there is small, and so is its rounding.
 * With l = ln N − ln N0 and η = ln Ê − ln Ê0,
 *
 *     a·Ê^δ·N^(α + γ ln Ê) = a0·exp(α0·l + (δ0 + γ·l)·η),   α0 = α + γ ln Ê0,  δ0 = δ + γ ln N0,
 *
 * a0 the term at the reference; so with b and D.
 *
 * With u = 2^-24 a loss is a sum of terms >= 0, each amplitude·exp(e), and off by at most what its
 * exponents e are: their rounding is within 16u of 1 + M, M the sum of the sizes of what they are
 * made of. That has room: every operation of the chain is within u of its result, of which the
 * longest has some ten, and near_exp within 3u.
 *
 * Who is answered "nearly" asks again exactly, so this file alone lets the compiler contract
 * products and sums where there are instructions for it: see the Makefile.
 */
#include "core/law_joint_near.h"

#include "core/law_joint.h"
#include "core/near.h"

static const double ln_n0 = 23, ln_d0 = 25, ln_experts0 = 3;

/* Rows of a block: the coefficients in their order, about the reference, with q = 1/E_max in place
 * of E_max; what else Ê is made of; and then what G needs. */
enum {
    ROW_INVERSE_E_MAX = JOINT_E_MAX,
    ROW_REST = JOINT_COEFFICIENTS, /* 1 − q·E_start */
    ROWS,
    ROW_KAPPA = ROWS,
    ROW_PHI,
    ROW_START, /* ln E_start, about the reference */
    ROWS_GRANULAR
};

/* What single precision holds beside the rest of a loss: of a term, and of exponents. */
static const double most_term = 1e30, most_exponent = 30;

/* A term's four rows, from its four coefficients. */
static void center(const double k[4], double ln_x0, double ret_row[4])
{
    ret_row[2] = k[2] + k[3] * ln_x0;
    ret_row[0] = k[0] * exp(k[1] * ln_x0 + ret_row[2] * ln_experts0);
    ret_row[1] = k[1] + k[3] * ln_experts0;
    ret_row[3] = k[3];
}

/* A set's rows; false where its terms may be below 0 or all of them tiny, or Ê out of bounds. */
static bool joint_near_rows(const double *set, bool granular, double ret_row[ROWS_GRANULAR])
{
    double q = 1 / set[JOINT_E_MAX], rest = 1 - q * set[JOINT_E_START], sum = 0;

    center(set + JOINT_A, ln_n0, ret_row + JOINT_A);
    center(set + JOINT_B, ln_d0, ret_row + JOINT_B);
    ret_row[JOINT_E_START] = set[JOINT_E_START];
    ret_row[ROW_INVERSE_E_MAX] = q;
    ret_row[JOINT_C] = set[JOINT_C];
    ret_row[ROW_REST] = rest;
    if (granular) {
        ret_row[ROW_KAPPA] = set[JOINT_KAPPA];
        ret_row[ROW_PHI] = set[JOINT_PHI];
        ret_row[ROW_START] = log(set[JOINT_E_START]) - ln_experts0;
        if (!(set[JOINT_KAPPA] >= 0 && set[JOINT_PHI] >= 0))
            return false;
    }
    for (size_t j = 0; j < (granular ? ROWS_GRANULAR : ROWS); j++)
        sum += ret_row[j];
    return isfinite(sum) && q >= 0 && rest >= 0 && set[JOINT_E_START] >= 1 && set[JOINT_A] >= 0 &&
           set[JOINT_B] >= 0 && set[JOINT_C] >= 0 &&
           ret_row[JOINT_A] + ret_row[JOINT_B] + ret_row[JOINT_C] > 1e-2;
}

LANES_INLINE bool joint_near_make(const double *sets, bool granular, struct law_near *near,
                                  float *ret_blocks)
{
    const size_t n = granular ? JOINT_GRANULAR_COEFFICIENTS : JOINT_COEFFICIENTS;
    const size_t rows = granular ? ROWS_GRANULAR : ROWS;
    bool same = true;

    for (size_t i = 0; i < near->stride; i++) {
        const double *set = sets + (i < near->count ? i : near->count - 1) * n;
        float *block = ret_blocks + i / NEAR_LANES * NEAR_LANES * rows;
        double row[ROWS_GRANULAR];

        if (!joint_near_rows(set, granular, row))
            return false;
        for (size_t j = 0; j < rows; j++) {
            block[j * NEAR_LANES + i % NEAR_LANES] = (float)row[j];
            near->most[j] = fmax(near->most[j], fabs(row[j]));
        }
        same = same && set[JOINT_E_START] == sets[JOINT_E_START] &&
               set[JOINT_E_MAX] == sets[JOINT_E_MAX];
    }
    near->e_start = same ? sets[JOINT_E_START] : NAN;
    near->e_max = same ? sets[JOINT_E_MAX] : NAN;
    return true;
}

static bool make(const double *sets, struct law_near *near, float *ret_blocks)
{
    return joint_near_make(sets, false, near, ret_blocks);
}

static bool make_granular(const double *sets, struct law_near *near, float *ret_blocks)
{
    return joint_near_make(sets, true, near, ret_blocks);
}

/* An x as the loops read it, about the reference. */
struct joint_near_x {
    float ln_n, ln_d, ln_g, more_experts;
    float ln_experts; /* where all sets have one Ê */
};

static struct joint_near_x joint_near_x(const struct law_near *near, const struct law_x *x)
{
    double h = law_ln_experts(x->experts, near->e_start, 1 / near->e_max, NULL, NULL);

    return (struct joint_near_x){
        .ln_n = (float)(x->ln_n_active - ln_n0),
        .ln_d = (float)(x->ln_tokens - ln_d0),
        .ln_g = (float)x->ln_granularity,
        .more_experts = (float)(x->experts - 1),
        .ln_experts = (float)(h - ln_experts0),
    };
}

/* The losses of a block at one x, as joint_lanes. */
LANES_INLINE void joint_near_at(const float (*k)[NEAR_LANES], const struct joint_near_x *x,
                                bool granular, bool same, float *restrict ret)
{
    const float ln_n = x->ln_n, ln_d = x->ln_d, ln_g = x->ln_g, more_experts = x->more_experts;
    const float same_experts = x->ln_experts;

    for (int i = 0; i < NEAR_LANES; i++) {
        float h = same_experts, factor = 1, size, data;

        if (!same) {
            float more = more_experts * k[ROW_REST][i];

            h = near_log((k[JOINT_E_START][i] + more) / (1 + k[ROW_INVERSE_E_MAX][i] * more)) -
                (float)ln_experts0;
        }
        size = k[JOINT_ALPHA][i] * ln_n + (k[JOINT_DELTA][i] + k[JOINT_GAMMA][i] * ln_n) * h;
        data = k[JOINT_BETA][i] * ln_d + (k[JOINT_OMEGA][i] + k[JOINT_ZETA][i] * ln_d) * h;
        if (granular) {
            float t = k[ROW_KAPPA][i] * (h - k[ROW_START][i]);

            factor = (1 + t * near_exp(-k[ROW_PHI][i] * ln_g)) / (1 + t);
        }
        ret[i] = k[JOINT_A][i] * near_exp(size) * factor +
                 (k[JOINT_B][i] * near_exp(data) + k[JOINT_C][i]);
    }
}

/* The largest M at x; INFINITY where single precision may not hold a term. Of Ê the sets' own count
 * all that it is made of, one Ê only what is left of it. */
static double joint_near_size(const struct law_near *near, const struct law_x *x,
                              const struct joint_near_x *at, bool granular)
{
    const double *most = near->most;
    double ln_n = fabs((double)at->ln_n), ln_d = fabs((double)at->ln_d);
    double h = 1 + ln_experts0 + log(most[JOINT_E_START] + fmax(x->experts, 1) - 1), size, data;
    double fine = granular ? most[ROW_KAPPA] * h + most[ROW_PHI] * x->ln_granularity : 0, exponent;

    if (!isnan(near->e_start))
        h = fabs((double)at->ln_experts);
    size = most[JOINT_ALPHA] * ln_n + (most[JOINT_DELTA] + most[JOINT_GAMMA] * ln_n) * h;
    data = most[JOINT_BETA] * ln_d + (most[JOINT_OMEGA] + most[JOINT_ZETA] * ln_d) * h;
    exponent = fmax(fmax(size, data), fine);
    return x->experts >= 1 && x->ln_granularity >= 0 && exponent < most_exponent &&
                   fmax(fmax(most[JOINT_A], most[JOINT_B]), most[JOINT_C]) < most_term
               ? fmax(size, data) + fine
               : INFINITY;
}

LANES_INLINE void joint_near_blocks(const struct law_near *near, const struct joint_near_x *x,
                                    size_t n_x, bool granular, bool same, float *ret_near)
{
    const size_t rows = granular ? ROWS_GRANULAR : ROWS;

    for (size_t at = 0; at < near->stride; at += NEAR_LANES) {
        const float(*k)[NEAR_LANES] = (const float(*)[NEAR_LANES])(near->blocks + at * rows);

        for (size_t i = 0; i < n_x; i++)
            joint_near_at(k, &x[i], granular, same, ret_near + i * near->stride + at);
    }
}

LANES_INLINE bool joint_near_losses(const struct law_near *near, const struct law_x *x, size_t n_x,
                                    bool granular, float *ret_near, double *ret_error)
{
    const double unit = 0x1p-24;
    double size = 0;

    for (size_t from = 0; from < n_x; from += NEAR_LANES) {
        struct joint_near_x at[NEAR_LANES];
        size_t n = n_x - from < NEAR_LANES ? n_x - from : NEAR_LANES;

        for (size_t i = 0; i < n; i++) {
            at[i] = joint_near_x(near, &x[from + i]);
            size = fmax(size, joint_near_size(near, &x[from + i], &at[i], granular));
        }
        if (size == INFINITY)
            return false;
        if (isnan(near->e_start))
            joint_near_blocks(near, at, n, granular, false, ret_near + from * near->stride);
        else
            joint_near_blocks(near, at, n, granular, true, ret_near + from * near->stride);
    }
    for (size_t k = 0; k < n_x; k++)
        for (size_t i = near->count; i < near->stride; i++)
            ret_near[k * near->stride + i] = INFINITY;
    *ret_error = 16 * unit * (2 + size);
    return true;
}

LANES_CLONES
static bool losses(const struct law_near *near, const struct law_x *x, size_t n_x, float *ret_near,
                   double *ret_error)
{
    return joint_near_losses(near, x, n_x, false, ret_near, ret_error);
}

LANES_CLONES
static bool losses_granular(const struct law_near *near, const struct law_x *x, size_t n_x,
                            float *ret_near, double *ret_error)
{
    return joint_near_losses(near, x, n_x, true, ret_near, ret_error);
}

const struct law_near_form law_joint_near = {ROWS, make, losses};
const struct law_near_form law_joint_granular_near = {ROWS_GRANULAR, make_granular,
                                                      losses_granular};
