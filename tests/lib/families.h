/* families: the laws that fits are held to their optima by, with the coefficients that are free.
 */
#ifndef MOEPLAN_TESTS_FAMILIES_H
#define MOEPLAN_TESTS_FAMILIES_H

#include <string.h>

#include "core/fit.h"
#include "tests/lib/slow_problem.h"

struct family {
    const char *name, *law;
    bool holds_saturations; /* at J's values; else free */
    const char *other;      /* the law of the studies that do not follow the one fitted */
};

static const struct family families[] = {
    {"chinchilla", "chinchilla", false, "joint"},
    {"fine-grained", "fine-grained", false, "joint-granular"},
    {"joint, 9 free", "joint", true, "sparsity"},
    {"joint, 11 free", "joint", false, "sparsity"},
    {"joint-granular, 11 free", "joint-granular", true, "fine-grained"},
    {"joint-granular, 13 free", "joint-granular", false, "fine-grained"},
    {"routed", "routed", false, "joint"},
    {"sparsity", "sparsity", false, "joint"},
};
enum { FAMILIES = sizeof families / sizeof families[0] };

/* J's. */
#define FAMILY_E_START 2.0732
#define FAMILY_E_MAX 290.4521

/* Fits of a family at the defaults. */
static inline struct fit_options family_options(const struct family *family)
{
    struct fit_options options = fit_options_default(law_find(family->law));

    for (size_t i = 0; i < options.law->n_coefficients; i++) {
        const struct law_coefficient *c = &options.law->coefficients[i];

        if (c->role != LAW_SATURATION)
            continue;
        options.hold[i] = family->holds_saturations ? FIT_FIXED : FIT_FREE;
        options.fixed[i] = strcmp(c->name, "E_start") == 0 ? FAMILY_E_START : FAMILY_E_MAX;
    }
    return options;
}

/* The same runs and coefficients as the slow optimiser's problem (slow_fit.h). */
static inline void family_pose(struct slow_problem *problem, const struct family *family,
                               double delta, const struct obs *obs, size_t count)
{
    slow_problem_init(problem, family->law, delta, obs, count);
    if (family->holds_saturations)
        slow_problem_hold_saturations(problem, FAMILY_E_START, FAMILY_E_MAX);
}

#endif
