#include "tests/unit/check.h"

#include <string.h>
#include <unistd.h>

#include "server/json.h"
#include "server/log.h"

struct pipe_log {
    struct log log;
    int read_end;
    char text[2 * LOG_LINE_BYTES];
};

static int make(void **state)
{
    static struct pipe_log log;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    log = (struct pipe_log){.log = {.fd = fds[1], .level = LOG_INFO}, .read_end = fds[0]};
    *state = &log;
    return 0;
}

static int drop(void **state)
{
    struct pipe_log *log = *state;

    close(log->log.fd);
    close(log->read_end);
    return 0;
}

/* The line written, as a parsed object to be released. */
static struct json *read_line(struct pipe_log *log)
{
    ssize_t length = read(log->read_end, log->text, sizeof log->text);
    struct json *root = NULL;
    struct err err;

    assert_in_range(length, 2, LOG_LINE_BYTES);
    assert_int_equal(log->text[length - 1], '\n');
    assert_null(memchr(log->text, '\n', (size_t)length - 1));
    err_init(&err, NULL);
    assert_int_equal(json_parse(log->text, (size_t)length - 1, &root, &err), ERR_OK);
    return root;
}

static void a_line_is_one_json_object(void **state)
{
    struct pipe_log *log = *state;
    struct log_line line;
    struct json *root;

    log_begin(&line, &log->log, LOG_WARN, "it \"happened\"");
    log_text(&line, "path", "/a\\b\n\x01\x7f");
    log_text(&line, "absent", NULL);
    log_integer(&line, "status", -404);
    log_end(&line);
    root = read_line(log);
    assert_string_equal(json_text(json_member(root, "level")), "warn");
    assert_string_equal(json_text(json_member(root, "message")), "it \"happened\"");
    assert_string_equal(json_text(json_member(root, "path")), "/a\\b\n\x01\x7f");
    assert_null(json_member(root, "absent"));
    assert_true(json_number(json_member(root, "status")) == -404);
    json_release(root);
}

static void bytes_that_are_not_utf_8_are_replaced(void **state)
{
    struct pipe_log *log = *state;
    struct log_line line;
    struct json *root;

    log_begin(&line, &log->log, LOG_INFO, "m");
    log_text(&line, "path", "\xff\xc3\xa4\xc3");
    log_end(&line);
    root = read_line(log);
    assert_string_equal(json_text(json_member(root, "path")), "\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD");
    json_release(root);
}

static void a_long_value_is_shortened_and_the_line_stays_whole(void **state)
{
    struct pipe_log *log = *state;
    char value[3 * LOG_LINE_BYTES];

    memset(value, 'x', sizeof value);
    value[sizeof value - 1] = '\0';
    /* Whatever is left of the line when the value comes: letters, escapes, characters. */
    for (size_t before = 0; before < 16; before++) {
        static const char *const units[] = {"\"", "\x01", "\xC3\xA4", "x"};

        for (size_t u = 0; u < 4; u++) {
            struct log_line line;
            struct json *root;
            size_t at = before;

            while (at + strlen(units[u]) < sizeof value - 1) {
                memcpy(value + at, units[u], strlen(units[u]));
                at += strlen(units[u]);
            }
            value[at] = '\0';
            log_begin(&line, &log->log, LOG_INFO, "m");
            log_text(&line, "long", value);
            log_text(&line, "more", "text");
            log_integer(&line, "number", 1);
            log_end(&line);
            root = read_line(log);
            assert_non_null(json_member(root, "long"));
            json_release(root);
        }
    }
}

static void less_grave_lines_are_dropped(void **state)
{
    struct pipe_log *log = *state;
    struct log_line line;

    log_begin(&line, &log->log, LOG_DEBUG, "dropped");
    log_text(&line, "a", "b");
    log_end(&line);
    log_begin(&line, NULL, LOG_ERROR, "nowhere to go");
    log_text(&line, "a", "b");
    log_end(&line);
    log_begin(&line, &log->log, LOG_INFO, "kept");
    log_end(&line);
    json_release(read_line(log));
    assert_null(strstr(log->text, "dropped"));
}

static void levels_have_names(void **state)
{
    enum log_level level = LOG_OFF;

    (void)state;
    assert_true(log_level_find("warn", &level));
    assert_int_equal(level, LOG_WARN);
    assert_false(log_level_find("loud", &level));
    assert_int_equal(level, LOG_WARN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_one_json_object),
        cmocka_unit_test(bytes_that_are_not_utf_8_are_replaced),
        cmocka_unit_test(a_long_value_is_shortened_and_the_line_stays_whole),
        cmocka_unit_test(less_grave_lines_are_dropped),
        cmocka_unit_test(levels_have_names),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
