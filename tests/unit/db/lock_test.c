#include "tests/unit/check.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "db/lock.h"
#include "tests/unit/db/place.h"

/* A file named like the database, empty. */
static int make_file(void **state)
{
    struct place *place;
    int fd;

    place_make(state);
    place = *state;
    fd = open(place->path, O_RDWR | O_CREAT, 0644);
    assert_true(fd >= 0);
    close(fd);
    return 0;
}

static char *resolve(struct place *place, const char *path)
{
    char *resolved;

    assert_ok(place, lock_resolve(path, false, &resolved, &place->err));
    return resolved;
}

static void every_path_to_a_file_is_one(void **state)
{
    struct place *place = *state;
    const char *link = place_path(place, "link"), *chain = place_path(place, "chain");
    const char *paths[] = {place->path, link, chain,
                           arena_printf(&place->arena, "%s/.//moeplan.db", place->directory)};
    char *want = realpath(place->path, NULL);

    assert_int_equal(symlink(place->path, link), 0);
    assert_int_equal(symlink("link", chain), 0);
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char *resolved = resolve(place, paths[i]);

        assert_string_equal(resolved, want);
        free(resolved);
    }
    free(want);
}

static void a_missing_file_is_made_only_when_asked(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "new.db");
    struct stat status;
    char *resolved = NULL;

    assert_error(place, lock_resolve(path, false, &resolved, &place->err), ERR_INVALID);
    assert_int_not_equal(stat(path, &status), 0);
    assert_ok(place, lock_resolve(path, true, &resolved, &place->err));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 0);
    free(resolved);
}

static void what_cannot_hold_a_database_is_refused(void **state)
{
    struct place *place = *state;
    const char *dangling = place_path(place, "dangling.db");
    const struct {
        const char *path, *word;
    } bad[] = {
        {dangling, "symbolic link"},
        {place->directory, "directory"},
        {place_path(place, "none/moeplan.db"), "directory does not exist"},
        {place_path(place, "moeplan.db/x"), "not a directory"},
        {"/dev/null", "plain file"},
        {"", "directory does not exist"},
    };
    char *resolved = NULL;

    assert_int_equal(symlink("nowhere.db", dangling), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(lock_resolve(bad[i].path, true, &resolved, &place->err), ERR_INVALID);
        assert_non_null(strstr(place->err.detail, bad[i].word));
        assert_null(resolved);
    }
}

static void a_file_with_two_names_is_refused(void **state)
{
    struct place *place = *state;
    const char *other = place_path(place, "other.db");
    char *resolved = NULL;

    assert_int_equal(link(place->path, other), 0);
    assert_error(place, lock_resolve(other, true, &resolved, &place->err), ERR_INVALID);
    assert_int_equal(unlink(other), 0);
    assert_ok(place, lock_resolve(place->path, true, &resolved, &place->err));
    free(resolved);
}

static void a_second_taker_is_refused_and_told_who_has_it(void **state)
{
    struct place *place = *state;
    char pid[32];
    int first, second = -1;

    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_ok(place, lock_take(place->path, &first, &place->err));
    assert_int_equal(lock_take(place->path, &second, &place->err), ERR_UNAVAILABLE);
    assert_non_null(strstr(place->err.detail, pid));
    assert_int_equal(second, -1);
    lock_drop(first);
    assert_ok(place, lock_take(place->path, &second, &place->err));
    lock_drop(second);
    lock_drop(-1);
}

static void the_lock_goes_with_its_process(void **state)
{
    struct place *place = *state;
    int ready[2], fd = -1;
    char byte;
    pid_t child;

    assert_int_equal(pipe(ready), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err err;

        err_init(&err, NULL);
        if (lock_take(place->path, &fd, &err) != ERR_OK || write(ready[1], "x", 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_error(place, lock_take(place->path, &fd, &place->err), ERR_UNAVAILABLE);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_ok(place, lock_take(place->path, &fd, &place->err));
    lock_drop(fd);
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
#define WITH_FILE(test) cmocka_unit_test_setup_teardown(test, make_file, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_FILE(every_path_to_a_file_is_one),
        WITH_FILE(a_missing_file_is_made_only_when_asked),
        WITH_FILE(what_cannot_hold_a_database_is_refused),
        WITH_FILE(a_file_with_two_names_is_refused),
        WITH_FILE(a_second_taker_is_refused_and_told_who_has_it),
        WITH_FILE(the_lock_goes_with_its_process),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
