/* suggest_scenarios: studies to simulate, and what is asked of them (suggest_refit.h).
 *
 * Every law that plans and has E, G or both to choose, at several budgets, targets and numbers of
 * runs. Where a study knows its plan well already, or new runs can hardly be dearer than its own,
 * no choice of runs is twice as good as chance: those are not here.
 */
#ifndef MOEPLAN_TESTS_SUGGEST_SCENARIOS_H
#define MOEPLAN_TESTS_SUGGEST_SCENARIOS_H

#include <stddef.h>

struct refit_scenario {
    const char *name, *preset; /* whose coefficients are the truth */
    size_t n_sizes, n_ratios, n_experts, n_granularity;
    double sizes[6], ratios[6], experts[6], granularity[4]; /* of the study's runs: all of them */
    double noise;                                           /* sd of ln loss */
    double compute_flops;                                   /* of the plan to know */
    double budget; /* of the new runs, in FLOPs of the largest size at 20 tokens each */
    size_t runs;
};

static const struct refit_scenario refit_scenarios[] = {
    {.name = "joint, 9 free, 90 runs, 5 more",
     .preset = "joint-2025",
     .n_sizes = 5,
     .sizes = {5e7, 1e8, 2e8, 4e8, 8e8},
     .n_ratios = 3,
     .ratios = {5, 20, 80},
     .n_experts = 6,
     .experts = {1, 2, 4, 8, 16, 32},
     .n_granularity = 1,
     .granularity = {1},
     .noise = 0.005,
     .compute_flops = 1e22,
     .budget = 5,
     .runs = 5},
    {.name = "joint, 9 free, 60 runs, 8 more",
     .preset = "joint-2025",
     .n_sizes = 5,
     .sizes = {5e7, 1e8, 2e8, 4e8, 8e8},
     .n_ratios = 3,
     .ratios = {5, 20, 80},
     .n_experts = 4,
     .experts = {1, 4, 16, 32},
     .n_granularity = 1,
     .granularity = {1},
     .noise = 0.006,
     .compute_flops = 1e21,
     .budget = 3,
     .runs = 8},
    {.name = "chinchilla, 12 runs, 2 more",
     .preset = "chinchilla-2022",
     .n_sizes = 4,
     .sizes = {1e8, 2e8, 4e8, 8e8},
     .n_ratios = 3,
     .ratios = {10, 20, 60},
     .n_experts = 1,
     .experts = {1},
     .n_granularity = 1,
     .granularity = {1},
     .noise = 0.004,
     .compute_flops = 1e23,
     .budget = 1,
     .runs = 2},
    {.name = "chinchilla, 20 runs, 4 more",
     .preset = "chinchilla-2024",
     .n_sizes = 5,
     .sizes = {3e7, 6e7, 1.2e8, 2.4e8, 4.8e8},
     .n_ratios = 4,
     .ratios = {10, 20, 40, 80},
     .n_experts = 1,
     .experts = {1},
     .n_granularity = 1,
     .granularity = {1},
     .noise = 0.004,
     .compute_flops = 1e22,
     .budget = 6,
     .runs = 4},
    {.name = "fine-grained, 48 runs, 6 more",
     .preset = "fine-grained-e64-2024",
     .n_sizes = 4,
     .sizes = {2e7, 4e7, 8e7, 1.6e8},
     .n_ratios = 3,
     .ratios = {50, 150, 400},
     .n_experts = 1,
     .experts = {64},
     .n_granularity = 4,
     .granularity = {1, 2, 4, 8},
     .noise = 0.005,
     .compute_flops = 1e22,
     .budget = 60,
     .runs = 6},
    {.name = "joint-granular, 120 runs, 4 more",
     .preset = "joint-granular-composed",
     .n_sizes = 4,
     .sizes = {5e7, 1e8, 2e8, 4e8},
     .n_ratios = 3,
     .ratios = {5, 20, 80},
     .n_experts = 4,
     .experts = {1, 4, 16, 32},
     .n_granularity = 3,
     .granularity = {1, 4, 16},
     .noise = 0.005,
     .compute_flops = 1e22,
     .budget = 4,
     .runs = 4},
};
enum { REFIT_SCENARIOS = sizeof refit_scenarios / sizeof refit_scenarios[0] };

#endif
