#include "tests/unit/db/place.h"

#include <sqlite3.h>

#include "db/handle.h"
#include "db/schema.h"

/* The released migrations and one or two to come. */
enum { RELEASED = STORE_SCHEMA_VERSION, NEXT = RELEASED + 1, AFTER = RELEASED + 2 };

static const char add_column[] = "ALTER TABLE study ADD COLUMN colour TEXT DEFAULT 'blue'";
static const char add_table[] = "CREATE TABLE extra (id INTEGER PRIMARY KEY) STRICT;"
                                "INSERT INTO extra VALUES (1)";
static const char broken[] = "CREATE TABLE half (id INTEGER PRIMARY KEY) STRICT;"
                             "INSERT INTO nowhere VALUES (1)";

struct future {
    struct migration migrations[AFTER];
    struct store_setup setup;
};

/* n_more of the given migrations after the released ones. */
static void make_future(struct future *future, const char *first, const char *second)
{
    for (size_t i = 0; i < RELEASED; i++)
        future->migrations[i] = schema_migrations[i];
    future->migrations[RELEASED] = (struct migration){{first}};
    future->migrations[NEXT] = (struct migration){{second}};
    future->setup = (struct store_setup){.migrations = future->migrations,
                                         .n_migrations = second ? AFTER : NEXT};
}

/* A file's first answer to a query, read without the store. */
static const char *ask_file(struct place *place, const char *path, const char *sql)
{
    char answer[256];
    sqlite3 *db;

    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    if (handle_query(db, sql, answer, sizeof answer, &place->err) != ERR_OK)
        snprintf(answer, sizeof answer, "error");
    sqlite3_close(db);
    return arena_copy(&place->arena, answer, strlen(answer));
}

