/* suggest_bench: how much better a plan is known after suggested runs than after random ones, in
 * several studies, by refits; and whether what the answer promises is what the refits show. */
#include <stdio.h>

#include <gsl/gsl_errno.h>

#include "tests/unit/core/suggest_refit.h"

enum { REPETITIONS = 200, REFITS_EACH = 20, REFITS = 1000 };

static void print_ratio(const char *scenario, const char *what, const char *against, double ratio,
                        const char *goal)
{
    printf("{\"what\": \"%s: %s\", \"against\": \"%s\", \"ratio\": %.3g, \"goal\": %s}\n", scenario,
           what, against, ratio, goal);
    fflush(stdout);
}

static void measure(const struct refit_scenario *scenario)
{
    static struct refit refit;
    struct refit_variance before, after;
    struct err err;
    double random, kept;

    refit_init(&refit, scenario, 7, &err);
    before = refit_variance(&refit, NULL, 0, REFITS, 2);
    after = refit_suggested(&refit, REFITS);
    random = refit_random(&refit, REPETITIONS, REFITS_EACH);
    kept = refit.answer.runs[refit.answer.n_runs - 1].sd_log / refit.answer.sd_log;
    print_ratio(scenario->name, "variance of the planned loss after random runs",
                "after suggested ones of the same FLOPs, median of 200", random / after.optimum,
                "\">= 2\"");
    print_ratio(scenario->name, "promised sd after over before", "the same in refits",
                kept / sqrt(after.mean / before.mean), "null");
    arena_release(&refit.arena);
}

int main(void)
{
    gsl_set_error_handler_off();
    for (size_t i = 0; i < REFIT_SCENARIOS; i++)
        measure(&refit_scenarios[i]);
    return 0;
}
