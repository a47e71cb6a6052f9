/* With u = 2^-24 a loss is a sum of terms >= 0, each amplitude·exp(e), and off by at most what its
 * exponents e are: their rounding is within 16u of 1 + M, M the sum of the sizes of what they are
 * made of. That has room: every operation of the chain is within u of its result, of which the
 * longest has some ten.
 *
 * Who is answered "nearly" asks again exactly, so this file alone lets the compiler contract
 * products and sums where there are instructions for it: see the Makefile.
 */
#include "core/law_joint_near.h"

#include "core/law_joint.h"
#include "core/near.h"

/* One block of coefficient sets, and what the bound needs of all blocks so far. */
struct joint_near {
    float k[JOINT_GRANULAR_COEFFICIENTS][NEAR_LANES];
    float inverse[NEAR_LANES], rest[NEAR_LANES];         /* q = 1/E_max, 1 − q·E_start */
    float most[JOINT_GRANULAR_COEFFICIENTS][NEAR_LANES]; /* of |k| */
    float beyond[NEAR_LANES]; /* not 0: terms below 0, Ê out of its bounds, a loss not finite */
};

LANES_INLINE float near_least(float a, float b)
{
    return a < b ? a : b;
}

/* Narrows NEAR_LANES sets from `at` on; behind the last set it stands again. One loop, so that it
 * is made of vectors. */
LANES_INLINE void joint_near_load(struct joint_near *near, const double *columns, size_t count,
                                  size_t at, size_t n)
{
    double wide[JOINT_GRANULAR_COEFFICIENTS][NEAR_LANES];

    for (size_t j = 0; j < n; j++) {
        const double *column = columns + j * count;

        if (at + NEAR_LANES <= count)
            memcpy(wide[j], column + at, sizeof wide[j]);
        else
            for (size_t i = 0; i < NEAR_LANES; i++)
                wide[j][i] = column[at + i < count ? at + i : count - 1];
    }
    for (int i = 0; i < NEAR_LANES; i++) {
        double inverse = 1 / wide[JOINT_E_MAX][i], rest = 1 - inverse * wide[JOINT_E_START][i];
        float least = near_least((float)inverse, (float)rest);

        near->inverse[i] = (float)inverse;
        near->rest[i] = (float)rest;
        for (size_t j = 0; j < n; j++) {
            float narrow = (float)wide[j][i], size = fabsf(narrow);

            near->k[j][i] = narrow;
            near->most[j][i] = size > near->most[j][i] ? size : near->most[j][i];
        }
        least = near_least(least, (float)wide[JOINT_A][i]);
        least = near_least(least, (float)wide[JOINT_B][i]);
        least = near_least(least, (float)wide[JOINT_C][i]);
        least = near_least(least, (float)wide[JOINT_E_START][i] - 1);
        if (n > JOINT_COEFFICIENTS) {
            least = near_least(least, (float)wide[JOINT_KAPPA][i]);
            least = near_least(least, (float)wide[JOINT_PHI][i]);
        }
        near->beyond[i] += least >= 0 ? 0.0F : 1.0F;
    }
}

/* The losses of the block at one x, as joint_lanes. */
LANES_INLINE void joint_near_at(struct joint_near *near, const struct law_x *x, bool granular,
                                float *ret)
{
    float(*k)[NEAR_LANES] = near->k;
    const float more_experts = (float)(x->experts - 1), ln_n = (float)x->ln_n_active;
    const float ln_d = (float)x->ln_tokens, ln_g = (float)x->ln_granularity;
    float loss[NEAR_LANES];

    for (int i = 0; i < NEAR_LANES; i++) {
        float start = k[JOINT_E_START][i], more = more_experts * near->rest[i];
        float h = near_log((start + more) / (1 + near->inverse[i] * more));
        float size = k[JOINT_DELTA][i] * h + (k[JOINT_ALPHA][i] + k[JOINT_GAMMA][i] * h) * ln_n;
        float data = k[JOINT_OMEGA][i] * h + (k[JOINT_BETA][i] + k[JOINT_ZETA][i] * h) * ln_d;
        float factor = 1;

        if (granular) {
            float t = k[JOINT_KAPPA][i] * (h - near_log(start));

            factor = (1 + t * near_exp(-k[JOINT_PHI][i] * ln_g)) / (1 + t);
        }
        loss[i] = k[JOINT_A][i] * near_exp(size) * factor + k[JOINT_B][i] * near_exp(data) +
                  k[JOINT_C][i];
    }
    for (int i = 0; i < NEAR_LANES; i++)
        near->beyond[i] += loss[i] * 0;
    memcpy(ret, loss, sizeof loss);
}

