/* moeplan serve: builds the app, runs it, drains it, takes it apart. */
#include <gsl/gsl_errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "db/store.h"
#include "server/app.h"
#include "server/auth.h"
#include "server/catalogue.h"
#include "server/commands.h"
#include "server/http.h"
#include "server/jobs.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/openapi.h"
#include "server/process.h"
#include "server/snapshot.h"
#include "server/writer.h"

/* A thread that ends the process when its time has come, whatever still runs. What was acknowledged
 * is on disk, and the database is as after a loss of power: whole. */
struct deadline {
    const struct log *log;
    int64_t after_ms;
};

/* What serve owns, in the order it is made; taken apart backwards. */
struct server {
    struct app app;
    struct log log;
    struct http *http;
    struct store *store;
    struct arena arena; /* of what lives as long as the process */
    struct deadline deadline;
};

enum {
    DRAIN_TURN_MS = 5,
    DRAIN_SHARE = 5, /* of --drain-ms, the last one in so many is for taking all apart… */
    DRAIN_CLOSE_MS_MAX = 2000, /* …but no longer than this */
    END_MS_LEAST = 1000,       /* before the end is forced, however short --drain-ms is */
    ARENA_BYTES = 64 * 1024 * 1024,
    SPARE_FDS = 64,
};

static void log_event(const struct log *log, enum log_level level, const char *message,
                      const char *detail)
{
    struct log_line line;

    log_begin(&line, log, level, message);
    log_text(&line, "detail", detail);
    log_end(&line);
}

/* Signals are taken by sigwaitinfo alone, so that no handler has to be safe in any thread. */
static sigset_t block_signals(void)
{
    sigset_t signals;

    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signals;
}

/* Beyond loopback, whoever gets there may write, unless tokens say who. */
static enum err_code check_exposure(const struct server *server, struct err *err)
{
    const struct app *app = &server->app;

    if (app->listening_loopback || app->options.token_file != NULL)
        return ERR_OK;
    if (!app->options.allow_anonymous)
        return err_set(err, ERR_INVALID,
                       "--listen %s is reachable from other machines and there are no tokens: "
                       "name a --token-file, or --allow-anonymous to let everybody write",
                       app->options.listen);
    log_event(&server->log, LOG_WARN, "everybody who reaches this address may write",
              "--allow-anonymous is set and there is no --token-file");
    return ERR_OK;
}

static void check_limits(struct server *server)
{
    int64_t fds = process_raise_fds();

    if (fds >= 0 && fds < server->app.options.max_connections + SPARE_FDS)
        log_event(&server->log, LOG_WARN, "fewer files may be open than --max-connections",
                  "raise the limit of open files (ulimit -n)");
    if (server->app.options.token_file != NULL && auth_file_is_open(server->app.auth))
        log_event(&server->log, LOG_WARN, "the token file can be read by others",
                  server->app.options.token_file);
}

static enum err_code open_all(struct server *server, struct err *err)
{
    struct app *app = &server->app;
    const struct options *options = &app->options;
    const struct jobs_limits limits = {
        .readers = (size_t)options->readers,
        .fits = (size_t)options->fit_threads,
        .reads_queued = (size_t)options->max_reads_queued,
        .fits_queued = (size_t)options->max_fits_queued,
    };
    enum err_code code = auth_open(options->token_file, options->auth_reads, &app->auth, err);

    if (code == ERR_OK)
        code = catalogue_open(options->gpu_file, &app->catalogue, err);
    if (code == ERR_OK)
        code = metrics_open((unsigned)options->threads, process_wall_us(), &app->metrics, err);
    if (code == ERR_OK)
        code = openapi_make(&server->arena, &app->openapi, &app->openapi_length, err);
    if (code == ERR_OK)
        code = http_open(app, &server->http, err);
    if (code == ERR_OK)
        code = check_exposure(server, err);
    if (code == ERR_OK)
        code = store_open(options->db, &server->store, err);
    if (code == ERR_OK)
        code = snapshot_cell_open(server->store, &app->snapshots, err);
    if (code == ERR_OK)
        code = writer_open(server->store, app->snapshots, app->log, &app->writer, err);
    if (code == ERR_OK)
        code = jobs_open(options->db, &limits, &app->jobs, err);
    if (code == ERR_OK)
        check_limits(server);
    if (code == ERR_OK)
        code = http_start(server->http, err);
    return code;
}

