#include "tests/unit/check.h"

#include <pthread.h>
#include <string.h>

#include "server/metrics.h"
#include "server/route.h"

struct shown {
    struct arena arena;
    struct metrics *metrics;
    const char *text;
};

/* Any row will do, as long as its labels are known. */
static const struct route *livez(void)
{
    size_t i = 0;

    while (strcmp(route_at(i)->path, "/livez") != 0)
        i++;
    return route_at(i);
}

static int make(void **state)
{
    static struct shown shown;
    struct err err;

    err_init(&err, NULL);
    arena_init(&shown.arena, 1 << 24);
    assert_int_equal(metrics_open(3, 1500000, &shown.metrics, &err), ERR_OK);
    *state = &shown;
    return 0;
}

static int drop(void **state)
{
    struct shown *shown = *state;

    metrics_close(shown->metrics);
    arena_release(&shown->arena);
    return 0;
}

static const char *show(struct shown *shown, const struct metrics_gauges *gauges, bool openmetrics)
{
    struct out out;
    struct err err;
    size_t length;

    err_init(&err, NULL);
    out_init(&out, &shown->arena);
    metrics_write(shown->metrics, gauges, openmetrics, &out);
    assert_int_equal(out_finish(&out, &shown->text, &length, &err), ERR_OK);
    return shown->text;
}

static bool has_line(const char *text, const char *line)
{
    size_t length = strlen(line);

    for (const char *at = text; (at = strstr(at, line)) != NULL; at++)
        if ((at == text || at[-1] == '\n') && at[length] == '\n')
            return true;
    return false;
}

static const struct metrics_gauges no_gauges = {.experiments = -1};

static void requests_of_all_shards_are_added_up(void **state)
{
    struct shown *shown = *state;

    for (unsigned shard = 0; shard < 3; shard++) {
        metrics_begin(shown->metrics, shard);
        metrics_end(shown->metrics, shard, livez(), 200, 80);
    }
    metrics_begin(shown->metrics, 1);
    metrics_end(shown->metrics, 1, livez(), 503, 80);
    show(shown, &no_gauges, false);
    assert_true(has_line(shown->text, "moeplan_http_requests_total{route=\"/livez\",method=\"GET\","
                                      "status=\"2xx\"} 3"));
    assert_true(has_line(shown->text, "moeplan_http_requests_total{route=\"/livez\",method=\"GET\","
                                      "status=\"5xx\"} 1"));
    assert_true(has_line(shown->text, "moeplan_http_requests_in_flight 0"));
}

static void a_duration_falls_into_the_first_bucket_that_holds_it(void **state)
{
    static const char bucket[] = "moeplan_http_request_duration_seconds_bucket{route=\"/"
                                 "livez\",method=\"GET\",le=\"%s\"} %d";
    static const struct {
        const char *le;
        int below;
    } want[] = {{"5e-05", 1}, {"0.0001", 2}, {"0.00025", 3}, {"60.0", 3}, {"+Inf", 4}};
    struct shown *shown = *state;

    metrics_end(shown->metrics, 0, livez(), 200, 50);
    metrics_end(shown->metrics, 1, livez(), 200, 51);
    metrics_end(shown->metrics, 2, livez(), 200, 101);
    metrics_end(shown->metrics, 0, livez(), 200, 60000001);
    show(shown, &no_gauges, false);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        char line[160];

        snprintf(line, sizeof line, bucket, want[i].le, want[i].below);
        assert_true(has_line(shown->text, line));
    }
    assert_true(has_line(shown->text, "moeplan_http_request_duration_seconds_sum{route=\"/livez\","
                                      "method=\"GET\"} 60.000203"));
    assert_true(has_line(shown->text, "moeplan_http_request_duration_seconds_count{route=\"/livez\""
                                      ",method=\"GET\"} 4"));
}

