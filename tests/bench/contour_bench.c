/* contour_bench: a 400 × 400 table of losses against the same in numpy, written naively. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/curve.h"
#include "core/preset.h"

enum { SIDE = 400, ROUNDS = 5, BATCHES = 20, CALLS = 5, ARENA_BYTES = 1 << 23 };

/* Seconds for one table, the least of a few batches, as of ours: printed by numpy itself, so that
 * its start is not counted. */
static const char numpy[] =
    "/usr/bin/python3 -c \""
    "import numpy as np, timeit\n"
    "n, d = np.meshgrid(np.logspace(9, 11, 400), np.logspace(10, 12, 400))\n"
    "def f():\n"
    "    e = 1 / (1 / (4 - 1 + 1 / (1 / 2.0732 - 1 / 290.4521)) + 1 / 290.4521); h = np.log(e)\n"
    "    return (35.91 * e ** -0.2285 * n ** (-0.1889 + 0.0098 * h)\n"
    "            + 35.98 * e ** 0.5529 * d ** (-0.1775 - 0.0259 * h) + 1.3637)\n"
    "f(); print(min(timeit.repeat(f, number=5, repeat=20)) / 5)\"";

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double numpy_s(void)
{
    FILE *pipe = popen(numpy, "r");
    char line[64] = "";
    char *end;
    double seconds;

    if (!pipe)
        return NAN;
    if (!fgets(line, sizeof line, pipe))
        line[0] = '\0';
    pclose(pipe);
    seconds = strtod(line, &end);
    return end > line ? seconds : NAN;
}

static double ours_s(struct arena *arena)
{
    static const double sizes[2] = {1e9, 1e11}, tokens[2] = {1e10, 1e12}, one[] = {1}, four[] = {4};
    const struct preset *preset = preset_find("joint-2025");
    struct plan_question question = {
        .model = {.law = law_find(preset->law),
                  .coefficient = preset->coefficient,
                  .shape = *preset->shape},
        .limits = plan_limits_none(),
        .n_experts = 1,
        .experts = four,
        .n_granularity = 1,
        .granularity = one,
    };
    struct curve_contour contour;
    struct err err;
    double least = INFINITY;

    question.limits.compute_flops = 1e22;
    for (int batch = 0; batch < BATCHES; batch++) {
        double start = now_s();

        for (int i = 0; i < CALLS; i++) {
            arena_reset(arena);
            err_init(&err, arena);
            if (curve_contour(&question, SIDE, SIDE, sizes, tokens, arena, &contour, &err) !=
                ERR_OK)
                return NAN;
        }
        least = fmin(least, (now_s() - start) / CALLS);
    }
    return least;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

int main(void)
{
    double ratio[ROUNDS];
    struct arena arena;

    arena_init(&arena, ARENA_BYTES);
    for (int i = 0; i < ROUNDS; i++)
        ratio[i] = numpy_s() / ours_s(&arena);
    arena_release(&arena);
    qsort(ratio, ROUNDS, sizeof *ratio, ascending);
    if (!(ratio[ROUNDS / 2] > 0))
        return 1;
    printf("{\"what\": \"contour of 400 x 400 losses\", \"against\": \"numpy, naive\", "
           "\"ratio\": %.3g, \"goal\": \">= 100\"}\n",
           ratio[ROUNDS / 2]);
    return 0;
}
