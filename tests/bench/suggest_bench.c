/* suggest_bench: how much better a plan is known after suggested runs than after random ones. */
#include <stdio.h>

#include "tests/unit/core/suggest_simulation.h"

enum { ARENA_BYTES = 1 << 26 };

int main(void)
{
    static struct simulation simulation;
    struct suggest_answer answer;
    struct arena arena;
    struct err err;
    double ratio;

    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    simulation_init(&simulation);
    if (suggest_runs(&simulation.question, &arena, &answer, &err) != ERR_OK) {
        fprintf(stderr, "%s\n", err.detail);
        arena_release(&arena);
        return 1;
    }
    ratio =
        simulation_random(&simulation, answer.flops) / simulation_suggested(&simulation, &answer);
    printf("{\"what\": \"variance of the planned loss after %zu runs\", \"against\": \"random runs "
           "of the same FLOPs, median of %d\", \"ratio\": %.3g, \"goal\": \">= 2\"}\n",
           answer.n_runs, (int)SIMULATION_REPETITIONS, ratio);
    arena_release(&arena);
    return 0;
}
