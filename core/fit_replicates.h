/* fit_replicates: what runs of one configuration say of a fit's noise and of its law. */
#ifndef MOEPLAN_CORE_FIT_REPLICATES_H
#define MOEPLAN_CORE_FIT_REPLICATES_H

#include "core/fit.h"

/* Warns lack_of_fit or replicate_noise by an F test, each run by its weight. obs sorted, residuals
 * in their order. */
void fit_replicates(const struct obs *obs, const double *residuals, size_t count,
                    struct fit_result *result);

#endif
