/* app: everything the daemon is made of, built in cmd_serve and passed down. No globals elsewhere.
 */
#ifndef MOEPLAN_SERVER_APP_H
#define MOEPLAN_SERVER_APP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/call.h"
#include "server/options.h"

struct auth;
struct catalogue;
struct jobs;
struct log;
struct metrics;
struct snapshot_cell;
struct writer;

#define MOEPLAN_VERSION "0.1.0"

struct app {
    struct options options;
    struct snapshot_cell *snapshots;
    struct writer *writer;
    struct jobs *jobs; /* reader and fit lanes */
    struct metrics *metrics;
    struct auth *auth;
    struct catalogue *catalogue; /* NULL: the built-in one */
    struct log *log;
    const char *openapi; /* made once from the tables */
    size_t openapi_length;
    bool listening_loopback; /* Host is checked */
    atomic_bool draining;
};

#endif
