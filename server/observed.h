/* observed: the runs a fit was made of, as columns to plot beside its curves. */
#ifndef MOEPLAN_SERVER_OBSERVED_H
#define MOEPLAN_SERVER_OBSERVED_H

#include "server/call.h"
#include "server/model.h"
#include "server/out.h"

enum { OBSERVED_RUNS_MAX = 5000 }; /* more would be a cloud: every so-manieth is shown */

/* The member `runs`: {count, columns: {id, experts, granularity, n_active, n_total, tokens, loss,
 * flops}}; null for presets. Runs deleted since are gone. Needs call->store: the reader lane. */
enum err_code observed_write(struct call *call, const struct model_choice *choice, struct out *out);

#endif
