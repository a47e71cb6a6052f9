/* plan_bench: what a plan costs as a function, in microseconds, against the goals. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/plan.h"
#include "core/plan_shortlist.h"
#include "core/preset.h"
#include "core/rng.h"

enum { ROUNDS = 9, DRAWS = 1000, ARENA_BYTES = 1 << 22 };

static const double eight[] = {1, 2, 4, 8, 16, 32, 64, 128};
static const double sixteen[] = {16};
static const double sixty_four[] = {64};

struct bench {
    const char *what;
    double goal_us; /* 0: none */
    int calls;      /* a round */
    const char *preset;
    size_t n_experts, n_granularity;
    const double *experts, *granularity;
    double memory_bytes;
    unsigned parts;
    bool draws;
};

static const struct bench benches[] = {
    {"plan, one 1-D solve with routing", 5, 20000, "fine-grained-e64-2024", 1, 1, sixty_four,
     sixteen, 80e9, 0, false},
    {"plan, 8 E, optimum and dense", 0, 10000, "joint-2025", 8, 1, eight, eight, 80e9, PLAN_DENSE,
     false},
    {"plan, 8 E, everything", 0, 5000, "joint-2025", 8, 1, eight, eight, 80e9, PLAN_ALL, false},
    {"plan, 8 E, everything, 1000 draws", 0, 5000, "joint-2025", 8, 1, eight, eight, INFINITY,
     PLAN_ALL, true},
    {"plan, 8 E under a limit of memory, everything, 1000 draws", 0, 2000, "joint-2025", 8, 1,
     eight, eight, 80e9, PLAN_ALL, true},
    {"plan, 8 E x 6 G, optimum and candidates", 60, 2000, "joint-granular-composed", 8, 6, eight,
     eight, 80e9, PLAN_CANDIDATES, false},
    {"plan, 8 E x 6 G, everything", 60, 2000, "joint-granular-composed", 8, 6, eight, eight, 80e9,
     PLAN_ALL, false},
};

/* Of this thread's processor time, so that what else runs on the machine counts less. */
static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_row(const char *what, double *us, double goal_us)
{
    char goal[32] = "null";

    qsort(us, ROUNDS, sizeof *us, ascending);
    if (goal_us > 0)
        snprintf(goal, sizeof goal, "\"<= %g\"", goal_us);
    printf("{\"what\": \"%s, microseconds\", \"against\": \"-\", \"ratio\": %.3g, \"goal\": %s}\n",
           what, us[ROUNDS / 2], goal);
}

/* Draws about the published coefficients, one percent apart. */
static void make_draws(const struct preset *preset, size_t n, double *draws)
{
    struct rng rng = rng_stream(1, 0);

    for (size_t i = 0; i < DRAWS; i++)
        for (size_t k = 0; k < n; k++)
            draws[i * n + k] = preset->coefficient[k] * (1 + 0.01 * rng_normal(&rng));
}

static int bench_plan(const struct bench *bench)
{
    enum { NEAR_ROOM = 2 * DRAWS * LAW_MAX_COEFFICIENTS };
    static double draws[DRAWS * LAW_MAX_COEFFICIENTS];
    static float near_room[NEAR_ROOM];
    const struct preset *preset = preset_find(bench->preset);
    struct plan_question question = {
        .model = {.law = law_find(preset->law),
                  .coefficient = preset->coefficient,
                  .shape = *preset->shape,
                  .fixed_experts = preset->experts},
        .limits = plan_limits_none(),
        .n_experts = bench->n_experts,
        .experts = bench->experts,
        .n_granularity = bench->n_granularity,
        .granularity = bench->granularity,
        .slack = 0.005,
        .level = 0.9,
        .parts = bench->parts,
    };
    const struct law *law = question.model.law;
    const struct plan_slices slices = plan_slices_make(law, preset->coefficient);
    struct plan_shortlists lists;
    struct plan_answer answer;
    struct law_near near;
    struct arena arena, kept, scratch;
    struct err err;
    double us[ROUNDS];

    arena_init(&kept, ARENA_BYTES);
    arena_init(&scratch, ARENA_BYTES);
    question.model.slices = &slices;
    if (bench->draws) {
        make_draws(preset, law->n_coefficients, draws);
        if (law_near_room(law, DRAWS) > NEAR_ROOM ||
            !law_near_init(&near, law, draws, DRAWS, near_room))
            return 1;
        question.model.draws = draws;
        question.model.near = &near;
        question.model.n_draws = DRAWS;
        if (!plan_shortlists_make(&question.model, question.level, &kept, &scratch, &lists))
            return 1;
        question.model.shortlists = &lists;
    }
    question.limits.memory_bytes = bench->memory_bytes;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();

        for (int i = 0; i < bench->calls; i++) {
            arena_reset(&arena);
            question.limits.compute_flops = 1e21 * (1 + i % 100);
            if (plan_solve(&question, &arena, &answer, &err) != ERR_OK)
                return 1;
        }
        us[round] = (now_us() - start) / bench->calls;
    }
    arena_release(&arena);
    arena_release(&kept);
    arena_release(&scratch);
    print_row(bench->what, us, bench->goal_us);
    return 0;
}

static int bench_closed_form(void)
{
    const struct preset *preset = preset_find("joint-2025");
    struct plan_closed_form prepared[8];
    double n[8], tokens[8], loss[8], us[ROUNDS], sum = 0;
    const int calls = 200000;

    for (size_t e = 0; e < 8; e++) {
        struct law_slice slice;

        law_find(preset->law)->slice(preset->coefficient, eight[e], 1, &slice);
        if (!plan_closed_form_prepare(&slice, &prepared[e]))
            return 1;
    }
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();

        for (int i = 0; i < calls; i++) {
            plan_closed_form_solve(prepared, 8, 1e21 * (1 + i % 100), n, tokens, loss);
            sum += loss[i & 7];
        }
        us[round] = (now_us() - start) / calls;
    }
    print_row("plan, closed form, 8 E prepared", us, 0.3);
    return sum > 0 ? 0 : 1;
}

int main(void)
{
    int failed = bench_closed_form();

    for (size_t i = 0; i < sizeof benches / sizeof benches[0]; i++)
        failed |= bench_plan(&benches[i]);
    return failed;
}
