/* coverage_bench: how often 90 % intervals hold the truth, over simulated studies.
 *
 * Two kinds of study, 400 each, half a percent of noise, a fit of 200 draws at the defaults: the
 * joint law with E_start and E_max fixed on J's own design (MOEPLAN_DATA/tables/joint_design.csv;
 * without it, log-uniform runs of its ranges), and chinchilla on 100 log-uniform runs. Counted for
 * each exponent, the floor, the mean loss and one new run inside the range and at ten times the
 * dearest run's compute, and N_act and loss of the compute-optimum there. Prints each share with
 * its binomial standard error; the row run.py gathers is the share furthest from 0.9.
 *
 *     coverage_bench [STUDIES]
 */
#include <gsl/gsl_errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit.h"
#include "core/fit_interval.h"
#include "core/preset.h"
#include "core/rng.h"
#include "tests/lib/count_argument.h"

enum { STUDIES = 400, DRAWS = 200, RUNS_MAX = 400, COUNTS_MAX = LAW_MAX_COEFFICIENTS + 6 };

static const double noise = 0.005, level = 0.9;

struct study {
    const char *law;
    size_t count;
    struct obs obs[RUNS_MAX];
    double experts;           /* of the predictions and the optimum */
    double optimum_flops;     /* ten times the dearest run's */
    struct obs inside, ahead; /* where losses are predicted */
};

struct tally {
    size_t studies, n;
    char name[COUNTS_MAX][64];
    size_t covered[COUNTS_MAX];
};

static void count(struct tally *tally, size_t at, const char *name, const double *interval,
                  double truth)
{
    (void)snprintf(tally->name[at], sizeof tally->name[at], "%s", name);
    tally->covered[at] += truth >= interval[0] && truth <= interval[1] ? 1 : 0;
    tally->n = at + 1 > tally->n ? at + 1 : tally->n;
}

static struct obs run_of(double n_active, double tokens, double experts)
{
    return (struct obs){
        .n_active = n_active,
        .n_total = NAN,
        .tokens = tokens,
        .experts = experts,
        .granularity = 1.0,
        .weight = 1.0,
        .train_flops = NAN,
    };
}

/* Rows "d_model,layers,experts,n_active,n_total,tokens". */
static bool read_design(struct study *study)
{
    const char *folder = getenv("MOEPLAN_DATA");
    char path[512], line[512];
    FILE *file;

    if (folder == NULL)
        return false;
    (void)snprintf(path, sizeof path, "%s/tables/joint_design.csv", folder);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) != NULL && study->count < RUNS_MAX) {
        double experts, n_active, n_total, tokens;

        if (sscanf(line, "%*f,%*f,%lf,%lf,%lf,%lf", &experts, &n_active, &n_total, &tokens) == 4)
            study->obs[study->count++] = run_of(n_active, tokens, experts);
    }
    (void)fclose(file);
    return study->count > 0;
}

static void log_uniform(struct study *study, size_t n, bool experts)
{
    struct rng rng = rng_stream(42, 0);

    for (size_t i = 0; i < n; i++)
        study->obs[study->count++] =
            run_of(8e7 * pow(34.0, rng_uniform(&rng)), 5e8 * pow(160.0, rng_uniform(&rng)),
                   experts ? pow(2.0, (double)rng_below(&rng, 6)) : 1.0);
}

static void set_questions(struct study *study)
{
    double most = 0.0;

    for (size_t i = 0; i < study->count; i++)
        most = fmax(most, obs_flops(&study->obs[i]));
    study->optimum_flops = 10.0 * most;
    study->inside = run_of(4e8, 8e9, study->experts);
    study->ahead = run_of(sqrt(study->optimum_flops / 120.0),
                          20.0 * sqrt(study->optimum_flops / 120.0), study->experts);
}

/* ln N_act and loss of the compute-optimum; false where the exponents make none. */
static bool optimum(const struct study *study, const struct law *law, const double *coefficients,
                    double *ret_ln_n, double *ret_loss)
{
    struct law_slice slice;
    double p, q, ln_g;

    law->slice(coefficients, study->experts, 1.0, &slice);
    p = -slice.mu[0];
    q = -slice.nu;
    if (!(p > 0.0 && q > 0.0 && slice.m[0] > 0.0 && slice.n > 0.0))
        return false;
    ln_g = log(p * slice.m[0] / (q * slice.n)) / (p + q);
    *ret_ln_n = ln_g + q / (p + q) * log(study->optimum_flops / 6.0);
    *ret_loss = law_slice_loss(&slice, exp(*ret_ln_n), study->optimum_flops / 6.0 / exp(*ret_ln_n));
    return isfinite(*ret_ln_n) && isfinite(*ret_loss);
}

