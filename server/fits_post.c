/* fits_post: POST /v1/fits. Decode and read the runs on a reader's thread, fit on a fit thread with
 * nothing held, store inside the writer's transaction. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "db/store.h"
#include "server/answer.h"
#include "server/app.h"
#include "server/fit_document.h"
#include "server/fit_request.h"
#include "server/fits.h"
#include "server/handlers.h"
#include "server/jobs.h"
#include "server/process.h"
#include "server/studies.h"
#include "server/writer.h"

enum { RUNS_NAMED_MAX = 20 }; /* runs a refusal names; the rest are counted */

/* What the stages share. */
struct fitting {
    struct fit_request request;
    struct fit_options options;
    const struct study *study;
    bool any_final, any_excluded; /* `where` says which */
    int64_t last_experiment_id;
    size_t count, room;
    struct obs *obs; /* in obs_compare order once read */
    int64_t *ids;
    size_t unreadable; /* runs without the n_total the law reads */
    struct call *call;
    struct fit_watch watch;
    struct fit_result result;
    struct fit_record record;
};

static enum err_code fit_runs(struct call *call);
static enum err_code store_fit(struct call *call);

static enum err_code no_memory(struct call *call)
{
    return err_set(&call->err, ERR_NO_MEMORY, "out of memory for the runs of the fit");
}

static bool take_run(void *ctx, const struct experiment *run)
{
    struct fitting *fitting = ctx;
    const struct law *law = fitting->options.law;

    if ((!run->final && !fitting->any_final) || (run->excluded && !fitting->any_excluded) ||
        run->obs.weight == 0)
        return true;
    if (isnan(run->obs.n_total) && law_reads(law, LAW_N_TOTAL)) {
        if (fitting->unreadable++ < RUNS_NAMED_MAX)
            err_add(&fitting->call->err, ERR_UNSUPPORTED, ERR_AT_POINTER, "/where", 0,
                    "run '%s' (%" PRId64 ") has no n_total, which law '%s' reads", run->name,
                    run->id, law->name);
        return true;
    }
    if (fitting->count == fitting->room)
        return false; /* stored since they were counted */
    fitting->obs[fitting->count] = run->obs;
    fitting->ids[fitting->count++] = run->id;
    return true;
}

/* Copies the runs that count and the highest id they were chosen from. */
static enum err_code read_runs(struct call *call, struct fitting *fitting)
{
    const struct filter *where = &fitting->request.where;
    uint64_t count;
    enum err_code code = experiment_high_water(call->store, fitting->study->id,
                                               &fitting->last_experiment_id, &call->err);

    if (code == ERR_OK)
        code = experiment_count(call->store, fitting->study->id, &count, &call->err);
    if (code != ERR_OK)
        return code;
    fitting->room = (size_t)count;
    fitting->obs = arena_alloc(&call->arena, (fitting->room + 1) * sizeof *fitting->obs);
    fitting->ids = arena_alloc(&call->arena, (fitting->room + 1) * sizeof *fitting->ids);
    if (fitting->obs == NULL || fitting->ids == NULL)
        return no_memory(call);
    fitting->any_final = filter_names(where, "final");
    fitting->any_excluded = filter_names(where, "excluded");
    code = experiment_each(call->store, fitting->study->id, where, 0, fitting->last_experiment_id,
                           0, take_run, fitting, &call->err);
    if (code == ERR_OK && fitting->unreadable > 0)
        code = err_set(&call->err, ERR_UNSUPPORTED,
                       "%zu runs have no n_total, which law '%s' reads: add it, exclude them, or "
                       "leave them out by `where`",
                       fitting->unreadable, fitting->options.law->name);
    qsort(fitting->obs, fitting->count, sizeof *fitting->obs, obs_compare);
    return code;
}

enum err_code fits_post(struct call *call)
{
    struct fitting *fitting = arena_calloc(&call->arena, 1, sizeof *fitting);
    enum err_code code;

    if (fitting == NULL)
        return no_memory(call);
    fitting->call = call;
    code = fit_request_read(call, &fitting->request, &fitting->options);
    if (code != ERR_OK)
        return code;
    fitting->study = studies_find(call, fitting->request.study);
    if (fitting->study == NULL)
        return call->err.code;
    code = read_runs(call, fitting);
    if (code != ERR_OK)
        return code;
    call->stage = fitting;
    call_continue(call, LANE_FIT, fit_runs);
    return ERR_OK;
}

