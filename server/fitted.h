/* fitted: what a finished fit was made of, read again: its options, its runs. */
#ifndef MOEPLAN_SERVER_FITTED_H
#define MOEPLAN_SERVER_FITTED_H

#include "core/fit.h"
#include "db/store.h"
#include "server/call.h"

struct fitted {
    const struct fit_record *record;
    const struct law *law;
    struct fit_options options;
    size_t count;
    struct obs *obs; /* in obs_compare order */
};

/* The options from the fit's document: they read as a request. */
enum err_code fitted_read_options(struct call *call, struct fitted *fitted);

/* The runs, into the call's arena, which is given room for a fit; a reader's work. ERR_CONFLICT
 * unless they are those of the fit to the bit. */
enum err_code fitted_read_runs(struct call *call, struct fitted *fitted);

/* Calls row for each run of a fit that is stored still, ascending, until it returns false; what it
 * is given lasts for the call of it. A reader's work. */
typedef bool fitted_row(void *ctx, const struct experiment *run);
enum err_code fitted_each(struct call *call, const struct fit_record *record, fitted_row *row,
                          void *ctx);

#endif
