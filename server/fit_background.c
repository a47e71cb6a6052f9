#include "server/fit_background.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "db/store.h"
#include "server/app.h"
#include "server/fit_document.h"
#include "server/fits.h"
#include "server/log.h"
#include "server/process.h"
#include "server/snapshot.h"
#include "server/warning.h"
#include "server/writer.h"

/* A call of its own, without a client: the steps of a fit take one. */
struct background {
    struct job job;
    struct call call;
    struct fitting fitting;
    struct fit_watch watch;
    struct fit_record begun; /* as it was stored; its text is the arena's */
};

bool fit_background_wanted(const struct request *request)
{
    static const char wanted[] = "respond-async";
    const char *at = request_header(request, "Prefer");

    while (at != NULL && *at != '\0') {
        size_t length;

        at += strspn(at, " \t,");
        length = strcspn(at, ",;= \t");
        if (length == sizeof wanted - 1 && strncasecmp(at, wanted, length) == 0)
            return true;
        at += strcspn(at, ",");
    }
    return false;
}

enum err_code fit_background_record(struct call *call, const struct fitting *fitting,
                                    struct fit_record *ret)
{
    struct out out;

    *ret = (struct fit_record){
        .study = fitting->study->id,
        .law = fitting->options.law->name,
        .label = fitting->request.label,
        .status = FIT_RUNNING,
        .created_at_us = call->now_us,
        .parameter_convention = fitting->study->parameter_convention,
        .robust = fitting->options.robust,
    };
    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    fit_request_write(&out, &fitting->request, &fitting->options, NULL);
    out_array_begin(&out, "warnings");
    out_array_end(&out);
    out_text(&out, "provenance", "fitted");
    out_object_end(&out);
    return out_finish(&out, &ret->document, &ret->document_length, &call->err);
}

static void background_free(struct background *background)
{
    jobs_unwatch(background->call.app->jobs, &background->watch);
    snapshot_release(background->call.snapshot);
    arena_release(&background->call.arena);
    free(background);
}

/* What a fit that found nothing says: null, but for what was asked and the reasons as warnings. */
static enum err_code write_failure(struct fit_record *record, enum err_code why,
                                   struct arena *arena, struct err *err)
{
    const char *options;
    size_t length;
    struct out out;

    out_init(&out, arena);
    out_object_begin(&out, NULL);
    if (fit_document_member(record, "options", &options, &length))
        out_raw(&out, "options", options, length);
    out_array_begin(&out, "warnings");
    warning_write(&out, err_name(why), err->detail);
    for (const struct err_field *field = err->first; field != NULL; field = field->next)
        warning_write(&out, err_name(why),
                      arena_printf(arena, "%s: %s", field->name, field->detail));
    out_array_end(&out);
    out_text(&out, "provenance", "fitted");
    out_object_end(&out);
    return out_finish(&out, &record->document, &record->document_length, err);
}

/* Turns the record of a fit that runs into that of one that found nothing. */
static void fail(struct fit_record *record, enum err_code why, struct arena *arena, struct err *err)
{
    record->status = why == ERR_CANCELLED ? FIT_CANCELLED : FIT_FAILED;
    record->finished_at_us = process_wall_us();
    write_failure(record, why, arena, err); /* without memory for it: as it was begun */
}

/* How a fit ended, on its way to the writer. */
struct ending {
    const struct app *app;
    const struct fit_record *record;
};

static enum err_code store_ending(struct store *store, void *ctx, struct err *err)
{
    const struct ending *ending = ctx;
    int64_t id;
    enum err_code code = fit_put(store, ending->record, &id, err);

    if (code == ERR_OK)
        writer_touch_fit(ending->app->writer, id);
    return code;
}

/* Stores how it ended, unless it was cancelled, or a study deleted meanwhile has taken it along. */
static void end_record(const struct app *app, const struct fit_record *record)
{
    struct ending ending = {app, record};
    struct log_line line;
    struct err err;
    enum err_code code;

    err_init(&err, NULL);
    code = writer_run(app->writer, store_ending, &ending, &err);
    if (code == ERR_OK || code == ERR_CONFLICT || code == ERR_FIT_NOT_FOUND)
        return;
    log_begin(&line, app->log, LOG_ERROR, "a fit could not be finished");
    log_integer(&line, "fit", record->id);
    log_text(&line, "code", err_name(code));
    log_text(&line, "detail", err.detail);
    log_end(&line);
}

