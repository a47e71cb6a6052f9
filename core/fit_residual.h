/* fit_residual: how far each run lies off a fitted law, and what the fit made of it.
 *
 * Pure; allocates nothing and never fails. Thread-safe.
 */
#ifndef MOEPLAN_CORE_FIT_RESIDUAL_H
#define MOEPLAN_CORE_FIT_RESIDUAL_H

#include <stdbool.h>
#include <stddef.h>

#include "core/law.h"
#include "core/obs.h"
#include "core/robust.h"

struct fit_residual {
    double predicted;        /* loss */
    double residual;         /* ln L − ln L̂ */
    double effective_weight; /* weight·h'(r)/r */
    bool outlier;            /* |r| beyond 3.5 robust standard deviations (MAD) */
};

/* One per run, in the given order. ret_residuals has room for count. */
void fit_residuals(const struct law *law, const double *coefficients, const struct robust *robust,
                   const struct obs *obs, size_t count, struct fit_residual *ret_residuals);

#endif
