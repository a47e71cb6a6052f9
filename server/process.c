#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static int64_t count_fds(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t count = -3; /* ".", ".." and the folder itself */

    if (folder == NULL)
        return -1;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

struct process_usage process_usage(void)
{
    struct process_usage usage = {.resident_bytes = -1, .virtual_bytes = -1, .max_fds = -1};
    struct rusage times;
    struct rlimit files;
    FILE *file = fopen("/proc/self/statm", "re");
    char line[128], *rest;

    if (file != NULL) {
        if (fgets(line, sizeof line, file) != NULL) {
            usage.virtual_bytes = strtoll(line, &rest, 10) * sysconf(_SC_PAGESIZE);
            usage.resident_bytes = strtoll(rest, NULL, 10) * sysconf(_SC_PAGESIZE);
        }
        fclose(file);
    }
    if (getrusage(RUSAGE_SELF, &times) == 0)
        usage.cpu_seconds = (double)times.ru_utime.tv_sec + (double)times.ru_utime.tv_usec * 1e-6 +
                            (double)times.ru_stime.tv_sec + (double)times.ru_stime.tv_usec * 1e-6;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY)
        usage.max_fds = (int64_t)files.rlim_cur;
    usage.open_fds = count_fds();
    return usage;
}

int64_t process_raise_fds(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return -1;
    if (files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        getrlimit(RLIMIT_NOFILE, &files);
    }
    return files.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)files.rlim_cur;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t process_monotonic_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

int64_t process_wall_us(void)
{
    return clock_us(CLOCK_REALTIME);
}
