/* agreement_bench: whether a fit's seed matters, on studies of every kind.
 *
 * Teams' studies are grids, IsoFLOP profiles and runs at twenty tokens a parameter more often than
 * log-uniform draws; some hold gross errors, some do not follow the law, and some are fitted by
 * squared loss or with another delta. Each simulated study is of a random such kind and is fitted
 * with a few seeds, in as many orders of its runs and with losses in nats and bits by turns, and
 * once with four times the starts. A fit misses above (1 + 1e-6) times the least of these
 * objectives; a miss is told with its kind. So it is above that of a slow optimiser which shares
 * nothing with fits (slow_fit.h).
 * The rows run.py gathers are the misses of a family of laws, of either sort.
 *
 *     agreement_bench [STUDIES [FIRST_STUDY [FAMILY]]]
 */
#include <gsl/gsl_errno.h>
#include <pthread.h>

#include "tests/lib/count_argument.h"
#include "tests/lib/crew.h"
#include "tests/lib/families.h"
#include "tests/lib/slow_fit.h"
#include "tests/lib/slow_studies.h"

enum { STUDIES = 100, SEEDS = 4, DEEPER = 4, RUNS_LEAST = 16, RUNS_MOST = 400 };
enum { LEVELS_MOST = 6, EXPERTS_MOST = 8, GRANULARITIES_MOST = 5 };

/* Starts of the slow optimiser, and its hops in a row without gain. */
enum { JUDGE_STARTS = 90 };

static const double tolerance = 1e-6;

/* A threshold that no residual is beyond. */
static const double squares = 1e300;

/* Objectives below this share of the weight are rounding: residuals of 1e-11. */
static const double rounding = 1e-22;

static const struct {
    size_t count;
    double value[EXPERTS_MOST];
} experts[] = {
    {1, {1}},
    {1, {8}},
    {2, {1, 8}},
    {2, {1, 64}},
    {3, {1, 4, 16}},
    {3, {4, 16, 64}},
    {6, {1, 2, 4, 8, 16, 32}},
    {8, {1, 2, 4, 8, 16, 32, 64, 128}},
};

static const struct {
    size_t count;
    double value[GRANULARITIES_MOST];
} granularities[] = {{1, {1}}, {2, {1, 4}}, {3, {1, 2, 4}}, {5, {1, 2, 4, 8, 16}}};

static const double noises[] = {0, 0.002, 0.005, 0.01, 0.02, 0.05};

/* N and D of run after run. */
enum design { UNIFORM, GRID, ISOFLOP, TWENTY, RATIOS, DESIGNS };
static const char *const design_names[] = {"uniform", "grid", "IsoFLOP", "D = 20 N", "D/N fixed"};

struct kind {
    enum design design;
    size_t runs, experts, granularity, levels[2];
    double least_n, span; /* of N */
    struct slow_noise noise;
    bool follows, rounds; /* the law; losses to three digits */
    struct robust robust;
};

static size_t below(struct rng *rng, size_t n)
{
    return (size_t)rng_below(rng, n);
}

static struct kind kind_draw(struct rng *rng)
{
    struct kind kind = {
        .design = (enum design)below(rng, DESIGNS),
        .runs = (size_t)(RUNS_LEAST * pow((double)RUNS_MOST / RUNS_LEAST, rng_uniform(rng))),
        .experts = below(rng, sizeof experts / sizeof *experts),
        .granularity = below(rng, sizeof granularities / sizeof *granularities),
        .levels = {3 + below(rng, LEVELS_MOST - 2), 2 + below(rng, LEVELS_MOST - 1)},
        .least_n = pow(10, 7 + 2 * rng_uniform(rng)),
        .span = pow(10, 1 + 1.5 * rng_uniform(rng)),
        .noise = {.sd = noises[below(rng, sizeof noises / sizeof *noises)], .variety = 0.25},
        .robust = {ROBUST_HUBER, 1e-3},
    };

    kind.noise.outliers = below(rng, 3) == 0 ? 0.1 : 0;
    kind.follows = below(rng, 4) != 0;
    kind.rounds = below(rng, 3) == 0;
    if (below(rng, 4) == 0)
        kind.robust.kind = ROBUST_SQUARED;
    else if (below(rng, 3) == 0)
        kind.robust.delta = pow(10, -4 + 2.5 * rng_uniform(rng));
    return kind;
}

