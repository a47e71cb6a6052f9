/* Sets are kept about a reference, N, D and Ê of ordinary runs, since coefficients of a term go
 * with one another: what is left of the exponents away from there is small, and so is its rounding.
 * With l = ln N − ln N0 and η = ln Ê − ln Ê0,
 *
 *     a·Ê^δ·N^(α + γ ln Ê) = exp(ln a0 + α0·l + (δ0 + γ·l)·η),   α0 = α + γ ln Ê0,  δ0 = δ + γ ln
 * N0,
 *
 * a0 the term at the reference; so with b and D. All of an exponent is kept times log2 e, so that
 * the term is a power of 2.
 *
 * With u = 2^-24 a loss is a sum of terms >= 0, each 2^e, and off by at most what its exponents e
 * are: their rounding is within 16u of 1 + M, M the sum of the sizes of what they are made of. That
 * has room: every operation of the chain is within u of its result, of which the longest has some
 * ten. near_exp2 is off by 2^-18 at most.
 *
 * Who is answered "nearly" asks again exactly, so this file alone lets the compiler contract
 * products and sums where there are instructions for it: see the Makefile.
 */
#include "core/law_joint_near.h"

#include "core/law_joint.h"
#include "core/near.h"

static const double ln_n0 = 23, ln_d0 = 25, ln_experts0 = 3;

/* Rows of a block: the coefficients in their order, about the reference, an amplitude as its log2,
 * with q = 1/E_max in place of E_max; what else Ê is made of; and then what G needs. */
enum {
    ROW_INVERSE_E_MAX = JOINT_E_MAX,
    ROW_REST = JOINT_COEFFICIENTS, /* 1 − q·E_start */
    ROWS,
    ROW_KAPPA = ROWS,
    ROW_PHI,
    ROW_START, /* ln E_start, about the reference */
    ROWS_GRANULAR
};

/* What single precision holds, in powers of 2: of a term at the reference, and of what changes it.
 */
static const double most_term = 80, most_change = 40;

static const double log2_e = 1.44269504088896340736;

/* A term's four rows, from its four coefficients. Without an amplitude it is the least there is,
 * everywhere. */
static void center(const double k[4], double ln_x0, double ret_row[4])
{
    double by_experts = k[2] + k[3] * ln_x0;

    if (k[0] == 0) {
        memset(ret_row, 0, 4 * sizeof *ret_row);
        ret_row[0] = -most_term;
        return;
    }
    ret_row[0] = log2(k[0]) + log2_e * (k[1] * ln_x0 + by_experts * ln_experts0);
    ret_row[1] = log2_e * (k[1] + k[3] * ln_experts0);
    ret_row[2] = log2_e * by_experts;
    ret_row[3] = log2_e * k[3];
}

