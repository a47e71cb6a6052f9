/* What operators ask: alive, ready, metrics, version, backup. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "db/store.h"
#include "server/answer.h"
#include "server/app.h"
#include "server/handlers.h"
#include "server/jobs.h"
#include "server/media.h"
#include "server/metrics.h"
#include "server/out.h"
#include "server/snapshot.h"
#include "server/writer.h"

static enum err_code reply_status(struct call *call, const char *status)
{
    struct out out;

    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    out_text(&out, "status", status);
    out_object_end(&out);
    call->reply.no_store = true;
    return answer_out(call, 200, &out);
}

enum err_code operations_livez(struct call *call)
{
    enum err_code code = answer_no_query(call);

    return code == ERR_OK ? reply_status(call, "alive") : code;
}

enum err_code operations_readyz(struct call *call)
{
    enum err_code code = answer_no_query(call);

    if (code != ERR_OK)
        return code;
    if (atomic_load(&call->app->draining))
        return err_set(&call->err, ERR_UNAVAILABLE, "the service is ending");
    code = store_ping(call->store, &call->err);
    return code == ERR_OK ? reply_status(call, "ready") : code;
}

/* "text/plain" unless the client likes OpenMetrics as least as much. */
static bool wants_openmetrics(const struct call *call)
{
    static const char open[] = "application/openmetrics-text", plain[] = "text/plain";
    const char *accept = request_header(&call->request, "Accept");

    return accept != NULL && strstr(accept, open) != NULL &&
           media_quality(accept, open, strlen(open)) >= media_quality(accept, plain, strlen(plain));
}

static struct metrics_gauges read_gauges(struct call *call)
{
    struct app *app = call->app;
    struct writer_stats writes = writer_stats(app->writer);
    struct jobs_stats jobs = jobs_stats(app->jobs);
    struct metrics_gauges gauges = {
        .experiments = -1,
        .studies = (int64_t)snapshot_study_count(call->snapshot),
        .fits = (int64_t)snapshot_fit_count(call->snapshot),
        .writer_queue = (int64_t)writes.queued,
        .commits = (int64_t)writes.commits,
        .committed_calls = (int64_t)writes.items,
        .fits_running = (int64_t)jobs.fits_running,
        .fits_queued = (int64_t)jobs.fits_queued,
        .reads_queued = (int64_t)jobs.reads_queued,
        .draining = atomic_load(&app->draining),
    };
    struct err err;
    uint64_t count;

    /* Counters are worth having even when the database does not answer. */
    err_init(&err, NULL);
    if (experiment_count(call->store, NULL, &count, &err) == ERR_OK)
        gauges.experiments = (int64_t)count;
    return gauges;
}

enum err_code operations_metrics(struct call *call)
{
    bool openmetrics = wants_openmetrics(call);
    struct metrics_gauges gauges;
    struct out out;
    enum err_code code = answer_no_query(call);

    if (code != ERR_OK)
        return code;
    gauges = read_gauges(call);
    out_init(&out, &call->arena);
    metrics_write(call->app->metrics, &gauges, openmetrics, &out);
    call->reply.no_store = true;
    return answer_text(call, 200, &out,
                       openmetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                   : "text/plain; version=0.0.4; charset=utf-8");
}

enum err_code operations_version(struct call *call)
{
    struct out out;
    enum err_code code = answer_no_query(call);

    if (code != ERR_OK)
        return code;
    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    out_text(&out, "name", "moeplan");
    out_text(&out, "version", MOEPLAN_VERSION);
    out_text(&out, "api", "v1");
    out_integer(&out, "schema", STORE_SCHEMA_VERSION);
    out_text(&out, "compiler", __VERSION__);
    out_object_end(&out);
    return answer_out(call, 200, &out);
}

/* "moeplan-20260131T235959.123456Z-<request id>.db": of its own, sorts by time. */
static const char *backup_name(struct call *call)
{
    time_t seconds = (time_t)(call->now_us / 1000000);
    struct tm utc;
    char stamp[32];

    gmtime_r(&seconds, &utc);
    strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &utc);
    return arena_printf(&call->arena, "moeplan-%s.%06dZ.db", stamp, (int)(call->now_us % 1000000));
}

enum err_code operations_backup(struct call *call)
{
    const char *folder = call->app->options.backup_dir, *name, *path;
    struct stat status;
    struct out out;
    enum err_code code = answer_no_query(call);

    if (code != ERR_OK)
        return code;
    if (folder == NULL)
        return err_set(&call->err, ERR_FORBIDDEN,
                       "no place for backups: start the daemon with --backup-dir");
    name = backup_name(call);
    path = name != NULL ? arena_printf(&call->arena, "%s/%s", folder, name) : NULL;
    if (path == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory for the backup's name");
    code = store_backup(call->store, path, &call->err);
    if (code != ERR_OK)
        return code;
    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    out_text(&out, "name", name);
    if (stat(path, &status) == 0)
        out_integer(&out, "bytes", (int64_t)status.st_size);
    else
        out_null(&out, "bytes");
    out_time(&out, "created_at", call->now_us);
    out_object_end(&out);
    return answer_out(call, 201, &out);
}
