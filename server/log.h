/* log: one JSON object a line, on a file descriptor.
 *
 * Each line is one write, so that lines of several threads do not mix. A value that does not fit
 * is shortened. Only server/http, the lanes and the commands log; nothing below does.
 */
#ifndef MOEPLAN_SERVER_LOG_H
#define MOEPLAN_SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR, LOG_OFF };

struct log {
    int fd;
    enum log_level level; /* less grave lines are dropped */
};

enum { LOG_LINE_BYTES = 4096 };

struct log_line {
    const struct log *log; /* NULL: dropped */
    size_t length;
    char text[LOG_LINE_BYTES];
};

/* "debug", "info", "warn", "error", "off"; false for another name. */
bool log_level_find(const char *name, enum log_level *ret_level);

/* Starts a line with its time, level and message; members follow; log_end writes it. A NULL log
 * drops the line. */
void log_begin(struct log_line *line, const struct log *log, enum log_level level,
               const char *message);
void log_text(struct log_line *line, const char *name, const char *value); /* NULL: left out */
void log_integer(struct log_line *line, const char *name, int64_t value);
void log_end(struct log_line *line);

#endif
