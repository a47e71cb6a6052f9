/* Rows out of text, and any cells there and back. */
#include "tests/unit/server/faults.h"

#include <stdlib.h>
#include <string.h>

#include "server/csv.h"

enum { ARENA_BYTES = 4 << 20 };

static struct arena arena;
static struct err err;
static struct csv_cell cells[CSV_COLUMNS_MAX];

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

/* A copy with just the one byte more that the reader may write. Freed by the caller. */
static char *copy_of(const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    assert_non_null(copy);
    memcpy(copy, text, length);
    copy[length] = '!';
    return copy;
}

/* "0:[a][b] 1:[c] " by row, and the code in *ret_code. */
static const char *rows_of(const char *text, size_t length, enum err_code *ret_code)
{
    static char shown[4000];
    char *copy = copy_of(text, length);
    struct csv csv;
    size_t n = 0, count;
    bool end;
    shown[0] = '\0';
    csv_init(&csv, copy, length);
    for (;;) {
        *ret_code = csv_next(&csv, cells, &count, &end, &err);
        if (*ret_code != ERR_OK || end)
            break;
        n += (size_t)snprintf(shown + n, sizeof shown - n, "%d:", (int)csv.row);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(strlen(cells[i].text), cells[i].length);
            n += (size_t)snprintf(shown + n, sizeof shown - n, "[%s]", cells[i].text);
        }
        n += (size_t)snprintf(shown + n, sizeof shown - n, " ");
    }
    free(copy);
    return shown;
}

static void assert_rows(const char *text, const char *want)
{
    enum err_code code;
    const char *shown = rows_of(text, strlen(text), &code);
    assert_int_equal(code, ERR_OK);
    assert_string_equal(shown, want);
}

static void assert_refused_bytes(const char *text, size_t length, uint64_t row, const char *part)
{
    enum err_code code;
    err_init(&err, &arena);
    rows_of(text, length, &code);
    assert_int_equal(code, ERR_INVALID);
    assert_fault(&err, ERR_AT_CELL, "", part);
    assert_int_equal(err.first->row, row);
}

static void assert_refused(const char *text, uint64_t row, const char *part)
{
    assert_refused_bytes(text, strlen(text), row, part);
}

static void rows_end_in_lf_or_crlf_or_with_the_text(void **state)
{
    (void)state;
    assert_rows("a,b\n1,2\n", "0:[a][b] 1:[1][2] ");
    assert_rows("a,b\r\n1,2\r\n", "0:[a][b] 1:[1][2] ");
    assert_rows("a,b\n1,2", "0:[a][b] 1:[1][2] ");
    assert_rows("a\n\"1\"", "0:[a] 1:[1] ");
}

static void empty_cells_are_cells(void **state)
{
    (void)state;
    assert_rows("a,b,c\n,,\n1,,3\n\"\",,\"\"", "0:[a][b][c] 1:[][][] 2:[1][][3] 3:[][][] ");
    assert_rows(",", "0:[][] ");
}

static void blank_lines_are_no_rows(void **state)
{
    (void)state;
    assert_rows("", "");
    assert_rows("\n\r\n\n", "");
    assert_rows("\n\na\n\n\r\n1\n\n2\n\n", "0:[a] 1:[1] 2:[2] ");
    assert_rows("a\n\"\"\n \n", "0:[a] 1:[] 2:[ ] ");
}

static void quoted_cells_hold_anything(void **state)
{
    (void)state;
    assert_rows("\"a,b\",\"c\"\"d\",\"e\nf\r\ng\",\"\"\"\"", "0:[a,b][c\"d][e\nf\r\ng][\"] ");
    assert_rows("x\n\"\"\"a\"\"\",\"b\rc\"\r\n", "0:[x] 1:[\"a\"][b\rc] ");
}

static void spaces_belong_to_cells(void **state)
{
    (void)state;
    assert_rows(" a , b\n", "0:[ a ][ b] ");
    assert_refused("a\nx, \"b\"\n", 1, "a quote stands in a cell that is not quoted");
}

static void a_byte_order_mark_is_passed_once(void **state)
{
    (void)state;
    assert_rows("\xEF\xBB\xBF"
                "a,b\n",
                "0:[a][b] ");
    assert_rows("\xEF\xBB\xBF\"a\"\n", "0:[a] ");
    assert_rows("\xEF\xBB\xBF", "");
    assert_rows("\xEF\xBB\xBF\xEF\xBB\xBF"
                "a",
                "0:[\xEF\xBB\xBF"
                "a] ");
}

static void malformed_rows_are_refused_by_number(void **state)
{
    (void)state;
    assert_refused("a\nb\"c\n", 1, "a quote stands in a cell that is not quoted");
    assert_refused("a\n1\n\"b\"c\n", 2, "text after a closing quote");
    assert_refused("\"b\" ,c\n", 0, "text after a closing quote");
    assert_refused("a\n\n\"b\n", 1, "a quoted cell is not finished");
    assert_refused("a\n\"b\"\"", 1, "a quoted cell is not finished");
    assert_refused("\"", 0, "a quoted cell is not finished");
    assert_refused("a\rb\n", 0, "carriage return");
    assert_refused("a\r", 0, "carriage return");
    assert_refused("a\n\"b\"\r", 1, "text after a closing quote");
    assert_refused("a\n\rb", 1, "carriage return");
}

