/* metrics: what the daemon has done, for Prometheus.
 *
 * Counters are relaxed atomics, one shard per event thread, so that counting costs no cache line
 * of another core; they are added up when read. Labels come from the route table and status
 * classes: their number does not grow with use. HEAD counts as the GET it stands for.
 */
#ifndef MOEPLAN_SERVER_METRICS_H
#define MOEPLAN_SERVER_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "core/err.h"
#include "server/out.h"

struct metrics;
struct route;

/* What others count, read at the moment of asking; negative: unknown, left out. */
struct metrics_gauges {
    int64_t experiments, studies, fits;
    int64_t writer_queue, commits, committed_calls;
    int64_t fits_running, fits_queued, reads_queued;
    bool draining;
};

/* shards: how many event threads. start_us: when the process started, wall clock. */
enum err_code metrics_open(unsigned shards, int64_t start_us, struct metrics **ret,
                           struct err *err);
void metrics_close(struct metrics *metrics);

/* A request has begun; and ended: its route (NULL when there was none), status and duration. */
void metrics_begin(struct metrics *metrics, unsigned shard);
void metrics_end(struct metrics *metrics, unsigned shard, const struct route *route, int status,
                 int64_t duration_us);

/* A connection was opened (+1), closed (−1), or refused. */
void metrics_connection(struct metrics *metrics, unsigned shard, int delta);
void metrics_refused(struct metrics *metrics, unsigned shard);

/* The exposition: Prometheus text 0.0.4, or OpenMetrics 1.0.0 with its "# EOF". */
void metrics_write(const struct metrics *metrics, const struct metrics_gauges *gauges,
                   bool openmetrics, struct out *out);

#endif
