#include "server/metrics.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server/app.h"
#include "server/process.h"
#include "server/route.h"

/* Upper bounds of the latency histogram: an inline answer takes microseconds, a fit minutes. */
static const struct {
    int64_t us;
    const char *seconds;
} buckets[] = {
    {50, "5e-05"},    {100, "0.0001"},  {250, "0.00025"},   {500, "0.0005"},    {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},    {25000, "0.025"},   {100000, "0.1"},
    {500000, "0.5"},  {2500000, "2.5"}, {10000000, "10.0"}, {60000000, "60.0"},
};

enum { BUCKETS = sizeof buckets / sizeof buckets[0], CLASSES = 5, CACHE_LINE_BYTES = 64 };

static const char *const class_names[CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

struct route_counters {
    atomic_uint_fast64_t status[CLASSES];
    atomic_uint_fast64_t bucket[BUCKETS + 1]; /* not cumulative; the last is beyond all bounds */
    atomic_uint_fast64_t sum_us;
};

struct shard {
    atomic_uint_fast64_t begun; /* what has ended is counted by route */
    atomic_int_fast64_t connections;
    atomic_uint_fast64_t refused;
    struct route_counters *routes;       /* route_count() + 1: the last is "no route" */
    unsigned char pad[CACHE_LINE_BYTES]; /* two shards never share a line */
};

struct metrics {
    unsigned n_shards;
    size_t n_routes;
    int64_t start_us;
    struct shard *shards;
};

enum err_code metrics_open(unsigned shards, int64_t start_us, struct metrics **ret, struct err *err)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);

    if (metrics == NULL || (metrics->shards = calloc(shards, sizeof *metrics->shards)) == NULL)
        goto failed;
    metrics->n_shards = shards;
    metrics->n_routes = route_count() + 1;
    metrics->start_us = start_us;
    for (unsigned i = 0; i < shards; i++) {
        metrics->shards[i].routes = calloc(metrics->n_routes, sizeof(struct route_counters));
        if (metrics->shards[i].routes == NULL)
            goto failed;
    }
    *ret = metrics;
    return ERR_OK;
failed:
    metrics_close(metrics);
    return err_set(err, ERR_NO_MEMORY, "out of memory for counters");
}

void metrics_close(struct metrics *metrics)
{
    if (metrics == NULL)
        return;
    for (unsigned i = 0; metrics->shards != NULL && i < metrics->n_shards; i++)
        free(metrics->shards[i].routes);
    free(metrics->shards);
    free(metrics);
}

static void add(atomic_uint_fast64_t *counter, uint64_t value)
{
    atomic_fetch_add_explicit(counter, value, memory_order_relaxed);
}

