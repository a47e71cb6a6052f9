#include "tests/unit/check.h"

#include <stdlib.h>
#include <string.h>

#include "db/row.h"

/* A row type of its own, so that no table of the program is taken for its own proof. */
struct thing {
    int64_t whole, when, maybe;
    double real;
    bool flag;
    const char *text;
    unsigned choice, present;
};

static const char *colour(unsigned value)
{
    static const char *const names[] = {"red", "green"};

    return value < 2 ? names[value] : NULL;
}

enum { HAS_MAYBE = 1 << 3, HAS_TEXT = 1 << 5 };

#define AT(member) offsetof(struct thing, member)
static const struct column columns[] = {
    {"whole", COLUMN_INTEGER, AT(whole), 0, NULL},
    {"when_us", COLUMN_TIME, AT(when), 0, NULL},
    {"maybe", COLUMN_OPTIONAL, AT(maybe), HAS_MAYBE, NULL},
    {"real", COLUMN_REAL, AT(real), 0, NULL},
    {"flag", COLUMN_BOOL, AT(flag), 0, NULL},
    {"text", COLUMN_TEXT, AT(text), HAS_TEXT, NULL},
    {"choice", COLUMN_CHOICE, AT(choice), 0, colour},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };
static const struct row_type thing_row = {columns, COLUMNS, true, AT(present)};
#undef AT

struct bench {
    sqlite3 *db;
    sqlite3_stmt *echo; /* its parameters as its columns, in another order */
    struct row_map map;
};

static int make_bench(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    assert_int_equal(sqlite3_open(":memory:", &bench->db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(bench->db,
                                        "SELECT :choice AS choice, :real AS real, :text AS text, "
                                        "7 AS other, :flag AS flag, :maybe AS maybe, "
                                        ":when_us AS when_us, :whole AS whole",
                                        -1, &bench->echo, NULL),
                     SQLITE_OK);
    row_map_make(&thing_row, bench->echo, &bench->map);
    *state = bench;
    return 0;
}

static int drop_bench(void **state)
{
    struct bench *bench = *state;

    sqlite3_finalize(bench->echo);
    sqlite3_close(bench->db);
    free(bench);
    return 0;
}

static struct thing full(void)
{
    return (struct thing){.whole = INT64_MIN,
                          .when = 5,
                          .maybe = 0,
                          .real = 1.0 / 3,
                          .flag = true,
                          .text = "t",
                          .choice = 1,
                          .present = HAS_MAYBE | HAS_TEXT};
}

static struct thing echo(struct bench *bench, const struct thing *thing)
{
    struct thing back;

    memset(&back, 0xff, sizeof back);
    assert_int_equal(row_bind(&thing_row, &bench->map, bench->echo, thing), SQLITE_OK);
    assert_int_equal(sqlite3_step(bench->echo), SQLITE_ROW);
    assert_true(row_read(&thing_row, &bench->map, bench->echo, NULL, &back));
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].kind != COLUMN_REAL || !isnan(thing->real))
            assert_true(column_equal(&columns[i], thing, &back));
    return back;
}

static void each_kind_comes_back_by_name_whatever_the_order(void **state)
{
    struct bench *bench = *state;
    struct thing thing = full(), back = echo(bench, &thing);

    assert_int_equal(back.present, HAS_MAYBE | HAS_TEXT);
    sqlite3_reset(bench->echo);
}

static void what_is_absent_becomes_null_and_back(void **state)
{
    struct bench *bench = *state;
    struct thing thing = {.real = NAN, .maybe = 7}, back;

    assert_int_equal(row_bind(&thing_row, &bench->map, bench->echo, &thing), SQLITE_OK);
    assert_int_equal(sqlite3_step(bench->echo), SQLITE_ROW);
    assert_int_equal(sqlite3_column_type(bench->echo, bench->map.result[1]), SQLITE_NULL);
    assert_int_equal(sqlite3_column_type(bench->echo, bench->map.result[2]), SQLITE_NULL);
    assert_int_equal(sqlite3_column_type(bench->echo, bench->map.result[3]), SQLITE_NULL);
    assert_int_equal(sqlite3_column_type(bench->echo, bench->map.result[5]), SQLITE_NULL);
    assert_true(row_read(&thing_row, &bench->map, bench->echo, NULL, &back));
    assert_true(isnan(back.real));
    assert_null(back.text);
    assert_int_equal(back.when, 0);
    assert_int_equal(back.present, 0);
}

static void texts_are_copied_to_an_arena_when_there_is_one(void **state)
{
    struct bench *bench = *state;
    struct thing thing = full(), back;
    struct arena arena, none;

    arena_init(&arena, 1 << 16);
    arena_init(&none, 1);
    assert_int_equal(row_bind(&thing_row, &bench->map, bench->echo, &thing), SQLITE_OK);
    assert_int_equal(sqlite3_step(bench->echo), SQLITE_ROW);
    assert_true(row_read(&thing_row, &bench->map, bench->echo, &arena, &back));
    assert_false(row_read(&thing_row, &bench->map, bench->echo, &none, &thing));
    sqlite3_reset(bench->echo);
    sqlite3_clear_bindings(bench->echo);
    assert_string_equal(back.text, "t");
    arena_release(&arena);
    arena_release(&none);
}

static void columns_differ_when_their_values_do(void **state)
{
    struct thing thing = full(),
                 other = {.whole = 1, .when = 1, .maybe = 1, .real = 1, .text = "u"};
    struct thing absent = {.real = NAN}, absent_too = absent;

    (void)state;
    for (size_t i = 0; i < COLUMNS; i++) {
        assert_true(column_equal(&columns[i], &thing, &thing));
        assert_false(column_equal(&columns[i], &thing, &other));
        assert_true(column_equal(&columns[i], &absent, &absent_too));
    }
    assert_false(column_equal(&columns[3], &thing, &absent)); /* a number and NAN */
    assert_false(column_equal(&columns[5], &thing, &absent)); /* a text and NULL */
    assert_false(column_equal(&columns[5], &absent, &thing));
}

int main(void)
{
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, make_bench, drop_bench)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(each_kind_comes_back_by_name_whatever_the_order),
        WITH_BENCH(what_is_absent_becomes_null_and_back),
        WITH_BENCH(texts_are_copied_to_an_arena_when_there_is_one),
        cmocka_unit_test(columns_differ_when_their_values_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