static void finish(struct background *background, enum err_code code)
{
    struct call *call = &background->call;
    struct fit_record *record = &background->fitting.record;

    if (code != ERR_OK) {
        *record = background->begun;
        fail(record, code, &call->arena, &call->err);
    }
    record->id = background->begun.id;
    end_record(call->app, record);
}

static void run(struct job *job, struct store *store)
{
    struct background *background = (struct background *)job;
    struct call *call = &background->call;
    enum err_code code;

    /* The lane is closing, and the record stays, to be interrupted; or who cancelled it ends it. */
    if (store == NULL) {
        background_free(background);
        return;
    }
    call->store = store;
    code = fitting_decode(call, &background->fitting);
    if (code == ERR_OK)
        code = fitting_read_runs(call, &background->fitting);
    call->store = NULL;
    if (code == ERR_OK) {
        background->fitting.watch = &background->watch;
        code = fitting_compute(call, &background->fitting);
    }
    if (code != ERR_CANCELLED || !atomic_load(&call->app->draining))
        finish(background, code);
    background_free(background);
}

/* A call with what fitting_decode reads of one: the body, and the studies there are. */
static bool copy_call(struct background *background, const struct call *call,
                      const struct fit_record *begun)
{
    struct call *copy = &background->call;
    struct fit_record *record = &background->begun;

    copy->route = call->route;
    copy->now_us = call->now_us;
    copy->request.method = call->request.method;
    copy->request.method_name = call->request.method_name;
    copy->request.body = arena_copy(&copy->arena, call->request.body, call->request.body_length);
    copy->request.body_length = call->request.body_length;
    *record = *begun;
    record->study = arena_copy(&copy->arena, begun->study, strlen(begun->study));
    record->document = arena_copy(&copy->arena, begun->document, begun->document_length);
    if (begun->label != NULL)
        record->label = arena_copy(&copy->arena, begun->label, strlen(begun->label));
    return copy->request.body != NULL && record->study != NULL && record->document != NULL &&
           (begun->label == NULL) == (record->label == NULL);
}

enum err_code fit_background_start(struct call *call, const struct fitting *fitting)
{
    const struct fit_record *begun = &fitting->record;
    struct background *background = calloc(1, sizeof *background);
    struct fit_record failed = *begun;

    if (background != NULL) {
        background->job.run = run;
        call_init(&background->call, call->app);
        arena_init(&background->call.arena, (size_t)call->app->options.max_answer_bytes);
        err_init(&background->call.err, &background->call.arena);
        background->call.snapshot = snapshot_acquire(call->app->snapshots);
        jobs_watch(call->app->jobs, &background->watch, begun->id, &background->job,
                   &(struct fit_progress){.starts = fitting->options.starts,
                                          .draws = fitting->options.bootstrap,
                                          .best_objective = INFINITY});
        if (copy_call(background, call, begun)) {
            jobs_post(call->app->jobs, LANE_FIT, &background->job);
            return ERR_OK;
        }
        background_free(background);
    }
    failed.status = FIT_FAILED;
    failed.finished_at_us = process_wall_us();
    end_record(call->app, &failed);
    return err_set(&call->err, ERR_NO_MEMORY, "out of memory for fit %lld, which has failed",
                   (long long)begun->id);
}

enum err_code fit_background_cancel(struct call *call, int64_t fit)
{
    struct fit_record record;
    struct err why;
    enum err_code code = fit_read(call->store, fit, &call->arena, &record, &call->err);

    if (code != ERR_OK)
        return code;
    err_init(&why, &call->arena);
    fail(&record, err_set(&why, ERR_CANCELLED, "the work was cancelled"), &call->arena, &why);
    code = fit_put(call->store, &record, &fit, &call->err);
    if (code == ERR_OK)
        writer_touch_fit(call->app->writer, fit);
    return code;
}
