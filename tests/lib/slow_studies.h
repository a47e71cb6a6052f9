/* slow_studies: data sets on which fits are held against slow_fit.h: read, or simulated from the
 * formulas of slow_law.h at the published coefficients.
 */
#ifndef MOEPLAN_TESTS_SLOW_STUDIES_H
#define MOEPLAN_TESTS_SLOW_STUDIES_H

#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/slow_fit.h"

enum { SLOW_LINE_BYTES = 4096 };

struct slow_study {
    char name[96];
    size_t count;
    struct obs obs[SLOW_RUNS_MAX];
};

/* Published coefficients in the contract's order (J Table 3, K Table 1, B, C's S-Base, A). */
static const struct {
    const char *law;
    double natural[SLOW_MAX];
} slow_published[] = {
    {"chinchilla", {1.81686, 482.00572, 2085.43420, 0.34781303, 0.36585412}},
    {"fine-grained", {18.1, 0.115, 30.8, 0.147, 2.1, 0.58, 0.47}},
    {"joint",
     {35.91, -0.1889, -0.2285, 0.0098, 35.98, -0.1775, 0.5529, -0.0259, 2.0732, 290.4521, 1.3637}},
    {"joint-granular",
     {35.91, -0.1889, -0.2285, 0.0098, 35.98, -0.1775, 0.5529, -0.0259, 2.0732, 290.4521, 1.3637,
      0.0331, 0.684}},
    {"routed", {-0.082, -0.108, 0.009, 1.104, 1.847, 314.478}},
    {"sparsity", {16612.5, 5455.67, 0.4598, 17.26, 0.94, 0.5962, 0.3954, -0.1666, 0.1603, 0.1595}},
};

static inline const double *slow_published_find(const char *law)
{
    for (size_t i = 0; i < sizeof slow_published / sizeof slow_published[0]; i++)
        if (strcmp(slow_published[i].law, law) == 0)
            return slow_published[i].natural;
    return NULL;
}

/* Log-uniform runs that vary in everything. */
static inline void slow_study_design(struct slow_study *study, size_t count, uint64_t seed)
{
    struct rng rng = rng_stream(seed, 77);

    study->count = count;
    for (size_t i = 0; i < count; i++) {
        double n = 8e7 * pow(34.0, rng_uniform(&rng)), e = pow(2.0, (double)rng_below(&rng, 6));

        study->obs[i] = (struct obs){
            .n_active = n,
            .n_total = n * (0.4 + 0.6 * e),
            .tokens = 5e8 * pow(160.0, rng_uniform(&rng)),
            .experts = e,
            .granularity = e > 1 ? pow(2.0, (double)rng_below(&rng, 5)) : 1,
            .loss = 1,
            .weight = 1,
            .train_flops = NAN,
        };
    }
}

struct slow_noise {
    double sd;       /* of ln loss */
    double outliers; /* share of runs that are off by sixty times that, or a tenth */
    double variety;  /* how far the planted coefficients lie from the published ones */
};

/* Losses by a law near its published coefficients; ret_natural, unless NULL: those planted. */
static inline void slow_study_losses(struct slow_study *study, const char *law,
                                     const struct slow_noise *noise, uint64_t seed,
                                     double *ret_natural)
{
    struct slow_problem *problem = malloc(sizeof *problem);
    struct rng rng = rng_stream(seed, 78);
    double y[SLOW_MAX];

    if (problem == NULL)
        exit(1);
    for (size_t i = 0; i < study->count; i++)
        study->obs[i].loss = 1;
    slow_problem_init(problem, law, 1e-3, study->obs, study->count);
    problem->law->point(&problem->centre, slow_published_find(law), y);
    for (size_t j = 0; j < problem->law->n; j++)
        if (j != problem->law->start && j != problem->law->start + 1)
            y[j] *= exp(noise->variety * rng_normal(&rng));
    for (size_t i = 0; i < study->count; i++) {
        double off = noise->sd * rng_normal(&rng), chance = rng_uniform(&rng);

        if (chance < noise->outliers)
            off += fmax(0.1, 60 * noise->sd) * rng_normal(&rng);
        study->obs[i].loss = exp(slow_predict(problem, &problem->run[i], y, NULL) + off);
    }
    if (ret_natural != NULL)
        problem->law->natural(&problem->centre, y, ret_natural);
    free(problem);
}

/* Cell `name` of a row under a header, both without quotes; "" when there is none. */
static inline const char *slow_cell(const char *header, const char *row, const char *name,
                                    char *ret, size_t size)
{
    size_t length = strlen(name), n = 0;

    ret[0] = '\0';
    for (;;) {
        if (strncmp(header, name, length) == 0 && strchr(",\r\n", header[length]) != NULL)
            break;
        header = strchr(header, ',');
        row = strchr(row, ',');
        if (header == NULL || row == NULL)
            return ret;
        header++;
        row++;
    }
    while (row[n] != '\0' && strchr(",\r\n", row[n]) == NULL && n + 1 < size) {
        ret[n] = row[n];
        n++;
    }
    ret[n] = '\0';
    return ret;
}

static inline double slow_number(const char *header, const char *row, const char *name,
                                 double absent)
{
    char cell[64], *end;
    double value = strtod(slow_cell(header, row, name, cell, sizeof cell), &end);

    return end == cell || *end != '\0' ? absent : value;
}

/* Whether every "column=value|value" of a NULL-ended list holds for the row. */
static inline bool slow_wanted(const char *header, const char *row, const char *const *where)
{
    for (; where != NULL && *where != NULL; where++) {
        char column[64], cell[64], text[128], wanted[128];

        (void)sscanf(*where, "%63[^=]=%127[^\n]", column, text);
        (void)snprintf(wanted, sizeof wanted, "|%.120s|", text);
        (void)slow_cell(header, row, column, cell, sizeof cell);
        (void)snprintf(text, sizeof text, "|%s|", cell);
        if (strstr(wanted, text) == NULL)
            return false;
    }
    return true;
}

/* Reads a CSV of runs below the folder MOEPLAN_DATA; false without it. `loss` may be absent. */
static inline bool slow_study_read(struct slow_study *study, const char *file,
                                   const char *const *where)
{
    const char *folder = getenv("MOEPLAN_DATA");
    char header[SLOW_LINE_BYTES] = "#", row[SLOW_LINE_BYTES];
    FILE *stream;

    study->count = 0;
    if (folder == NULL)
        return false;
    (void)snprintf(row, sizeof row, "%s/%s", folder, file);
    stream = fopen(row, "r");
    if (stream == NULL)
        return false;
    while (header[0] == '#' && fgets(header, sizeof header, stream) != NULL)
        continue;
    while (fgets(row, sizeof row, stream) != NULL && study->count < SLOW_RUNS_MAX)
        if (slow_wanted(header, row, where))
            study->obs[study->count++] = (struct obs){
                .n_active = slow_number(header, row, "n_active", NAN),
                .n_total = slow_number(header, row, "n_total", NAN),
                .tokens = slow_number(header, row, "tokens", NAN),
                .experts = slow_number(header, row, "experts", 1),
                .granularity = slow_number(header, row, "granularity", 1),
                .loss = slow_number(header, row, "loss", 1),
                .weight = 1,
                .train_flops = NAN,
            };
    (void)fclose(stream);
    return study->count > 0;
}

#endif