/* Of all sets: the largest size of each coefficient. */
struct joint_near_sizes {
    double k[JOINT_GRANULAR_COEFFICIENTS];
};

LANES_INLINE struct joint_near_sizes joint_near_sizes(const struct joint_near *near, size_t n)
{
    struct joint_near_sizes sizes = {.k = {0}};

    for (size_t j = 0; j < n; j++) {
        float most = 0;

        for (int i = 0; i < NEAR_LANES; i++)
            most = near->most[j][i] > most ? near->most[j][i] : most;
        sizes.k[j] = (double)most;
    }
    return sizes;
}

/* The largest M at x; INFINITY where the exponents may leave the range of near_exp. */
static double joint_near_size(const struct joint_near_sizes *sizes, const struct law_x *x,
                              bool granular)
{
    const double range = 80, *k = sizes->k;
    double ln_n = fabs(x->ln_n_active), ln_d = fabs(x->ln_tokens), ln_g = x->ln_granularity;
    double h = log(k[JOINT_E_START] + fmax(x->experts, 1) - 1);
    double size = k[JOINT_ALPHA] * ln_n + (k[JOINT_DELTA] + k[JOINT_GAMMA] * ln_n) * (1 + h);
    double data = k[JOINT_BETA] * ln_d + (k[JOINT_OMEGA] + k[JOINT_ZETA] * ln_d) * (1 + h);
    double fine = 0;

    if (granular)
        fine = k[JOINT_KAPPA] * (1 + h) + k[JOINT_PHI] * ln_g;
    return x->experts >= 1 && ln_g >= 0 && size < range && data < range && fine < range
               ? fmax(size, data) + fine
               : INFINITY;
}

LANES_INLINE bool joint_losses_near(const double *columns, size_t count, const struct law_x *x,
                                    size_t n_x, bool granular, size_t stride, float *ret_near,
                                    double *ret_error)
{
    const size_t n = granular ? JOINT_GRANULAR_COEFFICIENTS : JOINT_COEFFICIENTS;
    const double unit = 0x1p-24, most_amplitude = 1e30;
    struct joint_near near = {.beyond = {0}};
    struct joint_near_sizes sizes;
    double size = 0;

    for (size_t at = 0; at < count; at += NEAR_LANES) {
        joint_near_load(&near, columns, count, at, n);
        for (size_t k = 0; k < n_x; k++)
            joint_near_at(&near, &x[k], granular, ret_near + k * stride + at);
    }
    sizes = joint_near_sizes(&near, n);
    for (size_t k = 0; k < n_x; k++) {
        for (size_t i = count; i < stride; i++)
            ret_near[k * stride + i] = INFINITY;
        size = fmax(size, joint_near_size(&sizes, &x[k], granular));
    }
    for (int i = 0; i < NEAR_LANES; i++)
        if (!(near.beyond[i] == 0))
            return false;
    *ret_error = 16 * unit * (2 + size);
    return size < INFINITY && sizes.k[JOINT_A] < most_amplitude &&
           sizes.k[JOINT_B] < most_amplitude;
}

LANES_CLONES
bool law_joint_near(const double *columns, size_t count, const struct law_x *x, size_t n_x,
                    size_t stride, float *ret_near, double *ret_error)
{
    return joint_losses_near(columns, count, x, n_x, false, stride, ret_near, ret_error);
}

LANES_CLONES
bool law_joint_granular_near(const double *columns, size_t count, const struct law_x *x, size_t n_x,
                             size_t stride, float *ret_near, double *ret_error)
{
    return joint_losses_near(columns, count, x, n_x, true, stride, ret_near, ret_error);
}