static void count_prediction(struct tally *tally, size_t at, const char *where,
                             const struct fit_result *result, const double *truth,
                             const struct obs *obs, struct rng *rng)
{
    struct law_x x = law_x_from_obs(obs);
    double scratch[DRAWS], mean[2], run[2], loss = law_loss(result->law, truth, &x);
    char name[64];

    fit_interval_loss(result->law, result->coefficient, result->draws, result->n_draws, &x,
                      result->noise_log, level, scratch, mean, run);
    (void)snprintf(name, sizeof name, "mean loss, %s", where);
    count(tally, at, name, mean, loss);
    (void)snprintf(name, sizeof name, "new run, %s", where);
    count(tally, at + 1, name, run, loss * exp(noise * rng_normal(rng)));
}

static void count_optimum(struct tally *tally, size_t at, const struct study *study,
                          const struct fit_result *result, const double *truth)
{
    double ln_n[DRAWS], loss[DRAWS], of_n[2], of_loss[2], true_ln_n, true_loss;
    size_t n = 0;

    for (size_t k = 0; k < result->n_draws; k++)
        n += optimum(study, result->law, result->draws + k * result->law->n_coefficients, &ln_n[n],
                     &loss[n])
                 ? 1
                 : 0;
    if (!optimum(study, result->law, truth, &true_ln_n, &true_loss))
        exit(1);
    fit_interval_of(ln_n, n, level, of_n);
    fit_interval_of(loss, n, level, of_loss);
    count(tally, at, "optimum's N_act", of_n, true_ln_n);
    count(tally, at + 1, "optimum's loss", of_loss, true_loss);
}

static void one_study(struct study *study, const struct fit_options *options, const double *truth,
                      uint64_t seed, struct tally *tally)
{
    const struct law *law = options->law;
    struct rng rng = rng_stream(seed, 1);
    struct fit_result result;
    struct arena arena;
    struct err err;
    size_t at = 0;

    for (size_t i = 0; i < study->count; i++) {
        struct law_x x = law_x_from_obs(&study->obs[i]);

        study->obs[i].loss = law_loss(law, truth, &x) * exp(noise * rng_normal(&rng));
    }
    arena_init(&arena, SIZE_MAX);
    err_init(&err, NULL);
    if (fit_run(options, study->obs, study->count, &arena, &result, &err) != ERR_OK) {
        (void)fprintf(stderr, "coverage_bench: %s\n", err.detail);
        exit(1);
    }
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (result.is_free[i] && (law->coefficients[i].role == LAW_EXPONENT ||
                                  law->coefficients[i].transform == LAW_IDENTITY))
            count(tally, at++, law->coefficients[i].name, result.interval[i], truth[i]);
    count_prediction(tally, at, "inside", &result, truth, &study->inside, &rng);
    count_prediction(tally, at + 2, "10 times the compute", &result, truth, &study->ahead, &rng);
    count_optimum(tally, at + 4, study, &result, truth);
    tally->studies++;
    arena_release(&arena);
}

static void report(const struct study *study, const struct tally *tally)
{
    double furthest = level;
    size_t worst = 0;

    for (size_t i = 0; i < tally->n; i++) {
        double share = (double)tally->covered[i] / (double)tally->studies;

        (void)printf("%s, %zu runs: %-32s %.3f ± %.3f\n", study->law, study->count, tally->name[i],
                     share, sqrt(share * (1.0 - share) / (double)tally->studies));
        if (i == 0 || fabs(share - level) > fabs(furthest - level)) {
            furthest = share;
            worst = i;
        }
    }
    (void)printf("{\"what\": \"90 %% intervals of %s that hold, at worst (%s)\", \"against\": "
                 "\"%zu simulated studies\", \"ratio\": %.3f, \"goal\": \"%s\"}\n",
                 study->law, tally->name[worst], tally->studies, furthest,
                 furthest < level ? ">= 0.85" : "<= 0.95");
    (void)fflush(stdout);
}

static void measure(struct study *study, size_t studies)
{
    const struct preset *preset = preset_for_law(study->law);
    struct fit_options options = fit_options_default(law_find(study->law));
    struct tally tally = {0};

    options.bootstrap = DRAWS;
    options.level = level;
    for (size_t i = 0; i < options.law->n_coefficients; i++)
        if (options.law->coefficients[i].role == LAW_SATURATION) {
            options.hold[i] = FIT_FIXED;
            options.fixed[i] = preset->coefficient[i];
        }
    set_questions(study);
    for (size_t k = 0; k < studies; k++)
        one_study(study, &options, preset->coefficient, k, &tally);
    report(study, &tally);
}

int main(int argc, char **argv)
{
    static struct study joint = {.law = "joint", .experts = 8.0};
    static struct study dense = {.law = "chinchilla", .experts = 1.0};
    size_t studies = argc > 1 ? count_argument(argv[1]) : STUDIES;

    if (studies == 0)
        return 2;
    (void)gsl_set_error_handler_off();
    if (!read_design(&joint))
        log_uniform(&joint, 270, true);
    log_uniform(&dense, 100, false);
    measure(&joint, studies);
    measure(&dense, studies);
    return 0;
}