static void bytes_that_are_no_text_are_refused(void **state)
{
    (void)state;
    assert_refused("a\n\xFF\n", 1, "UTF-8");
    assert_refused("a\n\"\xC3\"\n", 1, "UTF-8");
    assert_refused("a\n1,\xED\xA0\x80\n", 1, "UTF-8");
    assert_refused_bytes("a\nb\0c\n", 6, 1, "NUL");
    assert_refused_bytes("a\n\"\0\"\n", 6, 1, "NUL");
    assert_rows("\xE2\x82\xAC,\xF0\x9F\x98\x80\n", "0:[\xE2\x82\xAC][\xF0\x9F\x98\x80] ");
}

static void a_row_has_so_many_columns_and_no_more(void **state)
{
    char text[2 * CSV_COLUMNS_MAX + 8];
    (void)state;
    memset(text, ',', sizeof text);
    text[CSV_COLUMNS_MAX - 1] = '\n';
    enum err_code code;
    rows_of(text, CSV_COLUMNS_MAX, &code);
    assert_int_equal(code, ERR_OK);
    text[CSV_COLUMNS_MAX - 1] = ',';
    text[CSV_COLUMNS_MAX] = '\n';
    assert_refused_bytes(text, CSV_COLUMNS_MAX + 1, 0, "more than 200 columns");
}

static const char *written(struct out *out)
{
    const char *text = NULL;
    size_t length;
    assert_int_equal(out_finish(out, &text, &length, &err), ERR_OK);
    return text;
}

static void cells_are_quoted_where_they_must_be(void **state)
{
    struct out out;
    (void)state;
    out_init(&out, &arena);
    csv_write_text(&out, true, "plain text");
    csv_write_text(&out, false, "a,b");
    csv_write_text(&out, false, "say \"x\"");
    csv_write_text(&out, false, "\n");
    csv_write_text(&out, false, "");
    csv_write_number(&out, false, 1e22);
    csv_write_number(&out, false, 0.1);
    csv_write_number(&out, false, NAN);
    csv_write_number(&out, false, INFINITY);
    csv_write_end(&out);
    assert_string_equal(written(&out),
                        "plain text,\"a,b\",\"say \"\"x\"\"\",\"\n\",,1e22,0.1,,\r\n");
}

static void a_row_of_one_empty_cell_is_not_blank(void **state)
{
    struct out out;
    (void)state;
    out_init(&out, &arena);
    csv_write_text(&out, true, "");
    csv_write_end(&out);
    csv_write_number(&out, true, NAN);
    csv_write_end(&out);
    assert_rows(written(&out), "0:[] 1:[] ");
}

/* Characters that matter to CSV, and some of each length in UTF-8. */
static size_t random_cell(uint64_t *state, char *ret_text)
{
    static const char *const pieces[] = {",",
                                         "\"",
                                         "\r",
                                         "\n",
                                         "\r\n",
                                         "\"\"",
                                         " ",
                                         "a",
                                         "xyz",
                                         "\xC3\xA9",
                                         "\xE2\x82\xAC",
                                         "\xEF\xBB\xBF",
                                         "\xF0\x9F\x98\x80",
                                         "1e5"};
    size_t n = 0;
    *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
    for (uint64_t k = *state >> 60; k > 0; k--) {
        *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407U;
        const char *piece = pieces[(*state >> 33) % (sizeof pieces / sizeof pieces[0])];
        memcpy(ret_text + n, piece, strlen(piece));
        n += strlen(piece);
    }
    ret_text[n] = '\0';
    return n;
}

static void whatever_is_written_reads_back(void **state)
{
    enum { ROUNDS = 2000, COLUMNS = 5, CELL_BYTES = 100 };
    uint64_t seed = 1;
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        char want[COLUMNS][CELL_BYTES];
        size_t count, columns = 1 + (size_t)round % COLUMNS;
        bool end;
        struct out out;
        arena_reset(&arena);
        out_init(&out, &arena);
        for (size_t i = 0; i < columns; i++) {
            random_cell(&seed, want[i]);
            csv_write_text(&out, i == 0, want[i]);
        }
        csv_write_end(&out);
        const char *text = written(&out);
        char *copy = copy_of(text, strlen(text));
        struct csv csv;
        csv_init(&csv, copy, strlen(text));
        assert_int_equal(csv_next(&csv, cells, &count, &end, &err), ERR_OK);
        assert_false(end);
        assert_int_equal(count, columns);
        for (size_t i = 0; i < columns; i++)
            assert_string_equal(cells[i].text, want[i]);
        assert_int_equal(csv_next(&csv, cells, &count, &end, &err), ERR_OK);
        assert_true(end);
        free(copy);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_end_in_lf_or_crlf_or_with_the_text),
        TEST(empty_cells_are_cells),
        TEST(blank_lines_are_no_rows),
        TEST(quoted_cells_hold_anything),
        TEST(spaces_belong_to_cells),
        TEST(a_byte_order_mark_is_passed_once),
        TEST(malformed_rows_are_refused_by_number),
        TEST(bytes_that_are_no_text_are_refused),
        TEST(a_row_has_so_many_columns_and_no_more),
        TEST(cells_are_quoted_where_they_must_be),
        TEST(a_row_of_one_empty_cell_is_not_blank),
        TEST(whatever_is_written_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