/* A level of a grid from 1 to span, of LEVELS_MOST. */
static double level(struct rng *rng, size_t levels, double span)
{
    return pow(span, (double)below(rng, levels) / (LEVELS_MOST - 1));
}

static void place(const struct kind *kind, struct rng *rng, double *ret_n, double *ret_d)
{
    double n = kind->least_n * pow(kind->span, rng_uniform(rng)), ratio = 20, flops;

    if (kind->design == GRID || kind->design == RATIOS)
        n = kind->least_n * level(rng, kind->levels[0], kind->span);
    if (kind->design == RATIOS)
        ratio *= (double)(1 << below(rng, 4));
    *ret_n = n;
    *ret_d = ratio * n;
    if (kind->design == UNIFORM)
        *ret_d = 20 * kind->least_n * pow(200, rng_uniform(rng));
    if (kind->design == GRID)
        *ret_d = 20 * kind->least_n * level(rng, kind->levels[1], 100);
    if (kind->design == ISOFLOP) {
        flops = 120 * kind->least_n * kind->least_n *
                level(rng, kind->levels[0], kind->span * kind->span);
        *ret_n = sqrt(flops / 120) * pow(16, rng_uniform(rng) - 0.5);
        *ret_d = flops / (6 * *ret_n);
    }
}

static void simulate(const struct kind *kind, const struct family *family, size_t number,
                     struct rng *rng, struct slow_study *ret)
{
    ret->count = kind->runs;
    (void)snprintf(ret->name, sizeof ret->name, "study %zu", number);
    for (size_t i = 0; i < kind->runs; i++) {
        double n, d, e = experts[kind->experts].value[below(rng, experts[kind->experts].count)];
        double g = granularities[kind->granularity]
                       .value[below(rng, granularities[kind->granularity].count)];

        place(kind, rng, &n, &d);
        ret->obs[i] = (struct obs){.n_active = round(n),
                                   .n_total = round(n * (0.4 + 0.6 * e)),
                                   .tokens = round(d),
                                   .experts = e,
                                   .granularity = e > 1 ? g : 1,
                                   .weight = 1,
                                   .train_flops = NAN};
    }
    slow_study_losses(ret, kind->follows ? family->law : family->other, &kind->noise, number, NULL);
    for (size_t i = 0; kind->rounds && i < kind->runs; i++)
        ret->obs[i].loss = round(1000 * ret->obs[i].loss) / 1000;
}

/* The objective of the study in the order and unit of a seed; NAN when it is refused. */
static double fit_of(const struct fit_options *options, const struct slow_study *study)
{
    static const double units[] = {1, 0.69314718055994531};
    struct obs obs[SLOW_RUNS_MAX];
    struct rng rng = rng_stream(options->seed, 79);
    struct fit_result result;
    struct arena arena;
    struct err err;
    double objective = NAN;

    memcpy(obs, study->obs, study->count * sizeof *obs);
    for (size_t i = study->count; i-- > 0;) {
        size_t j = below(&rng, i + 1);
        struct obs kept = obs[i];

        obs[i] = obs[j];
        obs[j] = kept;
        obs[i].loss /= units[options->seed % 2];
    }
    arena_init(&arena, SIZE_MAX);
    err_init(&err, NULL);
    if (fit_run(options, obs, study->count, &arena, &result, &err) == ERR_OK)
        objective = result.objective;
    arena_release(&arena);
    return objective;
}

struct tally {
    size_t studies, refused, fits, misses, judged_misses;
};

/* The objective that the slow optimiser finds. */
static double judge(const struct family *family, const struct kind *kind,
                    const struct slow_study *study, struct slow_problem *problem)
{
    const struct slow_effort effort = {JUDGE_STARTS, JUDGE_STARTS, 1};
    struct slow_answer best = {.objective = INFINITY};

    family_pose(problem, family, kind->robust.kind == ROBUST_SQUARED ? squares : kind->robust.delta,
                study->obs, study->count);
    slow_fit_run(problem, &effort, &best);
    return best.objective;
}

static struct tally hold(const struct family *family, size_t number, struct slow_study *study,
                         struct slow_problem *problem)
{
    struct rng rng = rng_stream(number * FAMILIES + (size_t)(family - families), 4242);
    struct kind kind = kind_draw(&rng);
    struct fit_options options = family_options(family);
    double got[SEEDS], best, judged, worst = 0, floor = rounding * (double)kind.runs;
    struct tally tally = {.studies = 1};

