#include "server/fitting.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "db/store.h"
#include "server/app.h"
#include "server/fit_document.h"
#include "server/process.h"
#include "server/share.h"
#include "server/studies.h"

enum { RUNS_NAMED_MAX = 20 }; /* runs a refusal names; the rest are counted */

/* A fit takes memory by its runs, not by its request and its answer, as max_answer_bytes allows. */
static size_t memory_limit(const struct call *call)
{
    const struct options *options = &call->app->options;

    return (size_t)(options->max_fit_bytes > options->max_answer_bytes ? options->max_fit_bytes
                                                                       : options->max_answer_bytes);
}

void fitting_make_room(struct call *call)
{
    if (call->arena.cap_bytes < memory_limit(call))
        call->arena.cap_bytes = memory_limit(call);
}

static enum err_code no_memory(struct call *call, size_t count)
{
    return err_set(&call->err, ERR_NO_MEMORY,
                   "a fit of %zu runs takes more memory than --max-fit-bytes allows (%zu bytes): "
                   "raise it, or fit fewer runs by `where`",
                   count, memory_limit(call));
}

struct reading {
    struct call *call;
    struct fitting *fitting;
    bool any_final, any_excluded; /* `where` says which */
    size_t room;
    size_t unreadable; /* runs without the n_total the law reads */
};

static bool take_run(void *ctx, const struct experiment *run)
{
    struct reading *reading = ctx;
    struct fitting *fitting = reading->fitting;
    const struct law *law = fitting->options.law;

    if ((!run->final && !reading->any_final) || (run->excluded && !reading->any_excluded) ||
        run->obs.weight == 0)
        return true;
    if (law != NULL && isnan(run->obs.n_total) && law_reads(law, LAW_N_TOTAL)) {
        if (reading->unreadable++ < RUNS_NAMED_MAX)
            err_add(&reading->call->err, ERR_UNSUPPORTED, ERR_AT_POINTER, "/where", 0,
                    "run '%s' (%" PRId64 ") has no n_total, which law '%s' reads", run->name,
                    run->id, law->name);
        return true;
    }
    if (fitting->count == reading->room)
        return false; /* stored since they were counted */
    fitting->obs[fitting->count] = run->obs;
    fitting->ids[fitting->count++] = run->id;
    return true;
}

/* Copies the runs that count and the highest id they were chosen from. */
enum err_code fitting_read_runs(struct call *call, struct fitting *fitting)
{
    const struct filter *where = &fitting->request.where;
    struct reading reading = {.call = call,
                              .fitting = fitting,
                              .any_final = filter_names(where, "final"),
                              .any_excluded = filter_names(where, "excluded")};
    uint64_t count;
    enum err_code code = experiment_high_water(call->store, fitting->study->id,
                                               &fitting->last_experiment_id, &call->err);

    if (code == ERR_OK)
        code = experiment_count(call->store, fitting->study->id, &count, &call->err);
    if (code != ERR_OK)
        return code;
    reading.room = (size_t)count;
    fitting_make_room(call);
    fitting->obs = arena_alloc(&call->arena, (reading.room + 1) * sizeof *fitting->obs);
    fitting->ids = arena_alloc(&call->arena, (reading.room + 1) * sizeof *fitting->ids);
    if (fitting->obs == NULL || fitting->ids == NULL)
        return no_memory(call, reading.room);
    code = experiment_each(call->store, fitting->study->id, where, 0, fitting->last_experiment_id,
                           0, take_run, &reading, &call->err);
    if (code == ERR_OK && reading.unreadable > 0)
        code = err_set(&call->err, ERR_UNSUPPORTED,
                       "%zu runs have no n_total, which law '%s' reads: add it, exclude them, or "
                       "leave them out by `where`",
                       reading.unreadable, fitting->options.law->name);
    qsort(fitting->obs, fitting->count, sizeof *fitting->obs, obs_compare);
    return code;
}

enum err_code fitting_check_runs(struct call *call, const struct fitting *fitting)
{
    const struct law *law = fitting->options.law;
    size_t unreadable = 0;

    for (size_t i = 0; i < fitting->count && law_reads(law, LAW_N_TOTAL); i++)
        unreadable += isnan(fitting->obs[i].n_total) ? 1 : 0;
    return unreadable == 0
               ? ERR_OK
               : err_set(
                     &call->err, ERR_UNSUPPORTED,
                     "%zu runs have no n_total, which law '%s' reads: leave them out by `where`",
                     unreadable, law->name);
}

