/* app: everything the daemon is made of, built in main and passed down. No globals elsewhere. */
#ifndef MOEPLAN_SERVER_APP_H
#define MOEPLAN_SERVER_APP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/call.h"

struct auth;
struct jobs;
struct log;
struct metrics;
struct snapshot_cell;
struct writer;

/* Every limit is an option with a MOEPLAN_… twin; one row each in options.c. */
struct options {
    const char *listen, *db, *token_file, *backup_dir, *cors_origin, *log_level;
    bool allow_anonymous, auth_reads;
    int64_t max_body_bytes, max_connections, max_connections_per_ip, threads, readers, fit_threads;
    int64_t request_deadline_ms, drain_ms, max_fits_queued, max_answer_bytes;
};

struct app {
    struct options options;
    struct snapshot_cell *snapshots;
    struct writer *writer;
    struct jobs *jobs; /* reader and fit lanes */
    struct metrics *metrics;
    struct auth *auth;
    struct log *log;
    const char *openapi; /* made once from the tables */
    size_t openapi_length;
    bool listening_loopback;
    volatile bool draining;
};

#endif
