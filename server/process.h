/* process: what this process uses, as the kernel counts it. */
#ifndef MOEPLAN_SERVER_PROCESS_H
#define MOEPLAN_SERVER_PROCESS_H

#include <stdint.h>

struct process_usage {
    double cpu_seconds;
    int64_t resident_bytes, virtual_bytes, open_fds, max_fds; /* −1: unknown */
};

struct process_usage process_usage(void);

/* Raises the limit of open files to what is allowed; returns it. */
int64_t process_raise_fds(void);

/* Microseconds: monotonic, and since 1970-01-01 UTC. */
int64_t process_monotonic_us(void);
int64_t process_wall_us(void);

#endif
