/* fit_cases: runs for tests of fits: simulated designs and the published files. */
#ifndef MOEPLAN_TESTS_FIT_CASES_H
#define MOEPLAN_TESTS_FIT_CASES_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit.h"
#include "core/fit_problem.h"
#include "core/preset.h"
#include "core/rng.h"
#include "tests/unit/check.h"

enum { CASE_RUNS_MAX = 2000, CASE_LINE_BYTES = 4096 };

struct fit_case {
    size_t count;
    struct obs obs[CASE_RUNS_MAX];
};

/* A fit with its memory: fit_case_run fills it, fit_case_release frees it. */
struct fit_outcome {
    enum err_code code;
    struct arena arena;
    struct err err;
    struct fit_result result;
};

static inline void fit_case_run(const struct fit_options *options, const struct fit_case *runs,
                                struct fit_outcome *ret)
{
    memset(ret, 0, sizeof *ret);
    arena_init(&ret->arena, (size_t)1 << 30);
    err_init(&ret->err, &ret->arena);
    ret->code = fit_run(options, runs->obs, runs->count, &ret->arena, &ret->result, &ret->err);
}

/* The runs as a problem of a law with every coefficient free. */
static inline void fit_case_pose(const char *law, const struct fit_case *runs, struct arena *arena,
                                 struct fit_problem *ret)
{
    struct fit_options options = fit_options_default(law_find(law));
    double natural[LAW_MAX_COEFFICIENTS] = {0};
    bool is_free[LAW_MAX_COEFFICIENTS];
    struct err err;

    for (size_t i = 0; i < LAW_MAX_COEFFICIENTS; i++)
        is_free[i] = true;
    arena_init(arena, (size_t)1 << 28);
    err_init(&err, NULL);
    assert_int_equal(ERR_OK, fit_problem_init(ret, &options, is_free, natural, runs->obs,
                                              runs->count, arena, &err));
}

static inline void fit_case_release(struct fit_outcome *outcome)
{
    arena_release(&outcome->arena);
}

static inline bool fit_case_warned(const struct fit_outcome *outcome, const char *code)
{
    for (size_t i = 0; i < outcome->result.n_warnings; i++)
        if (strcmp(outcome->result.warnings[i].code, code) == 0)
            return true;
    return false;
}

static inline bool fit_case_has_field(const struct fit_outcome *outcome, const char *name)
{
    for (const struct err_field *field = outcome->err.first; field != NULL; field = field->next)
        if (strcmp(field->name, name) == 0)
            return true;
    return false;
}

/* The column of a header row, or -1. */
static inline int fit_case_column(const char *header, const char *name)
{
    size_t length = strlen(name);
    int column = 0;

    for (const char *at = header;; column++) {
        if (strncmp(at, name, length) == 0 && strchr(",\r\n", at[length]) != NULL)
            return column;
        at = strchr(at, ',');
        if (at == NULL)
            return -1;
        at++;
    }
}

/* Copies cell `column` of a row without quotes; "" when there is none. */
static inline void fit_case_cell(const char *row, int column, char *ret, size_t size)
{
    size_t n = 0;

    ret[0] = '\0';
    for (int c = 0; c < column && row != NULL; c++) {
        row = strchr(row, ',');
        row = row == NULL ? NULL : row + 1;
    }
    while (column >= 0 && row != NULL && row[n] != '\0' && strchr(",\r\n", row[n]) == NULL &&
           n + 1 < size) {
        ret[n] = row[n];
        n++;
    }
    ret[n] = '\0';
}

static inline double fit_case_number(const char *row, int column, double absent)
{
    char cell[64], *end;
    double value;

    fit_case_cell(row, column, cell, sizeof cell);
    value = strtod(cell, &end);
    return end == cell || *end != '\0' ? absent : value;
}

/* Reads the runs of a CSV file whose cell `column_name` is `wanted` (NULL: all rows); false when
 * there is no such file. Lines that open with '#' are comments. */
static inline bool fit_case_read(const char *path, const char *column_name, const char *wanted,
                                 struct fit_case *ret)
{
    static const char *const names[] = {"n_active",    "n_total", "tokens",     "experts",
                                        "granularity", "loss",    "train_flops"};
    char header[CASE_LINE_BYTES] = "", line[CASE_LINE_BYTES], cell[128];
    FILE *file = fopen(path, "r");
    int columns[7], filter;

    ret->count = 0;
    if (file == NULL)
        return false;
    while (fgets(header, sizeof header, file) != NULL && header[0] == '#')
        continue;
    for (int i = 0; i < 7; i++)
        columns[i] = fit_case_column(header, names[i]);
    filter = column_name == NULL ? -1 : fit_case_column(header, column_name);
    while (fgets(line, sizeof line, file) != NULL && ret->count < CASE_RUNS_MAX) {
        fit_case_cell(line, filter, cell, sizeof cell);
        if (column_name != NULL && strcmp(cell, wanted) != 0)
            continue;
        ret->obs[ret->count++] = (struct obs){
            .n_active = fit_case_number(line, columns[0], NAN),
            .n_total = fit_case_number(line, columns[1], NAN),
            .tokens = fit_case_number(line, columns[2], NAN),
            .experts = fit_case_number(line, columns[3], 1.0),
            .granularity = fit_case_number(line, columns[4], 1.0),
            .loss = fit_case_number(line, columns[5], NAN),
            .train_flops = fit_case_number(line, columns[6], NAN),
            .weight = 1.0,
        };
    }
    (void)fclose(file);
    return true;
}

/* A file of the folder named by MOEPLAN_DATA; false without it. */
static inline bool fit_case_shared(const char *name, const char *column_name, const char *wanted,
                                   struct fit_case *ret)
{
    const char *folder = getenv("MOEPLAN_DATA");
    char path[CASE_LINE_BYTES];

    if (folder == NULL)
        return false;
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return fit_case_read(path, column_name, wanted, ret);
}

/* Losses by a law at given coefficients, times exp(noise·normal). */
static inline void fit_case_losses(struct fit_case *runs, const struct law *law,
                                   const double *coefficients, double noise, uint64_t seed)
{
    struct rng rng = rng_stream(seed, 1);

    for (size_t i = 0; i < runs->count; i++) {
        struct law_x x = law_x_from_obs(&runs->obs[i]);

        runs->obs[i].loss = law_loss(law, coefficients, &x) * exp(noise * rng_normal(&rng));
    }
}

/* count log-uniform runs that vary in everything. */
static inline void fit_case_design(struct fit_case *runs, size_t count, uint64_t seed)
{
    struct rng rng = rng_stream(seed, 0);

    runs->count = count;
    for (size_t i = 0; i < count; i++) {
        double n = 3e7 * pow(100.0, rng_uniform(&rng)), e = pow(2.0, (double)rng_below(&rng, 7));

        runs->obs[i] = (struct obs){
            .n_active = n,
            .n_total = n * (0.4 + 0.6 * e),
            .tokens = 5e8 * pow(200.0, rng_uniform(&rng)),
            .experts = e,
            .granularity = e > 1.0 ? pow(2.0, (double)rng_below(&rng, 5)) : 1.0,
            .weight = 1.0,
            .train_flops = NAN,
        };
    }
}

/* Any order of the same runs. */
static inline void fit_case_shuffle(struct fit_case *runs, uint64_t seed)
{
    struct rng rng = rng_stream(seed, 2);

    for (size_t i = runs->count; i > 1; i--) {
        size_t j = (size_t)rng_below(&rng, i);
        struct obs kept = runs->obs[i - 1];

        runs->obs[i - 1] = runs->obs[j];
        runs->obs[j] = kept;
    }
}

#endif
