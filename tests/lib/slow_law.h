/* slow_law: the laws once more, written from the papers' formulas (slow_formulas.h) for the judge
 * of slow_fit.h. Shares nothing with core/law_*.
 */
#ifndef MOEPLAN_TESTS_SLOW_LAW_H
#define MOEPLAN_TESTS_SLOW_LAW_H

#include "tests/lib/slow_formulas.h"

struct slow_law {
    const char *name;
    size_t n, n_terms;       /* coordinates; the first n_terms are the amplitudes */
    bool total, logarithmic; /* N is n_total; ln L̂ is the sum itself */
    size_t start; /* coordinate of ln E_start, then that of E_start/E_max; SLOW_MAX without */
    double box[SLOW_MAX][2]; /* where random starts come from; amplitudes are solved */
    slow_terms *terms;
    /* y of natural coefficients in the contract's order, and back. */
    void (*point)(const struct slow_centre *centre, const double *natural, double *ret_y);
    void (*natural)(const struct slow_centre *centre, const double *y, double *ret_natural);
};

/* Boxes: anywhere a loss was ever seen to go, and well beyond. */
static const struct slow_law slow_laws[] = {
    {.name = "chinchilla",
     .n = 5,
     .n_terms = 3,
     .start = SLOW_MAX,
     .box = {[3] = {0.01, 1.5}, {0.01, 1.5}},
     .terms = slow_chinchilla,
     .point = slow_chinchilla_point,
     .natural = slow_chinchilla_natural},
    {.name = "fine-grained",
     .n = 7,
     .n_terms = 4,
     .total = true,
     .start = SLOW_MAX,
     .box = {[4] = {0.01, 1.5}, {0.01, 1.5}, {-1, 3}},
     .terms = slow_fine_grained,
     .point = slow_fine_grained_point,
     .natural = slow_fine_grained_natural},
    {.name = "joint",
     .n = 11,
     .n_terms = 3,
     .start = SLOW_START,
     .box = {[3] = {-1.5, -0.01},
             {-2, 2},
             {-0.2, 0.2},
             {-1.5, -0.01},
             {-2, 2},
             {-0.2, 0.2},
             {0, 3},
             {0, 0.8}},
     .terms = slow_joint,
     .point = slow_joint_point,
     .natural = slow_joint_natural},
    {.name = "joint-granular",
     .n = 13,
     .n_terms = 3,
     .start = SLOW_START,
     .box = {[3] = {-1.5, -0.01},
             {-2, 2},
             {-0.2, 0.2},
             {-1.5, -0.01},
             {-2, 2},
             {-0.2, 0.2},
             {0, 3},
             {0, 0.8},
             {0, 1},
             {-1, 3}},
     .terms = slow_joint_granular,
     .point = slow_granular_point,
     .natural = slow_granular_natural},
    {.name = "routed",
     .n = 6,
     .n_terms = 4,
     .logarithmic = true,
     .start = 4,
     .box = {[4] = {0, 3}, {0, 0.8}},
     .terms = slow_routed,
     .point = slow_routed_point,
     .natural = slow_routed_natural},
    {.name = "sparsity",
     .n = 10,
     .n_terms = 5,
     .total = true,
     .start = SLOW_MAX,
     .box = {[5] = {0.01, 1.5}, {0.01, 1.5}, {-1.5, 1.5}, {-1.5, 1.5}, {0.01, 1.5}},
     .terms = slow_sparsity,
     .point = slow_sparsity_point,
     .natural = slow_sparsity_natural},
};

static inline const struct slow_law *slow_law_find(const char *name)
{
    for (size_t i = 0; i < sizeof slow_laws / sizeof slow_laws[0]; i++)
        if (strcmp(slow_laws[i].name, name) == 0)
            return &slow_laws[i];
    return NULL;
}

/* The contract's bounds: amplitudes 0 or more (but for routed), E_start 1 or more, E_max above it,
 * kappa 0 or more; exponents free. */
static inline void slow_law_bounds(const struct slow_law *law, double *ret_lower, double *ret_upper)
{
    for (size_t j = 0; j < law->n; j++) {
        bool amplitude = j < law->n_terms && !law->logarithmic;

        ret_lower[j] = amplitude || j == law->start || j == law->start + 1 ? 0 : -INFINITY;
        ret_upper[j] = j == law->start + 1 ? 1 - 1e-9 : INFINITY;
    }
    if (law->terms == slow_joint_granular)
        ret_lower[SLOW_KAPPA] = 0;
}

#endif