enum err_code fitting_decode(struct call *call, struct fitting *fitting)
{
    enum err_code code = fit_request_read(call, &fitting->request, &fitting->options);

    fitting->study = studies_asked(call, fitting->request.study, ERR_AT_POINTER);
    return code == ERR_OK && fitting->study != NULL ? ERR_OK : call->err.code;
}

/* Of the search; what it found and the draws made stay told while the hold-out's own fit runs. This
 * thread wrote the watch's progress. */
static bool tell_search(void *ctx, const struct fit_progress *progress)
{
    const struct call *call = ctx;
    const struct fitting *fitting = call->stage;
    struct fit_progress told;

    if (fitting->watch == NULL)
        return true;
    told = progress->held_out ? fitting->watch->progress : *progress;
    told.draws_done = fitting->watch->progress.draws_done;
    told.draws = fitting->options.bootstrap;
    return jobs_progress(call->app->jobs, fitting->watch, &told);
}

static bool tell_draws(void *ctx, size_t done, size_t count)
{
    const struct call *call = ctx;
    const struct fitting *fitting = call->stage;
    struct fit_progress progress;

    if (fitting->watch == NULL)
        return true;
    progress = fitting->watch->progress;
    if (done > progress.draws_done) /* the hold-out makes its own after the fit's */
        progress.draws_done = done;
    progress.draws = count;
    return jobs_progress(call->app->jobs, fitting->watch, &progress);
}

size_t fitting_memory_left(const struct call *call)
{
    size_t limit = memory_limit(call);

    return limit > call->arena.used_bytes ? limit - call->arena.used_bytes : 0;
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
 * for, FIT_LEVELS_MAX of them spread evenly, the ends included. scratch: count values. */
static size_t levels(const struct obs *obs, size_t count, double (*value)(const struct obs *),
                     double *scratch, double *ret)
{
    size_t distinct = 0, kept;

    for (size_t i = 0; i < count; i++)
        scratch[i] = value(&obs[i]);
    qsort(scratch, count, sizeof *scratch, compare_doubles);
    for (size_t i = 0; i < count; i++)
        if (distinct == 0 || scratch[distinct - 1] != scratch[i])
            scratch[distinct++] = scratch[i];
    kept = distinct < FIT_LEVELS_MAX ? distinct : FIT_LEVELS_MAX;
    for (size_t i = 0; i < kept; i++)
        ret[i] = scratch[kept == distinct ? i : i * (distinct - 1) / (kept - 1)];
    return kept;
}

static enum err_code set_levels(struct call *call, const struct fitting *fitting,
                                struct fit_record *record)
{
    double *scratch = malloc((fitting->count + 1) * sizeof *scratch);

    if (scratch == NULL)
        return no_memory(call, fitting->count);
    record->n_experts = levels(fitting->obs, fitting->count, experts_of, scratch, record->experts);
    record->n_granularity =
        levels(fitting->obs, fitting->count, granularity_of, scratch, record->granularity);
    free(scratch);
    return ERR_OK;
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
    enum err_code code;

    *record = (struct fit_record){
        .study = fitting->study->id,
        .law = law->name,
        .label = request->label,
        .status = FIT_FINISHED,
        .created_at_us = call->now_us,
        .finished_at_us = process_wall_us(),
        .plain =
            request->where.n_terms == 0 && request->fixed.count == 0 && request->prior.count == 0,
        .parameter_convention = fitting->study->parameter_convention,
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
    code = set_levels(call, fitting, record);
    if (code != ERR_OK)
        return code;
    out_init(&out, &call->arena);
    fit_document_write(&out, &facts);
    return out_finish(&out, &record->document, &record->document_length, &call->err);
}

enum err_code fitting_compute(struct call *call, struct fitting *fitting)
{
    struct share share = {.threads = (size_t)call->app->options.draw_threads,
                          .progress = tell_draws,
                          .progress_ctx = call};
    enum err_code code;

    call->stage = fitting;
    fitting->options.progress = tell_search;
    fitting->options.progress_ctx = call;
    fitting->options.share = share_run;
    fitting->options.share_ctx = &share;
    fitting->options.memory = fitting_memory_left(call);
    code = fit_run(&fitting->options, fitting->obs, fitting->count, &call->arena, &fitting->result,
                   &call->err);
    fitting->options.share_ctx = NULL; /* of this function */
    if (code == ERR_NO_MEMORY)
        code = no_memory(call, fitting->count);
    return code == ERR_OK ? make_record(call, fitting) : code;
}
