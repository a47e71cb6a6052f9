/* fits_post: POST /v1/fits. Decode and read the runs on a reader's thread, fit on a fit thread with
 * nothing held, store inside the writer's transaction. With `Prefer: respond-async` the reply
 * leaves once the fit is stored as running; fit_background does the rest. */
#include <inttypes.h>

#include "db/store.h"
#include "server/answer.h"
#include "server/app.h"
#include "server/fit_background.h"
#include "server/fits.h"
#include "server/fitting.h"
#include "server/handlers.h"
#include "server/writer.h"

static enum err_code fit_runs(struct call *call);
static enum err_code store_fit(struct call *call);
static enum err_code begin_background(struct call *call);

enum err_code fits_post(struct call *call)
{
    struct fitting *fitting = arena_calloc(&call->arena, 1, sizeof *fitting);
    enum err_code code;

    if (fitting == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory for the fit");
    code = fitting_decode(call, fitting);
    if (code != ERR_OK)
        return code;
    call->stage = fitting;
    if (!fit_background_wanted(&call->request)) {
        code = fitting_read_runs(call, fitting);
        if (code == ERR_OK)
            call_continue(call, LANE_FIT, fit_runs);
        return code;
    }
    code = jobs_room(call->app->jobs, &call->err);
    if (code == ERR_OK)
        code = fit_background_record(call, fitting, &fitting->record);
    if (code == ERR_OK)
        call_continue(call, LANE_WRITER, store_fit);
    return code;
}

static enum err_code fit_runs(struct call *call)
{
    struct fitting *fitting = call->stage;
    struct fit_watch watch;
    enum err_code code;

    jobs_watch_call(call->app->jobs, &watch, call);
    fitting->watch = &watch;
    code = fitting_compute(call, fitting);
    fitting->watch = NULL;
    jobs_unwatch(call->app->jobs, &watch);
    if (code == ERR_CANCELLED)
        return jobs_stopped(call);
    if (code == ERR_OK)
        call_continue(call, LANE_WRITER, store_fit);
    return code;
}

static enum err_code store_fit(struct call *call)
{
    struct fitting *fitting = call->stage;
    struct fit_record *record = &fitting->record;
    const char *location;
    struct out out;
    enum err_code code = fit_put(call->store, record, &record->id, &call->err);

    if (code != ERR_OK)
        return code;
    writer_touch_fit(call->app->writer, record->id);
    location = arena_printf(&call->arena, "/v1/fits/%" PRId64, record->id);
    if (location == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory for the reply");
    reply_header(call, "Location", location);
    if (record->status == FIT_RUNNING) /* only once it is on disk */
        call_continue(call, LANE_READER, begin_background);
    out_init(&out, &call->arena);
    fit_write(&out, record);
    return answer_out(call, record->status == FIT_RUNNING ? 202 : 201, &out);
}

static enum err_code begin_background(struct call *call)
{
    const struct fitting *fitting = call->stage;

    reply_header(call, "Preference-Applied", "respond-async");
    return fit_background_start(call, fitting);
}
