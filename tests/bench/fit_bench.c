/* fit_bench: the fit against scipy's best recipe (fit_scipy.py), interleaved, in ratios.
 *
 * Prints the rows run.py gathers. Runs of J's law at half a percent of noise, nine free
 * coefficients. "With 99.9 % certainty" counts on both sides as many single searches from random
 * starts as their own rate of success asks for, seconds·ln(0.001)/ln(1 − rate); of neither are
 * sorting, checks and errors part. The whole fit_run at its defaults, which searches many times
 * over, jumps and states its errors, is a row of its own. At 100 000 runs, where a start of scipy's
 * takes a second, it is the one held against it.
 */
#include <gsl/gsl_errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/fit.h"
#include "core/fit_search.h"
#include "core/preset.h"
#include "core/rng.h"

/* Rates of success near 1 take many starts to tell. */
enum {
    ROUNDS = 5,
    SCIPY_STARTS = 60,
    OUR_STARTS = 600,
    WHOLE_FITS = 10,
    DRAWS = 1000,
    SCIPY_DRAWS = 40
};

static const char scratch_path[] = "fit_bench_runs.csv";

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Log-uniform runs over the ranges of J's own. */
static void simulate(struct obs *obs, size_t count, uint64_t seed)
{
    const struct preset *preset = preset_for_law("joint");
    const struct law *law = law_find("joint");
    struct rng rng = rng_stream(seed, 0);

    for (size_t i = 0; i < count; i++) {
        struct law_x x;

        obs[i] = (struct obs){
            .n_active = 8e7 * pow(34.0, rng_uniform(&rng)),
            .n_total = NAN,
            .tokens = 5e8 * pow(160.0, rng_uniform(&rng)),
            .experts = pow(2.0, (double)rng_below(&rng, 6)),
            .granularity = 1.0,
            .weight = 1.0,
            .train_flops = NAN,
        };
        x = law_x_from_obs(&obs[i]);
        obs[i].loss = law_loss(law, preset->coefficient, &x) * exp(0.005 * rng_normal(&rng));
    }
}

static bool write_runs(const char *path, const struct obs *obs, size_t count)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        return false;
    for (size_t i = 0; i < count; i++)
        (void)fprintf(file, "%.17g,%.17g,%.17g,%.17g\n", obs[i].n_active, obs[i].tokens,
                      obs[i].experts, obs[i].loss);
    return fclose(file) == 0;
}

static struct fit_options nine_free(void)
{
    struct fit_options options = fit_options_default(law_find("joint"));
    static const char *const held[] = {"E_start", "E_max"};

    for (size_t h = 0; h < 2; h++) {
        size_t i = law_coefficient_index(options.law, held[h]);

        options.hold[i] = FIT_FIXED;
        options.fixed[i] = preset_for_law("joint")->coefficient[i];
    }
    return options;
}

/* scipy's values and seconds; how many lines came. */
static size_t scipy(const char *path, const char *what, size_t count, uint64_t seed,
                    double *ret_values, double *ret_seconds)
{
    char command[512];
    FILE *pipe;
    size_t n = 0;

    (void)snprintf(command, sizeof command,
                   "/usr/bin/python3 tests/bench/fit_scipy.py '%s' %s %zu %llu 2>/dev/null", path,
                   what, count, (unsigned long long)seed);
    pipe = popen(command, "r");
    if (pipe == NULL)
        return 0;
    while (n < count && fscanf(pipe, "%lf %lf", &ret_values[n], &ret_seconds[n]) == 2)
        n++;
    (void)pclose(pipe);
    return n;
}

static double ours(const struct fit_options *options, const struct obs *obs, size_t count,
                   size_t repeats, struct fit_result *ret_result)
{
    struct fit_options seeded = *options;
    double began = now_s();

    for (size_t k = 0; k < repeats; k++) {
        struct arena arena;
        struct err err;

        arena_init(&arena, SIZE_MAX);
        err_init(&err, NULL);
        seeded.seed = k;
        if (fit_run(&seeded, obs, count, &arena, ret_result, &err) != ERR_OK) {
            (void)fprintf(stderr, "fit_bench: %s\n", err.detail);
            exit(1);
        }
        arena_release(&arena);
    }
    return (now_s() - began) / (double)repeats;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, compare_doubles);
    return values[n / 2];
}

/* goal NULL: none is set. */
static void row(const char *what, const char *against, double ratio, const char *goal)
{
    const char *quote = goal == NULL ? "" : "\"";

    (void)printf("{\"what\": \"%s\", \"against\": \"%s\", \"ratio\": %.4g, \"goal\": %s%s%s}\n",
                 what, against, ratio, quote, goal == NULL ? "null" : goal, quote);
    (void)fflush(stdout);
}

/* Seconds single searches take to 99.9 % certainty of an objective, by their rate of success. */
static double certain(const double *values, const double *seconds, size_t n, double objective)
{
    double total = 0.0, found = 0.5, rate;

    for (size_t k = 0; k < n; k++) {
        total += seconds[k];
        found += values[k] <= objective * (1.0 + 1e-6) ? 1.0 : 0.0;
    }
    rate = found / ((double)n + 1.0);
    return total / (double)n * fmax(1.0, log(0.001) / log(1.0 - rate));
}

/* Our own single searches, one a seed, of the problem a fit has made of these runs. */
static void single_searches(const struct fit_options *options, const struct fit_result *fit,
                            struct obs *obs, size_t count, double *ret_values, double *ret_seconds)
{
    struct fit_options single = *options;
    struct fit_problem problem;
    struct fit_polish polish;
    struct arena kept;
    struct err err;