/* A set's rows; false where its terms may be below 0 or all of them tiny, or Ê out of bounds. */
static bool joint_near_rows(const double *set, bool granular, double ret_row[ROWS_GRANULAR])
{
    double q = 1 / set[JOINT_E_MAX], rest = 1 - q * set[JOINT_E_START], sum = 0;

    if (!(set[JOINT_A] >= 0 && set[JOINT_B] >= 0 && set[JOINT_C] >= 0))
        return false;
    center(set + JOINT_A, ln_n0, ret_row + JOINT_A);
    center(set + JOINT_B, ln_d0, ret_row + JOINT_B);
    ret_row[JOINT_E_START] = set[JOINT_E_START];
    ret_row[ROW_INVERSE_E_MAX] = q;
    ret_row[JOINT_C] = set[JOINT_C];
    ret_row[ROW_REST] = rest;
    if (granular) {
        ret_row[ROW_KAPPA] = set[JOINT_KAPPA];
        ret_row[ROW_PHI] = log2_e * set[JOINT_PHI];
        ret_row[ROW_START] = log(set[JOINT_E_START]) - ln_experts0;
        if (!(set[JOINT_KAPPA] >= 0 && set[JOINT_PHI] >= 0))
            return false;
    }
    for (size_t j = 0; j < (granular ? ROWS_GRANULAR : ROWS); j++)
        sum += ret_row[j];
    return isfinite(sum) && q >= 0 && rest >= 0 && set[JOINT_E_START] >= 1 &&
           fabs(ret_row[JOINT_A]) <= most_term && fabs(ret_row[JOINT_B]) <= most_term &&
           set[JOINT_C] <= exp2(most_term) &&
           exp2(ret_row[JOINT_A]) + exp2(ret_row[JOINT_B]) + set[JOINT_C] > 1e-2;
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
LANES_INLINE void joint_near_at(float k[ROWS_GRANULAR][NEAR_LANES], const struct joint_near_x *x,
                                bool granular, bool same, float ret[NEAR_LANES])
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
        size = k[JOINT_A][i] + k[JOINT_ALPHA][i] * ln_n +
               (k[JOINT_DELTA][i] + k[JOINT_GAMMA][i] * ln_n) * h;
        data = k[JOINT_B][i] + k[JOINT_BETA][i] * ln_d +
               (k[JOINT_OMEGA][i] + k[JOINT_ZETA][i] * ln_d) * h;
        if (granular) {
            float t = k[ROW_KAPPA][i] * (h - k[ROW_START][i]);

            factor = (1 + t * near_exp2(-k[ROW_PHI][i] * ln_g)) / (1 + t);
        }
        ret[i] = near_exp2(size) * factor + (near_exp2(data) + k[JOINT_C][i]);
    }
}

/* The largest M at x; INFINITY where single precision may not hold a term. One Ê counts by what is
 * left of it; of the sets' own, that and all that it is made of. */
static double joint_near_size(const struct law_near *near, const struct law_x *x,
                              const struct joint_near_x *at, bool granular)
{
    const double *most = near->most;
    double ln_n = fabs((double)at->ln_n), ln_d = fabs((double)at->ln_d);
    double h, made_of, fine = 0, finer = 0;
    double by_size = most[JOINT_DELTA] + most[JOINT_GAMMA] * ln_n, size = most[JOINT_ALPHA] * ln_n;
    double by_data = most[JOINT_OMEGA] + most[JOINT_ZETA] * ln_d, data = most[JOINT_BETA] * ln_d;

    h = made_of = fabs((double)at->ln_experts);
    if (isnan(near->e_start)) {
        double ln_most = log(most[JOINT_E_START] + fmax(x->experts, 1) - 1);

        h = fmax(ln_experts0, ln_most - ln_experts0);
        made_of = 1 + ln_experts0 + ln_most;
    }
    if (granular) {
        finer = most[ROW_PHI] * x->ln_granularity;
        fine = most[ROW_KAPPA] * (made_of + most[ROW_START]) + finer;
    }
    if (!(x->experts >= 1 && x->ln_granularity >= 0 && size + by_size * h < most_change &&
          data + by_data * h < most_change && finer < most_change))
        return INFINITY;
    return fmax(most[JOINT_A] + size + by_size * made_of,
                most[JOINT_B] + data + by_data * made_of) +
           fine;
}

LANES_INLINE void joint_near_blocks(const struct law_near *near, const struct joint_near_x *x,
                                    size_t n_x, bool granular, bool same, float *ret_near)
{
    const size_t rows = granular ? ROWS_GRANULAR : ROWS;

    for (size_t at = 0; at < near->stride; at += NEAR_LANES) {
        float k[ROWS_GRANULAR][NEAR_LANES], loss[NEAR_LANES];

        memcpy(k, near->blocks + at * rows, rows * sizeof *k);
        for (size_t i = 0; i < n_x; i++) {
            joint_near_at(k, &x[i], granular, same, loss);
            memcpy(ret_near + i * near->stride + at, loss, sizeof loss);
        }
    }
}

LANES_INLINE bool joint_near_losses(const struct law_near *near, const struct law_x *x, size_t n_x,
                                    bool granular, float *ret_near, double *ret_error)
{
    const double unit = 0x1p-24, of_power = 0x1p-18;
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
    *ret_error = of_power + 16 * unit * (2 + size / log2_e);
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