static void requests_without_a_route_are_counted_as_none(void **state)
{
    struct shown *shown = *state;

    metrics_end(shown->metrics, 0, NULL, 404, 10);
    show(shown, &no_gauges, false);
    assert_true(has_line(shown->text, "moeplan_http_requests_total{route=\"none\",method=\"none\","
                                      "status=\"4xx\"} 1"));
}

static void routes_never_asked_for_take_no_room(void **state)
{
    struct shown *shown = *state;

    show(shown, &no_gauges, false);
    assert_null(strstr(shown->text, "route="));
    assert_non_null(strstr(shown->text, "# TYPE moeplan_http_requests_total counter\n"));
}

static void gauges_that_are_unknown_are_left_out(void **state)
{
    struct shown *shown = *state;
    struct metrics_gauges gauges = {.experiments = -1, .fits = 7, .draining = true};

    show(shown, &gauges, false);
    assert_null(strstr(shown->text, "moeplan_experiments"));
    assert_true(has_line(shown->text, "moeplan_fits 7"));
    assert_true(has_line(shown->text, "moeplan_draining 1"));
    gauges.experiments = 12;
    show(shown, &gauges, false);
    assert_true(has_line(shown->text, "moeplan_experiments 12"));
}

static void openmetrics_names_counters_without_total_and_ends_with_eof(void **state)
{
    struct shown *shown = *state;
    size_t length;

    metrics_end(shown->metrics, 0, livez(), 200, 10);
    show(shown, &no_gauges, true);
    assert_true(has_line(shown->text, "# TYPE moeplan_http_requests counter"));
    assert_null(strstr(shown->text, "# TYPE moeplan_http_requests_total"));
    assert_non_null(strstr(shown->text, "\nmoeplan_http_requests_total{"));
    length = strlen(shown->text);
    assert_string_equal(shown->text + length - 6, "# EOF\n");
    show(shown, &no_gauges, false);
    assert_null(strstr(shown->text, "# EOF"));
}

static void connections_come_and_go(void **state)
{
    struct shown *shown = *state;

    metrics_connection(shown->metrics, 0, +1);
    metrics_connection(shown->metrics, 1, +1);
    metrics_connection(shown->metrics, 2, -1);
    metrics_refused(shown->metrics, 1);
    show(shown, &no_gauges, false);
    assert_true(has_line(shown->text, "moeplan_http_connections 1"));
    assert_true(has_line(shown->text, "moeplan_http_connections_refused_total 1"));
}

enum { THREADS = 4, COUNTS = 20000 };

static void *count(void *arg)
{
    struct shown *shown = arg;

    for (int i = 0; i < COUNTS; i++) {
        metrics_begin(shown->metrics, (unsigned)i % 3);
        metrics_end(shown->metrics, (unsigned)i % 3, livez(), 200, 1);
    }
    return NULL;
}

static void nothing_is_lost_when_threads_count_together(void **state)
{
    struct shown *shown = *state;
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, shown), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    show(shown, &no_gauges, false);
    assert_true(has_line(shown->text, "moeplan_http_requests_total{route=\"/livez\",method=\"GET\","
                                      "status=\"2xx\"} 80000"));
    assert_true(has_line(shown->text, "moeplan_http_requests_in_flight 0"));
}

int main(void)
{
#define SHOWN(test) cmocka_unit_test_setup_teardown(test, make, drop)
    const struct CMUnitTest tests[] = {
        SHOWN(requests_of_all_shards_are_added_up),
        SHOWN(a_duration_falls_into_the_first_bucket_that_holds_it),
        SHOWN(requests_without_a_route_are_counted_as_none),
        SHOWN(routes_never_asked_for_take_no_room),
        SHOWN(gauges_that_are_unknown_are_left_out),
        SHOWN(openmetrics_names_counters_without_total_and_ends_with_eof),
        SHOWN(connections_come_and_go),
        SHOWN(nothing_is_lost_when_threads_count_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