/* Lanes end before the transport: what they finish last still leaves. */
static void close_all(struct server *server)
{
    struct app *app = &server->app;

    jobs_close(app->jobs);
    writer_close(app->writer);
    http_close(server->http);
    snapshot_cell_close(app->snapshots);
    store_close(server->store);
    metrics_close(app->metrics);
    catalogue_close(app->catalogue);
    auth_close(app->auth);
    arena_release(&server->arena);
}

static void reload_tokens(struct server *server)
{
    struct err err;

    err_init(&err, NULL);
    if (auth_reload(server->app.auth, &err) == ERR_OK)
        log_event(&server->log, LOG_INFO, "tokens were read again", NULL);
    else
        log_event(&server->log, LOG_ERROR, "tokens could not be read again; the old ones hold",
                  err.detail);
}

static void wait_for_end(struct server *server, const sigset_t *signals)
{
    for (;;) {
        int signal_number = sigwaitinfo(signals, NULL);

        if (signal_number == SIGHUP)
            reload_tokens(server);
        else if (signal_number > 0)
            return;
    }
}

static void *deadline_main(void *arg)
{
    const struct deadline *deadline = arg;
    struct timespec left = {.tv_sec = deadline->after_ms / 1000,
                            .tv_nsec = deadline->after_ms % 1000 * 1000000L};

    while (nanosleep(&left, &left) != 0)
        continue;
    log_event(deadline->log, LOG_WARN, "ended with work under way", "--drain-ms is over");
    _exit(EXIT_STATUS_OK);
}

static void set_deadline(struct deadline *deadline)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, deadline_main, deadline) == 0)
        pthread_detach(thread);
}

/* Lets what is in flight finish; a second signal ends the wait. Fits are told to stop while there
 * is time for them to do so. */
static void drain(struct server *server, const sigset_t *signals)
{
    const struct timespec turn = {.tv_nsec = DRAIN_TURN_MS * 1000000L};
    int64_t drain_ms = server->app.options.drain_ms;
    int64_t close_ms = drain_ms / DRAIN_SHARE;
    int64_t until_us = process_monotonic_us();

    if (close_ms > DRAIN_CLOSE_MS_MAX)
        close_ms = DRAIN_CLOSE_MS_MAX;
    until_us += (drain_ms - close_ms) * 1000;
    server->deadline = (struct deadline){
        .log = &server->log, .after_ms = drain_ms > END_MS_LEAST ? drain_ms : END_MS_LEAST};
    set_deadline(&server->deadline);
    log_event(&server->log, LOG_INFO, "draining", NULL);
    atomic_store(&server->app.draining, true);
    http_quiesce(server->http);
    while (http_in_flight(server->http) > 0 && process_monotonic_us() < until_us)
        if (sigtimedwait(signals, NULL, &turn) > 0)
            return;
}

int cmd_serve(int argc, char **argv, char **environment)
{
    struct server server = {.log = {.fd = STDERR_FILENO, .level = LOG_INFO}};
    struct log_line line;
    struct err err;
    sigset_t signals;
    bool help;
    int status = EXIT_STATUS_FAILED;

    err_init(&err, NULL);
    if (options_read(argc, argv, environment, &server.app.options, &help, &err) != ERR_OK) {
        fprintf(stderr, "moeplan serve: %s\n`moeplan serve --help` lists every option\n",
                err.detail);
        return EXIT_STATUS_USAGE;
    }
    if (help) {
        fputs("moeplan serve [OPTION…]: runs the daemon until SIGTERM or SIGINT\n\n", stdout);
        options_help(stdout);
        return EXIT_STATUS_OK;
    }
    log_level_find(server.app.options.log_level, &server.log.level);
    server.app.log = &server.log;
    arena_init(&server.arena, ARENA_BYTES);
    gsl_set_error_handler_off(); /* it would abort the process */
    signals = block_signals();
    if (open_all(&server, &err) == ERR_OK) {
        log_begin(&line, &server.log, LOG_INFO, "listening");
        log_text(&line, "address", http_address(server.http));
        log_text(&line, "version", MOEPLAN_VERSION);
        log_text(&line, "db", server.app.options.db);
        log_end(&line);
        wait_for_end(&server, &signals);
        drain(&server, &signals);
        status = EXIT_STATUS_OK;
    } else {
        log_event(&server.log, LOG_ERROR, "the daemon cannot start", err.detail);
    }
    close_all(&server);
    if (status == EXIT_STATUS_OK)
        log_event(&server.log, LOG_INFO, "ended", NULL);
    return status;
}
