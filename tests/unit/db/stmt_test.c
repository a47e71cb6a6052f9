#include "tests/unit/db/place.h"

#include "db/handle.h"
#include "db/stmt.h"

static void readers_prepare_what_reads_and_nothing_else(void **state)
{
    struct place *place = *state;
    struct store *reader;
    int reading = 0;

    assert_ok(place, store_open_reader(place->path, &reader, &place->err));
    for (int i = 0; i < STMT_COUNT; i++) {
        assert_non_null(place->store->slots[i].raw);
        if (!reader->slots[i].raw)
            continue;
        reading++;
        assert_true(sqlite3_stmt_readonly(reader->slots[i].raw));
    }
    assert_in_range(reading, 10, STMT_COUNT - 10);
    store_close(reader);
}

/* The tables that grow without bound; the others hold a row a study or a fit. */
static bool walks_experiments(const char *step)
{
    return strstr(step, "SCAN experiment") && !strstr(step, "USING COVERING INDEX");
}

static void no_statement_walks_all_experiments_or_sorts(void **state)
{
    struct place *place = *state;

    for (int i = 0; i < STMT_COUNT; i++) {
        const char *sql = sqlite3_sql(place->store->slots[i].raw);
        const char *plan = arena_printf(&place->arena, "EXPLAIN QUERY PLAN %s", sql);
        sqlite3_stmt *raw;

        if (sqlite3_prepare_v2(place->store->db, plan, -1, &raw, NULL) != SQLITE_OK)
            continue; /* BEGIN and the like have no plan */
        while (sqlite3_step(raw) == SQLITE_ROW) {
            const char *step = (const char *)sqlite3_column_text(raw, 3);

            if (walks_experiments(step) || strstr(step, "TEMP B-TREE"))
                fail_msg("%s: %s", sql, step);
        }
        sqlite3_finalize(raw);
    }
}

static void every_column_of_a_row_type_is_read_back(void **state)
{
    struct place *place = *state;
    static const struct {
        const struct row_type *type;
        enum stmt_id read;
    } reads[] = {{&study_row, STMT_STUDY_READ},
                 {&study_row, STMT_STUDY_LIST},
                 {&experiment_row, STMT_EXPERIMENT_READ},
                 {&fit_row, STMT_FIT_READ}};

    for (size_t i = 0; i < sizeof reads / sizeof reads[0]; i++)
        for (size_t k = 0; k < reads[i].type->count; k++)
            assert_true(place->store->slots[reads[i].read].map.result[k] >= 0);
}

static void the_first_failure_sticks_and_the_next_use_is_clean(void **state)
{
    struct place *place = *state;
    struct stmt stmt = stmt_begin(place->store, STMT_STUDY_NUMBER);

    stmt_bind_text(&stmt, ":id", "default");
    stmt_fail(&stmt, SQLITE_NOMEM);
    stmt_fail(&stmt, SQLITE_FULL);
    assert_false(stmt_step(&stmt));
    assert_error(place, stmt_end(&stmt, &place->err), ERR_NO_MEMORY);

    stmt = stmt_begin(place->store, STMT_STUDY_NUMBER);
    stmt_bind_text(&stmt, ":id", "default");
    assert_true(stmt_step(&stmt));
    assert_int_equal(stmt_integer(&stmt, 0), 1);
    assert_ok(place, stmt_end(&stmt, &place->err));
}

static void a_null_real_is_nan(void **state)
{
    struct place *place = *state;
    struct stmt stmt = stmt_begin(place->store, STMT_EXPERIMENT_LAST);

    stmt_bind_integer(&stmt, ":study", 1);
    assert_true(stmt_step(&stmt));
    assert_true(isnan(stmt_real(&stmt, 0)));
    assert_int_equal(stmt_integer(&stmt, 0), 0);
    assert_ok(place, stmt_end(&stmt, &place->err));
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, place_make_open, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_STORE(readers_prepare_what_reads_and_nothing_else),
        WITH_STORE(no_statement_walks_all_experiments_or_sorts),
        WITH_STORE(every_column_of_a_row_type_is_read_back),
        WITH_STORE(the_first_failure_sticks_and_the_next_use_is_clean),
        WITH_STORE(a_null_real_is_nan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
