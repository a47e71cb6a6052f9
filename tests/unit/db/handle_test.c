#include "tests/unit/db/place.h"

#include "db/handle.h"

static void codes_of_the_engine_become_codes_of_ours(void **state)
{
    static const struct {
        int rc;
        enum err_code code;
    } pairs[] = {
        {SQLITE_FULL, ERR_STORAGE_FULL},
        {SQLITE_BUSY, ERR_UNAVAILABLE},
        {SQLITE_BUSY_SNAPSHOT, ERR_UNAVAILABLE},
        {SQLITE_LOCKED, ERR_UNAVAILABLE},
        {SQLITE_NOMEM, ERR_NO_MEMORY},
        {SQLITE_IOERR_NOMEM, ERR_NO_MEMORY},
        {SQLITE_TOOBIG, ERR_TOO_LARGE},
        {SQLITE_CORRUPT, ERR_INTERNAL},
        {SQLITE_CORRUPT_INDEX, ERR_INTERNAL},
        {SQLITE_NOTADB, ERR_INVALID},
        {SQLITE_IOERR_FSYNC, ERR_INTERNAL},
        {SQLITE_READONLY, ERR_INTERNAL},
        {SQLITE_ERROR, ERR_INTERNAL},
        {SQLITE_MISUSE, ERR_INTERNAL},
    };
    struct place *place = *state;

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        assert_error(place, handle_translate(NULL, pairs[i].rc, &place->err), pairs[i].code);
}

static void another_programs_lock_is_waited_for_then_said(void **state)
{
    struct place *place = *state;
    sqlite3 *other;

    assert_int_equal(sqlite3_open(place->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_busy_timeout(place->store->db, 50); /* not the usual seconds */
    assert_error(place, store_begin(place->store, &place->err), ERR_UNAVAILABLE);
    sqlite3_close(other);
    assert_ok(place, store_begin(place->store, &place->err));
    assert_ok(place, store_commit(place->store, &place->err));
}

static void a_query_answers_its_first_column(void **state)
{
    struct place *place = *state;
    sqlite3 *db = place->store->db;
    char text[8];

    assert_ok(place, handle_query(db, "SELECT 'abc', 'd'", text, sizeof text, &place->err));
    assert_string_equal(text, "abc");
    assert_ok(place, handle_query(db, "SELECT 1 WHERE 0", text, sizeof text, &place->err));
    assert_string_equal(text, "");
    assert_ok(place, handle_query(db, "SELECT NULL", text, sizeof text, &place->err));
    assert_string_equal(text, "");
    assert_ok(place, handle_query(db, "SELECT 'longer than it'", text, sizeof text, &place->err));
    assert_string_equal(text, "longer ");
    assert_error(place, handle_query(db, "SELECT nothing", text, sizeof text, &place->err),
                 ERR_INTERNAL);
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, place_make_open, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_STORE(codes_of_the_engine_become_codes_of_ours),
        WITH_STORE(another_programs_lock_is_waited_for_then_said),
        WITH_STORE(a_query_answers_its_first_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
