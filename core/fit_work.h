/* fit_work: what one fit is made with, from runs to result; private to fit.c, fit_describe.c and
 * fit_draws.c.
 */
#ifndef MOEPLAN_CORE_FIT_WORK_H
#define MOEPLAN_CORE_FIT_WORK_H

#include "core/fit_error.h"
#include "core/fit_search.h"

/* What one call works with; gone when it returns. */
struct fit_work {
    const struct fit_options *options;
    size_t count;    /* runs with weight */
    struct obs *obs; /* sorted */
    double natural[LAW_MAX_COEFFICIENTS];
    struct arena scratch;
    struct fit_problem problem;
    struct fit_polish polish;
    struct fit_found found;
    struct fit_error error;
};

/* Sets options and an empty scratch, and copies the runs with weight, in the one order that does
 * not depend on the caller's. ERR_NO_MEMORY; fit_work_close is due all the same. */
enum err_code fit_work_open(struct fit_work *work, const struct fit_options *options,
                            const struct obs *obs, size_t count, struct err *err);
void fit_work_close(struct fit_work *work);

/* What the search's answer says of itself: errors, sums, noise, ranges, warnings. result has its
 * coefficients and objective. */
void fit_work_describe(struct fit_work *work, struct fit_result *result);

/* The bootstrap and the intervals it makes, its draws in the caller's arena. ERR_CANCELLED,
 * ERR_NO_MEMORY. */
enum err_code fit_work_draw(struct fit_work *work, struct arena *arena, struct fit_result *result,
                            struct err *err);

#endif
