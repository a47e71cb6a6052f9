/* fitted: what a finished fit was made of, read again: its options, its runs. */
#ifndef MOEPLAN_SERVER_FITTED_H
#define MOEPLAN_SERVER_FITTED_H

#include "core/fit.h"
#include "server/call.h"

struct fitted {
    const struct fit_record *record;
    const struct law *law;
    struct fit_options options;
    size_t count;
    struct obs *obs; /* in obs_compare order */
    size_t next;     /* of the record's runs, while reading */
};

/* The options from the fit's document: they read as a request. */
enum err_code fitted_read_options(struct call *call, struct fitted *fitted);

/* The runs, into the call's arena, which is given room for a fit; a reader's work. ERR_CONFLICT
 * unless they are those of the fit to the bit. */
enum err_code fitted_read_runs(struct call *call, struct fitted *fitted);

#endif