    options.robust = kind.robust;
    simulate(&kind, family, number, &rng, study);
    options.seed = SEEDS;
    options.starts *= DEEPER;
    best = fit_of(&options, study);
    options.starts /= DEEPER;
    if (isnan(best))
        return (struct tally){.studies = 1, .refused = 1};
    for (size_t seed = 0; seed < SEEDS; seed++) {
        options.seed = seed;
        got[seed] = fit_of(&options, study);
        best = fmin(best, got[seed]);
        worst = fmax(worst, got[seed]);
        tally.fits++;
    }
    judged = judge(family, &kind, study, problem);
    for (size_t seed = 0; seed < SEEDS; seed++) {
        tally.misses += got[seed] <= best * (1 + tolerance) + floor ? 0 : 1;
        tally.judged_misses += got[seed] <= judged * (1 + tolerance) + floor ? 0 : 1;
    }
    if (tally.misses + tally.judged_misses > 0)
        (void)printf("miss: %s, study %zu: %zu of %d fits, up to %.3g above %.9g, %zu of them "
                     "above the slow optimiser's %.9g | %zu runs, %s, "
                     "%zu values of E, %zu of G, noise %g, outliers %g%s, %s, delta %g\n",
                     family->name, number, tally.misses, SEEDS, worst / best - 1, best,
                     tally.judged_misses, judged, kind.runs, design_names[kind.design],
                     experts[kind.experts].count, granularities[kind.granularity].count,
                     kind.noise.sd, kind.noise.outliers, kind.follows ? "" : ", another law's",
                     kind.robust.kind == ROBUST_SQUARED ? "squared" : "huber", kind.robust.delta);
    return tally;
}

struct bench {
    pthread_mutex_t lock;
    size_t first, studies, next, end; /* tasks: study by study of family by family */
    struct tally tally[FAMILIES];
};

static void *work(void *arg)
{
    struct bench *bench = arg;
    struct slow_study *study = calloc(1, sizeof *study);
    struct slow_problem *problem = calloc(1, sizeof *problem);

    for (;;) {
        size_t task;
        struct tally got, *sum;

        (void)pthread_mutex_lock(&bench->lock);
        task = bench->next < bench->end ? bench->next++ : SIZE_MAX;
        (void)pthread_mutex_unlock(&bench->lock);
        if (task == SIZE_MAX || study == NULL || problem == NULL)
            break;
        got = hold(&families[task / bench->studies], bench->first + task % bench->studies, study,
                   problem);
        (void)pthread_mutex_lock(&bench->lock);
        sum = &bench->tally[task / bench->studies];
        sum->studies += got.studies;
        sum->refused += got.refused;
        sum->fits += got.fits;
        sum->misses += got.misses;
        sum->judged_misses += got.judged_misses;
        (void)pthread_mutex_unlock(&bench->lock);
    }
    free(problem);
    free(study);
    return NULL;
}

static void tell(const struct family *family, const struct tally *tally, const char *above,
                 const char *against, size_t misses)
{
    (void)printf("{\"what\": \"fits of %s above %s\", \"against\": \"%s, %zu fits of %zu "
                 "studies\", \"ratio\": %zu, \"goal\": \"<= 0\"}\n",
                 family->name, above, against, tally->fits, tally->studies - tally->refused,
                 misses);
}

int main(int argc, char **argv)
{
    static struct bench bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .studies = STUDIES};
    size_t family = argc > 3 ? count_argument(argv[3]) : FAMILIES;

    if (argc > 1)
        bench.studies = count_argument(argv[1]);
    if (argc > 2)
        bench.first = count_argument(argv[2]);
    if (bench.studies == 0 || family > FAMILIES)
        return 2;
    bench.next = family < FAMILIES ? family * bench.studies : 0;
    bench.end = family < FAMILIES ? bench.next + bench.studies : FAMILIES * bench.studies;
    (void)gsl_set_error_handler_off();
    crew_run(work, &bench);
    for (size_t f = 0; f < FAMILIES; f++) {
        const struct tally *tally = &bench.tally[f];

        if (tally->fits == 0)
            continue;
        tell(&families[f], tally, "the best of their study", "other seeds", tally->misses);
        tell(&families[f], tally, "a slow optimiser", "it shares nothing with fits",
             tally->judged_misses);
    }
    return 0;
}