static bool watch_progress(void *ctx, const struct fit_progress *progress)
{
    struct fitting *fitting = ctx;

    return jobs_progress(fitting->call->app->jobs, &fitting->watch, progress);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static double experts_of(const struct obs *obs)
{
    return obs->experts;
}

static double granularity_of(const struct obs *obs)
{
    return obs->granularity;
}

/* Distinct values of a variable over the runs, ascending; where there are more than ret has room
 * for, FIT_LEVELS_MAX of them spread evenly, the ends included. */
static size_t levels(struct call *call, const struct obs *obs, size_t count,
                     double (*value)(const struct obs *), double *ret)
{
    double *all = arena_alloc(&call->arena, (count + 1) * sizeof *all);
    size_t distinct = 0, kept;

    if (all == NULL)
        return 0;
    for (size_t i = 0; i < count; i++)
        all[i] = value(&obs[i]);
    qsort(all, count, sizeof *all, compare_doubles);
    for (size_t i = 0; i < count; i++)
        if (distinct == 0 || all[distinct - 1] != all[i])
            all[distinct++] = all[i];
    kept = distinct < FIT_LEVELS_MAX ? distinct : FIT_LEVELS_MAX;
    for (size_t i = 0; i < kept; i++)
        ret[i] = all[kept == distinct ? i : i * (distinct - 1) / (kept - 1)];
    return kept;
}

static enum err_code make_record(struct call *call, struct fitting *fitting)
{
    const struct fit_result *result = &fitting->result;
    const struct fit_request *request = &fitting->request;
    const struct law *law = fitting->options.law;
    struct fit_record *record = &fitting->record;
    const struct fit_facts facts = {
        .request = request,
        .options = &fitting->options,
        .result = result,
        .obs = fitting->obs,
        .count = fitting->count,
        .last_experiment_id = fitting->last_experiment_id,
        .study = fitting->study,
    };
    struct out out;

    *record = (struct fit_record){
        .study = fitting->study->id,
        .law = law->name,
        .label = request->label,
        .status = FIT_FINISHED,
        .created_at_us = call->now_us,
        .finished_at_us = process_wall_us(),
        .plain =
            request->where.n_terms == 0 && request->fixed.count == 0 && request->prior.count == 0,
        .robust = fitting->options.robust,
        .n_coefficients = law->n_coefficients,
        .n_draws = result->n_draws,
        .draws = result->draws,
        .n_runs = fitting->count,
        .runs = fitting->ids,
    };
    for (size_t i = 0; i < law->n_coefficients; i++) {
        record->coefficient[i] = result->coefficient[i];
        record->coefficient_name[i] = law->coefficients[i].name;
    }
    memcpy(record->range, result->range, sizeof record->range);
    record->n_experts = levels(call, fitting->obs, fitting->count, experts_of, record->experts);
    record->n_granularity =
        levels(call, fitting->obs, fitting->count, granularity_of, record->granularity);
    out_init(&out, &call->arena);
    fit_document_write(&out, &facts);
    return out_finish(&out, &record->document, &record->document_length, &call->err);
}

static enum err_code fit_runs(struct call *call)
{
    struct fitting *fitting = call->stage;
    struct jobs *jobs = call->app->jobs;
    enum err_code code;

    fitting->options.progress = watch_progress;
    fitting->options.progress_ctx = fitting;
    jobs_watch(jobs, &fitting->watch, 0); /* no id yet: only the end of the service cancels it */
    code = fit_run(&fitting->options, fitting->obs, fitting->count, &call->arena, &fitting->result,
                   &call->err);
    jobs_unwatch(jobs, &fitting->watch);
    if (code == ERR_CANCELLED)
        return err_set(&call->err, ERR_UNAVAILABLE, "the service is ending");
    if (code == ERR_OK)
        code = make_record(call, fitting);
    if (code == ERR_OK)
        call_continue(call, LANE_WRITER, store_fit);
    return code;
}

static enum err_code store_fit(struct call *call)
{
    struct fitting *fitting = call->stage;
    const char *location;
    struct out out;
    enum err_code code = fit_put(call->store, &fitting->record, &fitting->record.id, &call->err);

    if (code != ERR_OK)
        return code;
    writer_touch_fit(call->app->writer, fitting->record.id);
    location = arena_printf(&call->arena, "/v1/fits/%" PRId64, fitting->record.id);
    if (location == NULL)
        return no_memory(call);
    reply_header(call, "Location", location);
    out_init(&out, &call->arena);
    fit_write(&out, &fitting->record);
    return answer_out(call, 201, &out);
}
