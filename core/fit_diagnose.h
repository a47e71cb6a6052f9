/* fit_diagnose: what is wrong with a fit, as stable codes with a sentence and what to do.
 *
 * A poor fit is data (architecture.md, rule 5): these go into the result. Sentences are written for
 * a tired reader.
 */
#ifndef MOEPLAN_CORE_FIT_DIAGNOSE_H
#define MOEPLAN_CORE_FIT_DIAGNOSE_H

#include "core/fit_error.h"

/* Adds a warning; once FIT_WARNINGS_MAX are there, further ones are dropped. */
void fit_diagnose_add(struct fit_result *result, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A robust standard deviation is so many median absolute residuals of a normal sample; a run beyond
 * so many of those is an outlier. */
#define FIT_SD_PER_MEDIAN 1.4826
#define FIT_OUTLIER_SDS 3.5

/* Everything the runs and the answer show. obs sorted, residuals in their order, scratch room for
 * count values, result filled but for warnings. */
void fit_diagnose(const struct fit_error *error, const struct fit_problem *problem,
                  const double *residuals, const struct obs *obs, size_t count, double *scratch,
                  struct fit_result *result);

#endif