static void execute_on_file(const char *path, const char *sql)
{
    sqlite3 *db;

    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

/* A database of the released version with a run in it, closed. */
static void make_released(struct place *place)
{
    struct experiment run = run_named("old", 3);

    place_open(place);
    insert(place, &run);
    place_close(place);
}

static const char *copy_of(struct place *place, int version)
{
    return arena_printf(&place->arena, "%s.before-v%d", place->path, version);
}

static void a_new_file_is_stamped_and_not_copied(void **state)
{
    struct place *place = *state;

    place_open(place);
    place_close(place);
    assert_string_equal(ask_file(place, place->path, "PRAGMA application_id"), "1299137904");
    assert_int_equal(SCHEMA_APPLICATION_ID, 1299137904);
    assert_int_equal(strtol(ask_file(place, place->path, "PRAGMA user_version"), NULL, 10),
                     STORE_SCHEMA_VERSION);
    for (int version = 0; version <= STORE_SCHEMA_VERSION; version++)
        assert_false(exists(copy_of(place, version)));
}

static void every_table_is_strict(void **state)
{
    struct place *place = *state;

    make_released(place);
    assert_string_equal(ask_file(place, place->path,
                                 "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' "
                                 "AND strict = 0 AND name NOT LIKE 'sqlite_%'"),
                        "0");
}

static void an_older_file_is_copied_then_migrated(void **state)
{
    struct place *place = *state;
    struct future future;

    make_released(place);
    make_future(&future, add_column, add_table);
    assert_ok(place, handle_open_writer(place->path, &future.setup, &place->store, &place->err));
    assert_int_equal(count_runs(place, place->store, "default"), 1);
    place_close(place);

    assert_string_equal(ask_file(place, place->path, "SELECT colour FROM study"), "blue");
    assert_string_equal(ask_file(place, place->path, "SELECT count(*) FROM extra"), "1");
    assert_int_equal(strtol(ask_file(place, place->path, "PRAGMA user_version"), NULL, 10), AFTER);
    assert_string_equal(ask_file(place, copy_of(place, NEXT), "SELECT colour FROM study"), "error");
    assert_string_equal(ask_file(place, copy_of(place, NEXT), "SELECT name FROM experiment"),
                        "old");
    assert_string_equal(ask_file(place, copy_of(place, AFTER), "SELECT colour FROM study"), "blue");
    assert_string_equal(ask_file(place, copy_of(place, AFTER), "SELECT count(*) FROM extra"),
                        "error");
}

static void the_copy_made_before_opens_again(void **state)
{
    struct place *place = *state;
    struct future future;

    make_released(place);
    make_future(&future, add_column, NULL);
    assert_ok(place, handle_open_writer(place->path, &future.setup, &place->store, &place->err));
    place_close(place);
    assert_ok(place, store_open(copy_of(place, NEXT), &place->store, &place->err));
    assert_int_equal(count_runs(place, place->store, "default"), 1);
}

static void a_migration_that_fails_changes_nothing(void **state)
{
    struct place *place = *state;
    struct future future;

    make_released(place);
    make_future(&future, broken, NULL);
    assert_error(place, handle_open_writer(place->path, &future.setup, &place->store, &place->err),
                 ERR_INTERNAL);
    assert_null(place->store);
    assert_string_equal(ask_file(place, place->path, "SELECT count(*) FROM half"), "error");
    err_init(&place->err, NULL);
    place_open(place);
    assert_int_equal(count_runs(place, place->store, "default"), 1);
}

static void steps_before_the_failing_one_are_kept_and_not_repeated(void **state)
{
    struct place *place = *state;
    struct future future;

    make_released(place);
    make_future(&future, add_column, broken);
    assert_error(place, handle_open_writer(place->path, &future.setup, &place->store, &place->err),
                 ERR_INTERNAL);
    make_future(&future, add_column, add_table);
    assert_ok(place, handle_open_writer(place->path, &future.setup, &place->store, &place->err));
    assert_int_equal(count_runs(place, place->store, "default"), 1);
}

static void a_migrated_file_is_not_migrated_again(void **state)
{
    struct place *place = *state;
    struct future future;

    make_released(place);
    make_future(&future, add_column, NULL);
    for (int i = 0; i < 2; i++) {
        assert_ok(place,
                  handle_open_writer(place->path, &future.setup, &place->store, &place->err));
        place_close(place);
        if (i == 0)
            assert_int_equal(unlink(copy_of(place, NEXT)), 0);
    }
    assert_false(exists(copy_of(place, NEXT)));
}

static void a_newer_file_is_refused_untouched(void **state)
{
    struct place *place = *state;
    struct future future;
    const char *version;

    make_released(place);
    make_future(&future, add_column, NULL);
    assert_ok(place, handle_open_writer(place->path, &future.setup, &place->store, &place->err));
    place_close(place);
    assert_int_equal(store_open(place->path, &place->store, &place->err), ERR_INVALID);
    assert_non_null(strstr(place->err.detail, "newer moeplan"));
    assert_non_null(strstr(place->err.detail, place->path));
    version = ask_file(place, place->path, "PRAGMA user_version");
    assert_int_equal(strtol(version, NULL, 10), NEXT);
}

static void a_file_of_another_program_is_refused_untouched(void **state)
{
    static const char *const makers[] = {
        "CREATE TABLE t (a)",
        "CREATE TABLE t (a); PRAGMA application_id = 7; PRAGMA user_version = 1",
        "CREATE TABLE t (a); PRAGMA user_version = 1",
    };
    struct place *place = *state;

    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        const char *path = arena_printf(&place->arena, "%s/%zu.db", place->directory, i);

        execute_on_file(path, makers[i]);
        assert_int_equal(store_open(path, &place->store, &place->err), ERR_INVALID);
        assert_non_null(strstr(place->err.detail, "not one of moeplan"));
        assert_string_equal(ask_file(place, path, "PRAGMA journal_mode"), "delete");
        assert_string_equal(ask_file(place, path, "SELECT count(*) FROM sqlite_schema"), "1");
    }
}

static void a_file_that_is_no_database_is_refused_untouched(void **state)
{
    struct place *place = *state;
    char text[4096], back[sizeof text];
    FILE *file = fopen(place->path, "w");

    assert_non_null(file);
    memset(text, 'x', sizeof text);
    assert_int_equal(fwrite(text, 1, sizeof text, file), sizeof text);
    fclose(file);
    assert_int_equal(store_open(place->path, &place->store, &place->err), ERR_INVALID);
    assert_non_null(strstr(place->err.detail, "not a database"));
    file = fopen(place->path, "r");
    assert_non_null(file);
    assert_int_equal(fread(back, 1, sizeof back, file), sizeof back);
    assert_memory_equal(text, back, sizeof text);
    fclose(file);
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(a_new_file_is_stamped_and_not_copied),
        WITH_PLACE(every_table_is_strict),
        WITH_PLACE(an_older_file_is_copied_then_migrated),
        WITH_PLACE(the_copy_made_before_opens_again),
        WITH_PLACE(a_migration_that_fails_changes_nothing),
        WITH_PLACE(steps_before_the_failing_one_are_kept_and_not_repeated),
        WITH_PLACE(a_migrated_file_is_not_migrated_again),
        WITH_PLACE(a_newer_file_is_refused_untouched),
        WITH_PLACE(a_file_of_another_program_is_refused_untouched),
        WITH_PLACE(a_file_that_is_no_database_is_refused_untouched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
