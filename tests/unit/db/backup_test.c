#include "tests/unit/db/place.h"

#include <sys/stat.h>

#include "db/backup.h"
#include "db/handle.h"

static void put_runs(struct place *place, int from, int count)
{
    assert_ok(place, store_begin(place->store, &place->err));
    for (int i = from; i < from + count; i++) {
        char name[32];
        struct experiment run;

        snprintf(name, sizeof name, "r%d", i);
        run = run_named(name, 1 + i);
        insert(place, &run);
    }
    assert_ok(place, store_commit(place->store, &place->err));
}

/* How many runs a copy holds, opened as a store of its own. */
static uint64_t count_in_copy(struct place *place, const char *path)
{
    struct store *copy;
    uint64_t count;

    assert_ok(place, store_open(path, &copy, &place->err));
    count = count_runs(place, copy, "default");
    store_close(copy);
    return count;
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void a_backup_opens_as_a_store_with_everything_in_it(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "copy.db");

    put_runs(place, 0, 1000);
    assert_ok(place, store_backup(place->store, path, &place->err));
    put_runs(place, 1000, 1);
    assert_int_equal(count_in_copy(place, path), 1000);
    assert_int_equal(count_runs(place, place->store, "default"), 1001);
}

static void a_backup_is_one_file(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "copy.db");
    const char *beside[] = {"copy.db-wal", "copy.db-shm", "copy.db-journal", "copy.db.partial"};

    put_runs(place, 0, 10);
    assert_ok(place, store_backup(place->store, path, &place->err));
    assert_true(exists(path));
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++)
        assert_false(exists(place_path(place, beside[i])));
}

static void an_existing_file_is_never_overwritten(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "copy.db");
    FILE *file = fopen(path, "w");
    struct stat status;

    assert_non_null(file);
    fputs("mine", file);
    fclose(file);
    assert_error(place, store_backup(place->store, path, &place->err), ERR_CONFLICT);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 4);
    assert_error(place, store_backup(place->store, place->path, &place->err), ERR_CONFLICT);
}

static void a_directory_that_is_missing_is_named(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "none/copy.db");

    assert_int_not_equal(store_backup(place->store, path, &place->err), ERR_OK);
    assert_true(strlen(place->err.detail) > 0);
    assert_non_null(strstr(place->err.detail, path));
}

static void a_reader_backs_up_while_the_writer_writes(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "copy.db");
    struct experiment uncommitted = run_named("x", 2);
    struct store *reader;

    put_runs(place, 0, 100);
    assert_ok(place, store_open_reader(place->path, &reader, &place->err));
    assert_ok(place, store_begin(place->store, &place->err));
    insert(place, &uncommitted);
    assert_ok(place, store_backup(reader, path, &place->err));
    assert_ok(place, store_commit(place->store, &place->err));
    store_close(reader);
    assert_int_equal(count_in_copy(place, path), 100);
}

static void replacing_takes_the_place_of_an_earlier_copy(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "copy.db");

    put_runs(place, 0, 10);
    assert_ok(place, backup_replace(place->store, path, &place->err));
    put_runs(place, 10, 10);
    assert_ok(place, backup_replace(place->store, path, &place->err));
    assert_int_equal(count_in_copy(place, path), 20);
}

static void what_an_attempt_cut_short_left_behind_is_no_hindrance(void **state)
{
    struct place *place = *state;
    const char *path = place_path(place, "copy.db");
    FILE *file = fopen(place_path(place, "copy.db.partial"), "w");

    assert_non_null(file);
    fputs("half", file);
    fclose(file);
    put_runs(place, 0, 10);
    assert_ok(place, store_backup(place->store, path, &place->err));
    assert_int_equal(count_in_copy(place, path), 10);
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, place_make_open, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_STORE(a_backup_opens_as_a_store_with_everything_in_it),
        WITH_STORE(a_backup_is_one_file),
        WITH_STORE(an_existing_file_is_never_overwritten),
        WITH_STORE(a_directory_that_is_missing_is_named),
        WITH_STORE(a_reader_backs_up_while_the_writer_writes),
        WITH_STORE(replacing_takes_the_place_of_an_earlier_copy),
        WITH_STORE(what_an_attempt_cut_short_left_behind_is_no_hindrance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
