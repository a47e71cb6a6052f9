#include "core/amplitudes.h"

#include <math.h>
#include <string.h>

#include "core/householder.h"

/* A column whose part orthogonal to the earlier ones is this small (relative) depends on them. */
static const double dependent_share = 1e-13;

void amplitudes_turn(const struct amplitudes *set, const double *phi, size_t m, double *column)
{
    for (size_t j = 0; j < set->k; j++)
        householder_turn(phi + set->column[j] * m, set->beta[j], j, m, column);
}

void amplitudes_factor(double *phi, double *y, size_t m, size_t k_count, unsigned mask,
                       struct amplitudes *ret)
{
    ret->k = 0;
    for (size_t k = 0; k < k_count; k++) {
        double *column = phi + k * m;
        size_t row = ret->k;
        double whole, alpha;

        if (!(mask & (1u << k)) || row >= m)
            continue;
        whole = lanes_dot(column, column, m);
        amplitudes_turn(ret, phi, m, column);
        alpha = householder_make(column, row, m, &ret->beta[row]);
        if (fabs(alpha) <= dependent_share * sqrt(whole))
            continue;
        for (size_t j = 0; j < row; j++)
            ret->r[j][row] = column[j];
        ret->r[row][row] = alpha;
        ret->column[row] = k;
        ret->k++;
        householder_turn(column, ret->beta[row], row, m, y);
    }
}

/* Back-substitution of R·a = y; false when an amplitude is not positive. */
static bool substitute(const struct amplitudes *t, const double *y, double *ret_amplitudes)
{
    bool positive = true;

    for (size_t i = t->k; i-- > 0;) {
        double sum = y[i];

        for (size_t j = i + 1; j < t->k; j++)
            sum -= t->r[i][j] * ret_amplitudes[t->column[j]];
        ret_amplitudes[t->column[i]] = sum / t->r[i][i];
        positive = positive && sum / t->r[i][i] >= 0.0;
    }
    return positive;
}

static double tail_norm(const double *y, size_t from, size_t m)
{
    return lanes_dot(y + from, y + from, m - from);
}

/* The best non-negative set, from the triangle of all columns: a problem of at most k rows. */
static unsigned best_set(const struct amplitudes *all, const double *y, double *ret_amplitudes)
{
    double best = INFINITY;
    unsigned best_mask = 0;

    for (unsigned set = 0; set < 1u << all->k; set++) {
        double phi[LAW_MAX_TERMS * LAW_MAX_TERMS] = {0}, c[LAW_MAX_TERMS];
        double a[LAW_MAX_TERMS] = {0}, norm;
        struct amplitudes small;

        for (size_t j = 0; j < all->k; j++)
            for (size_t i = 0; i <= j; i++)
                phi[j * all->k + i] = all->r[i][j];
        memcpy(c, y, all->k * sizeof *c);
        amplitudes_factor(phi, c, all->k, all->k, set, &small);
        norm = tail_norm(c, small.k, all->k);
        if (!substitute(&small, c, a) || !(norm < best))
            continue;
        best = norm;
        best_mask = 0;
        for (size_t j = 0; j < all->k; j++) {
            ret_amplitudes[all->column[j]] = a[j];
            best_mask |= a[j] > 0.0 ? 1u << all->column[j] : 0u;
        }
    }
    return best_mask;
}

double amplitudes_solve(double *phi, double *y, size_t m, size_t k, bool is_signed,
                        double *ret_amplitudes, struct amplitudes *ret)
{
    unsigned used = 0;
    double head = 0.0;

    for (size_t i = 0; i < k; i++)
        ret_amplitudes[i] = 0.0;
    amplitudes_factor(phi, y, m, k, (1u << k) - 1u, ret);
    for (size_t j = 0; j < ret->k; j++)
        used |= 1u << ret->column[j];
    ret->used = used;
    if (substitute(ret, y, ret_amplitudes) || is_signed)
        return tail_norm(y, ret->k, m);
    for (size_t i = 0; i < k; i++)
        ret_amplitudes[i] = 0.0;
    ret->used = best_set(ret, y, ret_amplitudes);
    for (size_t i = 0; i < ret->k; i++) {
        double sum = y[i];

        for (size_t j = i; j < ret->k; j++)
            sum -= ret->r[i][j] * ret_amplitudes[ret->column[j]];
        head += sum * sum;
    }
    return head + tail_norm(y, ret->k, m);
}