static uint64_t get(const atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void metrics_begin(struct metrics *metrics, unsigned shard)
{
    add(&metrics->shards[shard].begun, 1);
}

void metrics_end(struct metrics *metrics, unsigned shard, const struct route *route, int status,
                 int64_t duration_us)
{
    struct route_counters *counters = &metrics->shards[shard].routes[route_index(route)];
    size_t bucket = 0;

    while (bucket < BUCKETS && duration_us > buckets[bucket].us)
        bucket++;
    add(&counters->bucket[bucket], 1);
    add(&counters->sum_us, duration_us > 0 ? (uint64_t)duration_us : 0);
    if (status >= 100 && status < 600)
        add(&counters->status[status / 100 - 1], 1);
}

void metrics_connection(struct metrics *metrics, unsigned shard, int delta)
{
    atomic_fetch_add_explicit(&metrics->shards[shard].connections, delta, memory_order_relaxed);
}

void metrics_refused(struct metrics *metrics, unsigned shard)
{
    add(&metrics->shards[shard].refused, 1);
}

/* One route's counters over all shards. */
struct route_sums {
    uint64_t status[CLASSES], bucket[BUCKETS + 1], sum_us, count;
};

static struct route_sums sum_route(const struct metrics *metrics, size_t route)
{
    struct route_sums sums = {.count = 0};

    for (unsigned s = 0; s < metrics->n_shards; s++) {
        const struct route_counters *counters = &metrics->shards[s].routes[route];

        for (size_t i = 0; i < CLASSES; i++)
            sums.status[i] += get(&counters->status[i]);
        for (size_t i = 0; i <= BUCKETS; i++) {
            sums.bucket[i] += get(&counters->bucket[i]);
            sums.count += get(&counters->bucket[i]);
        }
        sums.sum_us += get(&counters->sum_us);
    }
    return sums;
}

/* HELP and TYPE of a family. OpenMetrics names a counter's family without its _total. */
static void write_family(struct out *out, bool openmetrics, const char *name, const char *type,
                         const char *help)
{
    size_t length = strlen(name);

    if (openmetrics && strcmp(type, "counter") == 0)
        length -= strlen("_total");
    out_printf(out, "# HELP %.*s %s\n# TYPE %.*s %s\n", (int)length, name, help, (int)length, name,
               type);
}

static void write_one(struct out *out, bool openmetrics, const char *name, const char *type,
                      const char *help, int64_t value)
{
    if (value < 0)
        return;
    write_family(out, openmetrics, name, type, help);
    out_printf(out, "%s %lld\n", name, (long long)value);
}

static const char *route_label(size_t route)
{
    return route < route_count() ? route_at(route)->path : "none";
}

static const char *method_label(size_t route)
{
    return route < route_count() ? method_name(route_at(route)->method) : "none";
}

static void write_requests(const struct metrics *metrics, bool openmetrics, struct out *out)
{
    write_family(out, openmetrics, "moeplan_http_requests_total", "counter",
                 "Requests answered, by route template, method and status class.");
    for (size_t r = 0; r < metrics->n_routes; r++) {
        struct route_sums sums = sum_route(metrics, r);

        for (size_t i = 0; i < CLASSES; i++)
            if (sums.status[i] > 0)
                out_printf(out,
                           "moeplan_http_requests_total{route=\"%s\",method=\"%s\",status=\"%s\"} "
                           "%llu\n",
                           route_label(r), method_label(r), class_names[i],
                           (unsigned long long)sums.status[i]);
    }
}

static void write_durations(const struct metrics *metrics, bool openmetrics, struct out *out)
{
    static const char name[] = "moeplan_http_request_duration_seconds";

    write_family(out, openmetrics, name, "histogram",
                 "Time from a request's last byte to its finished reply.");
    for (size_t r = 0; r < metrics->n_routes; r++) {
        struct route_sums sums = sum_route(metrics, r);
        uint64_t below = 0;

        if (sums.count == 0)
            continue;
        for (size_t i = 0; i < BUCKETS; i++) {
            below += sums.bucket[i];
            out_printf(out, "%s_bucket{route=\"%s\",method=\"%s\",le=\"%s\"} %llu\n", name,
                       route_label(r), method_label(r), buckets[i].seconds,
                       (unsigned long long)below);
        }
        out_printf(out, "%s_bucket{route=\"%s\",method=\"%s\",le=\"+Inf\"} %llu\n", name,
                   route_label(r), method_label(r), (unsigned long long)sums.count);
        out_printf(out, "%s_sum{route=\"%s\",method=\"%s\"} %.6f\n", name, route_label(r),
                   method_label(r), (double)sums.sum_us * 1e-6);
        out_printf(out, "%s_count{route=\"%s\",method=\"%s\"} %llu\n", name, route_label(r),
                   method_label(r), (unsigned long long)sums.count);
    }
}

static void write_transport(const struct metrics *metrics, bool openmetrics, struct out *out)
{
    uint64_t begun = 0, ended = 0, refused = 0;
    int64_t connections = 0;

    for (unsigned s = 0; s < metrics->n_shards; s++) {
        const struct shard *shard = &metrics->shards[s];

        begun += get(&shard->begun);
        refused += get(&shard->refused);
        connections += atomic_load_explicit(&shard->connections, memory_order_relaxed);
    }
    for (size_t r = 0; r < metrics->n_routes; r++)
        ended += sum_route(metrics, r).count;
    write_one(out, openmetrics, "moeplan_http_requests_in_flight", "gauge",
              "Requests received and not yet answered.",
              begun > ended ? (int64_t)(begun - ended) : 0);
    write_one(out, openmetrics, "moeplan_http_connections", "gauge", "Open connections.",
              connections > 0 ? connections : 0);
    write_one(out, openmetrics, "moeplan_http_connections_refused_total", "counter",
              "Connections closed at once because a limit was reached.", (int64_t)refused);
}

static void write_gauges(const struct metrics_gauges *g, bool openmetrics, struct out *out)
{
    const struct {
        const char *name, *type, *help;
        int64_t value;
    } rows[] = {
        {"moeplan_experiments", "gauge", "Experiments stored.", g->experiments},
        {"moeplan_studies", "gauge", "Studies stored.", g->studies},
        {"moeplan_fits", "gauge", "Fits stored.", g->fits},
        {"moeplan_fits_running", "gauge", "Fits being computed.", g->fits_running},
        {"moeplan_fits_queued", "gauge", "Fits waiting for a thread.", g->fits_queued},
        {"moeplan_reads_queued", "gauge", "Reads waiting for a thread.", g->reads_queued},
        {"moeplan_writes_queued", "gauge", "Writes waiting for the writer.", g->writer_queue},
        {"moeplan_commits_total", "counter", "Transactions committed to disk.", g->commits},
        {"moeplan_committed_writes_total", "counter", "Writes in those transactions.",
         g->committed_calls},
        {"moeplan_draining", "gauge", "1 while the daemon is ending, else 0.", g->draining},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        write_one(out, openmetrics, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

static void write_process(const struct metrics *metrics, bool openmetrics, struct out *out)
{
    struct process_usage usage = process_usage();

    write_family(out, openmetrics, "process_cpu_seconds_total", "counter",
                 "User and system time spent.");
    out_printf(out, "process_cpu_seconds_total %.6f\n", usage.cpu_seconds);
    write_one(out, openmetrics, "process_resident_memory_bytes", "gauge", "Memory in use.",
              usage.resident_bytes);
    write_one(out, openmetrics, "process_virtual_memory_bytes", "gauge", "Address space in use.",
              usage.virtual_bytes);
    write_one(out, openmetrics, "process_open_fds", "gauge", "Open file descriptors.",
              usage.open_fds);
    write_one(out, openmetrics, "process_max_fds", "gauge", "Most file descriptors allowed.",
              usage.max_fds);
    write_family(out, openmetrics, "process_start_time_seconds", "gauge",
                 "When the process started, since 1970-01-01 UTC.");
    out_printf(out, "process_start_time_seconds %.3f\n", (double)metrics->start_us * 1e-6);
}

void metrics_write(const struct metrics *metrics, const struct metrics_gauges *gauges,
                   bool openmetrics, struct out *out)
{
    write_family(out, openmetrics, "moeplan_build_info", "gauge",
                 "Always 1; the version is a label.");
    out_printf(out, "moeplan_build_info{version=\"%s\"} 1\n", MOEPLAN_VERSION);
    write_requests(metrics, openmetrics, out);
    write_durations(metrics, openmetrics, out);
    write_transport(metrics, openmetrics, out);
    write_gauges(gauges, openmetrics, out);
    write_process(metrics, openmetrics, out);
    if (openmetrics)
        out_bytes(out, "# EOF\n", 6);
}
