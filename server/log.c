#include "server/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server/instant.h"
#include "server/number.h"
#include "server/utf8.h"

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn",
    [LOG_ERROR] = "error", [LOG_OFF] = "off",
};

bool log_level_find(const char *name, enum log_level *ret_level)
{
    for (size_t i = 0; i < sizeof level_names / sizeof level_names[0]; i++)
        if (strcmp(name, level_names[i]) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    return false;
}

enum { TAIL_BYTES = 3 }; /* the end of a line: quote, brace, newline */

static void append(struct log_line *line, const char *bytes, size_t length)
{
    size_t room = sizeof line->text - TAIL_BYTES - line->length;

    if (length > room)
        return;
    memcpy(line->text + line->length, bytes, length);
    line->length += length;
}

/* Escapes as JSON; bytes that are not UTF-8 become U+FFFD; stops where the line is full. */
static void append_escaped(struct log_line *line, const char *value)
{
    size_t left = strlen(value);

    while (left > 0) {
        size_t length = utf8_character(value, left);
        char escaped[8];

        if (length == 0) {
            append(line, "\xEF\xBF\xBD", 3);
            length = 1;
        } else if (*value == '"' || *value == '\\') {
            escaped[0] = '\\';
            escaped[1] = *value;
            append(line, escaped, 2);
        } else if ((unsigned char)*value < 0x20 || *value == 0x7F) {
            snprintf(escaped, sizeof escaped, "\\u%04x", *value);
            append(line, escaped, strlen(escaped));
        } else {
            append(line, value, length);
        }
        value += length;
        left -= length;
    }
}

static bool begin_member(struct log_line *line, const char *name, size_t least)
{
    size_t length = strlen(name);

    if (line->log == NULL || line->length + length + 4 + least + TAIL_BYTES > sizeof line->text)
        return false;
    append(line, ",\"", 2);
    append(line, name, length);
    append(line, "\":", 2);
    return true;
}

void log_begin(struct log_line *line, const struct log *log, enum log_level level,
               const char *message)
{
    struct timespec now;
    char time[INSTANT_BYTES];
    size_t length;

    line->log = log != NULL && level >= log->level ? log : NULL;
    line->length = 0;
    if (line->log == NULL)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    append(line, "{\"time\":\"", 9);
    length = instant_write((int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, time);
    append(line, time, length);
    append(line, "\"", 1);
    log_text(line, "level", level_names[level]);
    log_text(line, "message", message);
}

void log_text(struct log_line *line, const char *name, const char *value)
{
    if (value == NULL || !begin_member(line, name, 2))
        return;
    append(line, "\"", 1);
    append_escaped(line, value);
    line->text[line->length++] = '"'; /* room is kept by TAIL_BYTES */
}

void log_integer(struct log_line *line, const char *name, int64_t value)
{
    char text[NUMBER_BYTES] = "";
    size_t length = number_write_integer(value, text);

    if (begin_member(line, name, length))
        append(line, text, length);
}

void log_end(struct log_line *line)
{
    if (line->log == NULL)
        return;
    line->text[line->length++] = '}';
    line->text[line->length++] = '\n';
    /* A log that cannot be written must not stop the service: there is nobody to tell. */
    if (write(line->log->fd, line->text, line->length) < 0)
        return;
}