    single.starts = 1;
    arena_init(&kept, SIZE_MAX);
    err_init(&err, NULL);
    qsort(obs, count, sizeof *obs, obs_compare);
    if (fit_problem_init(&problem, options, fit->is_free, fit->coefficient, obs, count, &kept,
                         &err) != ERR_OK ||
        fit_polish_init(&polish, &problem, &kept, &err) != ERR_OK)
        exit(1);
    for (size_t k = 0; k < OUR_STARTS; k++) {
        double began = now_s();
        struct fit_found found;
        struct arena arena;

        single.seed = 1000 + k;
        arena_init(&arena, SIZE_MAX);
        if (fit_search_run(&single, &problem, &polish, &arena, &found, &err) != ERR_OK)
            exit(1);
        arena_release(&arena);
        ret_seconds[k] = now_s() - began;
        ret_values[k] = found.objective;
    }
    arena_release(&kept);
}

static void race_search(const char *path, size_t count, size_t starts, size_t repeats,
                        const char *what, const char *goal)
{
    struct fit_options options = nine_free();
    struct obs *obs = calloc(count, sizeof *obs);
    double ratios[ROUNDS], of_whole[ROUNDS];
    char whole_row[160];

    for (size_t round = 0; round < ROUNDS && obs != NULL; round++) {
        double values[OUR_STARTS], seconds[OUR_STARTS], whole, mine, theirs;
        struct fit_result result;
        size_t n;

        simulate(obs, count, round);
        if (!write_runs(path, obs, count))
            exit(1);
        whole = ours(&options, obs, count, repeats, &result);
        mine = whole;
        if (starts > 1) {
            single_searches(&options, &result, obs, count, values, seconds);
            mine = certain(values, seconds, OUR_STARTS, result.objective);
        }
        n = scipy(path, "starts", starts, round, values, seconds);
        if (n == 0)
            exit(1);
        theirs = certain(values, seconds, n, result.objective);
        ratios[round] = theirs / mine;
        of_whole[round] = theirs / whole;
        (void)printf("%zu runs: searches to certainty %.2f ms, whole fit %.2f ms, scipy %.1f ms "
                     "(%.1f ms a start), objective %.12g\n",
                     count, 1e3 * mine, 1e3 * whole, 1e3 * theirs, 1e3 * seconds[n / 2],
                     result.objective);
    }
    row(what, "scipy's best recipe", median(ratios, ROUNDS), goal);
    if (starts > 1) {
        (void)snprintf(whole_row, sizeof whole_row, "%s: the whole fit, statistics and all", what);
        row(whole_row, "scipy's best recipe", median(of_whole, ROUNDS), NULL);
    }
    free(obs);
}

struct half {
    const struct fit_options *options;
    const struct obs *obs;
    size_t count, first;
    const struct fit_result *result;
    double *draws;
};

static void *draw_half(void *arg)
{
    struct half *half = arg;
    struct err err;

    err_init(&err, NULL);
    if (fit_draws(half->options, half->obs, half->count, half->result, half->first, DRAWS / 2,
                  half->draws, &err) != ERR_OK)
        (void)fprintf(stderr, "fit_bench: %s\n", err.detail);
    return NULL;
}

static void race_draws(const char *path)
{
    enum { COUNT = 300 };
    struct fit_options options = nine_free();
    struct obs *obs = calloc(COUNT, sizeof *obs);
    double *draws = calloc(DRAWS * LAW_MAX_COEFFICIENTS, sizeof *draws), ratios[ROUNDS];

    for (size_t round = 0; round < ROUNDS && obs != NULL && draws != NULL; round++) {
        double values[SCIPY_DRAWS], seconds[SCIPY_DRAWS], began, mine, theirs = 0.0;
        struct fit_result result;
        struct half halves[2];
        pthread_t thread;
        size_t n;

        simulate(obs, COUNT, round);
        if (!write_runs(path, obs, COUNT))
            exit(1);
        (void)ours(&options, obs, COUNT, 1, &result);
        for (size_t h = 0; h < 2; h++)
            halves[h] = (struct half){
                &options,      obs,     COUNT,
                h * DRAWS / 2, &result, draws + h * DRAWS / 2 * options.law->n_coefficients};
        began = now_s();
        if (pthread_create(&thread, NULL, draw_half, &halves[1]) != 0)
            exit(1);
        (void)draw_half(&halves[0]);
        (void)pthread_join(thread, NULL);
        mine = now_s() - began;
        n = scipy(path, "draws", SCIPY_DRAWS, round, values, seconds);
        if (n == 0)
            exit(1);
        for (size_t k = 0; k < n; k++)
            theirs += seconds[k] / (double)n;
        theirs *= DRAWS / 2.0; /* two processes share them out perfectly */
        ratios[round] = theirs / mine;
        (void)printf("%d draws: ours %.0f ms, scipy %.0f ms on two cores\n", DRAWS, 1e3 * mine,
                     1e3 * theirs);
    }
    row("1 000 bootstrap refits, 300 runs, two cores", "scipy warm starts", median(ratios, ROUNDS),
        ">= 15");
    free(obs);
    free(draws);
}

int main(void)
{
    const char *folder = getenv("MOEPLAN_BUILD");
    char path[400];

    (void)gsl_set_error_handler_off();
    (void)snprintf(path, sizeof path, "%s/%s", folder == NULL ? "/tmp" : folder, scratch_path);
    race_search(path, 300, SCIPY_STARTS, WHOLE_FITS,
                "refit, 300 runs, 9 coefficients, 99.9 % certain", ">= 60");
    race_draws(path);
    race_search(path, 100000, 1, 1, "refit, 100 000 runs", ">= 12");
    (void)remove(path);
    return 0;
}
