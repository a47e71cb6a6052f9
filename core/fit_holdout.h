/* fit_holdout: how well the cheap runs predict the dear ones.
 *
 * Runs are split by training compute, never at random: extrapolation is what a fit is for, and
 * random folds flatter every law. The dearest are held out, the rest fitted with the same options,
 * and the dear ones predicted.
 */
#ifndef MOEPLAN_CORE_FIT_HOLDOUT_H
#define MOEPLAN_CORE_FIT_HOLDOUT_H

#include "core/fit.h"

/* Fills result->holdout and adds a warning where the cheap runs cannot be fitted. ERR_CANCELLED,
 * ERR_NO_MEMORY. */
enum err_code fit_holdout_run(const struct fit_options *options, const struct obs *obs,
                              size_t count, struct fit_result *result, struct err *err);

#endif
