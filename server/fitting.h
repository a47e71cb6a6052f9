/* fitting: a fit from request to record, in the steps that lanes take apart.
 *
 * decode and read_runs read (a reader's work), compute thinks (a fit thread's, nothing held), the
 * caller stores. Everything lives in the call's arena: of a client's call, or of one made for the
 * background.
 */
#ifndef MOEPLAN_SERVER_FITTING_H
#define MOEPLAN_SERVER_FITTING_H

#include "db/values.h"
#include "server/call.h"
#include "server/fit_request.h"
#include "server/jobs.h"

struct fitting {
    struct fit_request request;
    struct fit_options options;
    const struct study *study;
    int64_t last_experiment_id;
    size_t count;
    struct obs *obs;         /* in obs_compare order */
    int64_t *ids;            /* in the store's order */
    struct fit_watch *watch; /* told of progress; NULL: nobody watches */
    struct fit_result result;
    struct fit_record record; /* its id stays as it was: 0 */
};

/* Reads the runs that count by the request's study and `where`, sorted. request and study must be
 * filled. With options.law, ERR_UNSUPPORTED names the runs that lack what it reads; without one
 * (NULL) fitting_check_runs is left to do so for each law. */
enum err_code fitting_read_runs(struct call *call, struct fitting *fitting);

/* ERR_UNSUPPORTED when runs lack what options.law reads. */
enum err_code fitting_check_runs(struct call *call, const struct fitting *fitting);

/* Decodes call's body, finds the study. */
enum err_code fitting_decode(struct call *call, struct fitting *fitting);

/* Fits and makes the record, with status FIT_FINISHED. Draws of the bootstrap are shared out over
 * call->app->options.draw_threads. The errors of fit_run. */
enum err_code fitting_compute(struct call *call, struct fitting *fitting);

/* Lets the call's arena grow as a fit may (--max-fit-bytes); and what is left of that for a fit's
 * scratch, the runs being in the arena. */
void fitting_make_room(struct call *call);
size_t fitting_memory_left(const struct call *call);

#endif
