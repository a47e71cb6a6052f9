/* obs: one training run as numbers, and whether they can be true.
 *
 * Plain copyable values; owns nothing. NAN marks an absent optional number.
 */
#ifndef MOEPLAN_CORE_OBS_H
#define MOEPLAN_CORE_OBS_H

#include <stddef.h>

#include "core/err.h"

struct obs {
    double n_active;    /* parameters active for one token, > 0 */
    double n_total;     /* all parameters, >= n_active, or NAN */
    double tokens;      /* D, > 0 */
    double experts;     /* E, expansion rate, >= 1; 1 is dense */
    double granularity; /* G, > 0 */
    double loss;        /* > 0, in the study's unit */
    double weight;      /* >= 0 */
    double train_flops; /* > 0, or NAN: then 6·n_active·tokens */
};

/* Training compute in FLOPs: train_flops, or 6·n_active·tokens where it is absent. */
double obs_flops(const struct obs *obs);

/* A rule broken, by the contract's field name. Calls report(ctx, field, sentence) for each broken
 * rule; returns how many. The one place that knows what a valid run is. */
typedef void obs_report(void *ctx, const char *field, const char *detail);
size_t obs_check(const struct obs *obs, obs_report *report, void *ctx);

/* Values that are allowed but look like a slip (tokens: 20, n_active: 7, a loss above 20). */
size_t obs_suspect(const struct obs *obs, obs_report *report, void *ctx);

/* Orders by content, field by field, experts first (laws compute Ê once per value), NAN last: the
 * order in which fits see runs. For qsort. */
int obs_compare(const void *a, const void *b);

#endif
