/* options: what `moeplan serve` can be told, on the command line or in the environment.
 *
 * One row each in options.c: --max-body-bytes has the twin MOEPLAN_MAX_BODY_BYTES. The command line
 * wins. An unknown option, a value that cannot be read or is out of range is an error naming it.
 */
#ifndef MOEPLAN_SERVER_OPTIONS_H
#define MOEPLAN_SERVER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "core/err.h"

struct options {
    const char *listen, *db, *token_file, *backup_dir, *cors_origin, *allow_hosts, *log_level;
    const char *gpu_file;
    bool allow_anonymous, auth_reads, access_log;
    int64_t threads, readers, fit_threads, draw_threads;
    int64_t max_connections, max_connections_per_ip;
    int64_t max_body_bytes, max_buffered_bytes, max_answer_bytes, max_fit_bytes, max_header_bytes;
    int64_t max_fits_queued, max_reads_queued;
    int64_t request_deadline_ms, idle_ms, drain_ms;
};

/* Defaults, then the environment, then arguments (without the program's and the sub-command's
 * names). Strings are the process's own. *ret_help: --help was among them. ERR_INVALID. */
enum err_code options_read(int argc, char *const *argv, char *const *environment,
                           struct options *ret_options, bool *ret_help, struct err *err);

/* Every option with its twin, default, unit and meaning. */
void options_help(FILE *file);

/* "127.0.0.1:8080", "[::1]:8080", "localhost:8080", "*:8080", ":8080" taken apart. host has room
 * for 64 bytes and is numeric or a name; "" means every address. */
enum err_code options_address(const char *listen, char ret_host[64], uint16_t *ret_port,
                              struct err *err);

#endif
