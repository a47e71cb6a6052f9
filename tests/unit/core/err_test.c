#include "core/err.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "tests/unit/check.h"

static void every_code_has_a_distinct_snake_case_name_and_a_title(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_CODE_COUNT; i++) {
        const char *name = err_name((enum err_code)i);

        assert_non_null(name);
        assert_true(strlen(err_title((enum err_code)i)) > 5);
        for (const char *c = name; *c; c++)
            assert_true(islower((unsigned char)*c) || *c == '_');
        for (int j = 0; j < i; j++)
            assert_string_not_equal(name, err_name((enum err_code)j));
    }
}

static void names_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(err_name(ERR_INFEASIBLE), "infeasible");
    assert_string_equal(err_name(ERR_TOO_FEW_EXPERIMENTS), "too_few_experiments");
    assert_string_equal(err_name(ERR_NOT_IDENTIFIABLE), "not_identifiable");
    assert_string_equal(err_name(ERR_STUDY_NOT_FOUND), "study_not_found");
    assert_string_equal(err_name(ERR_CONFLICT), "conflict");
    assert_string_equal(err_name(ERR_UNBOUNDED), "unbounded");
}

static void set_formats_the_detail_and_returns_the_code(void **state)
{
    struct err err;

    (void)state;
    err_init(&err, NULL);
    assert_int_equal(err_set(&err, ERR_CONFLICT, "run %s, %d", "a", 7), ERR_CONFLICT);
    assert_int_equal(err.code, ERR_CONFLICT);
    assert_string_equal(err.detail, "run a, 7");
    assert_int_equal(err.n_fields, 0);
}

static void prefix_puts_words_before_the_detail_and_keeps_the_code(void **state)
{
    struct err err;

    (void)state;
    err_init(&err, NULL);
    err_set(&err, ERR_FIT_NOT_FOUND, "no such fit");
    err_prefix(&err, "study %s: ", "marin");
    assert_int_equal(err.code, ERR_FIT_NOT_FOUND);
    assert_string_equal(err.detail, "study marin: no such fit");
}

/* Whether the text is whole UTF-8 characters, by the lead byte of each. */
static bool is_whole_utf8(const char *text)
{
    const unsigned char *c = (const unsigned char *)text;

    while (*c) {
        int more = *c < 0x80 ? 0 : *c >= 0xF0 ? 3 : *c >= 0xE0 ? 2 : *c >= 0xC0 ? 1 : -1;

        if (more < 0)
            return false;
        for (c++; more > 0; more--, c++)
            if ((*c & 0xC0) != 0x80)
                return false;
    }
    return true;
}

/* A text of characters of one length, shifted by 0 to 3 bytes so that the cut falls everywhere. */
static void a_long_detail_is_cut_between_characters(void **state)
{
    static const char *const characters[] = {"x", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    char text[4 * ERR_DETAIL_BYTES + 8];
    struct err err;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t shift = 0; shift < 4; shift++) {
            size_t length = shift;

            memset(text, '-', shift);
            for (size_t k = 0; k < ERR_DETAIL_BYTES; k++, length += i + 1)
                memcpy(text + length, characters[i], i + 1);
            text[length] = '\0';

            err_init(&err, NULL);
            err_set(&err, ERR_INVALID, "%s", text);
            assert_true(is_whole_utf8(err.detail));
            assert_in_range(strlen(err.detail), ERR_DETAIL_BYTES - 4, ERR_DETAIL_BYTES - 1);
            assert_memory_equal(err.detail, text, strlen(err.detail));

            err_prefix(&err, "%.*s", (int)shift + 1, "....");
            assert_true(is_whole_utf8(err.detail));
            assert_in_range(strlen(err.detail), ERR_DETAIL_BYTES - 4, ERR_DETAIL_BYTES - 1);

            err_prefix(&err, "%s", text); /* a prefix that fills it alone */
            assert_true(is_whole_utf8(err.detail));
            assert_in_range(strlen(err.detail), ERR_DETAIL_BYTES - 4, ERR_DETAIL_BYTES - 1);
        }
    }
}

static void a_detail_that_just_fits_is_kept_whole(void **state)
{
    char text[ERR_DETAIL_BYTES];
    struct err err;

    (void)state;
    memset(text, 'x', sizeof text - 3);
    memcpy(text + sizeof text - 3, "\xC3\xA9", 3);
    err_init(&err, NULL);
    err_set(&err, ERR_INVALID, "%s", text);
    assert_string_equal(err.detail, text);
}

static void add_lists_fields_in_order_with_their_places(void **state)
{
    char name[] = "/tokens";
    struct arena arena;
    struct err err;

    (void)state;
    arena_init(&arena, 1 << 20);
    err_init(&err, &arena);
    assert_int_equal(err_add(&err, ERR_INVALID, ERR_AT_POINTER, name, 0, "must be above %d", 0),
                     ERR_INVALID);
    name[1] = '?'; /* the err keeps copies */
    err_add(&err, ERR_INVALID, ERR_AT_PARAMETER, "compute", 0, "unknown");
    err_add(&err, ERR_INVALID, ERR_AT_CELL, "loss", 17, "not a number");

    assert_int_equal(err.n_fields, 3);
    assert_int_equal(err.n_dropped, 0);
    assert_string_equal(err.first->name, "/tokens");
    assert_string_equal(err.first->detail, "must be above 0");
    assert_int_equal(err.first->place, ERR_AT_POINTER);
    assert_string_equal(err.first->next->name, "compute");
    assert_int_equal(err.first->next->place, ERR_AT_PARAMETER);
    assert_ptr_equal(err.first->next->next, err.last);
    assert_int_equal(err.last->place, ERR_AT_CELL);
    assert_int_equal(err.last->row, 17);
    assert_null(err.last->next);
    arena_release(&arena);
}

static void the_first_field_speaks_for_an_err_without_a_detail(void **state)
{
    struct err err;

    (void)state;
    err_init(&err, NULL);
    err_add(&err, ERR_INVALID, ERR_AT_PARAMETER, "compute", 0, "must be above 0");
    err_add(&err, ERR_INVALID, ERR_AT_PARAMETER, "memory", 0, "must be above 0");
    assert_string_equal(err.detail, "compute: must be above 0");

    err_init(&err, NULL);
    err_add(&err, ERR_INVALID, ERR_AT_CELL, "", 3, "too many cells");
    assert_string_equal(err.detail, "too many cells");
}

static void add_keeps_the_code_and_the_detail_that_are_there(void **state)
{
    struct err err;

    (void)state;
    err_init(&err, NULL);
    err_set(&err, ERR_INFEASIBLE, "nothing fits");
    assert_int_equal(err_add(&err, ERR_INVALID, ERR_AT_PARAMETER, "memory", 0, "too small"),
                     ERR_INFEASIBLE);
    assert_string_equal(err.detail, "nothing fits");
}

static void fields_beyond_the_limit_are_counted(void **state)
{
    struct arena arena;
    struct err err;

    (void)state;
    arena_init(&arena, 1 << 20);
    err_init(&err, &arena);
    for (int i = 0; i < ERR_FIELDS_MAX; i++)
        err_add(&err, ERR_INVALID, ERR_AT_CELL, "loss", (uint64_t)i + 1, "bad");
    assert_int_equal(err.n_fields, ERR_FIELDS_MAX);
    assert_int_equal(err.n_dropped, 0);
    err_add(&err, ERR_INVALID, ERR_AT_CELL, "loss", 5000, "bad");
    assert_int_equal(err.n_fields, ERR_FIELDS_MAX);
    assert_int_equal(err.n_dropped, 1);
    assert_int_equal(err.last->row, ERR_FIELDS_MAX);
    arena_release(&arena);
}

static void without_room_in_the_arena_fields_are_counted(void **state)
{
    struct arena arena;
    struct err err;

    (void)state;
    for (size_t cap = 0; cap < 200; cap++) { /* each allocation of a field fails in its turn */
        arena_init(&arena, cap);
        err_init(&err, &arena);
        for (int i = 0; i < 10; i++)
            err_add(&err, ERR_INVALID, ERR_AT_POINTER, "/loss", 0, "must be above 0");
        assert_int_equal(err.n_fields + err.n_dropped, 10);
        assert_true(err.n_dropped > 0);
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.detail, "/loss: must be above 0");
        for (const struct err_field *f = err.first; f; f = f->next)
            assert_string_equal(f->name, "/loss");
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_distinct_snake_case_name_and_a_title),
        cmocka_unit_test(names_are_those_of_the_contract),
        cmocka_unit_test(set_formats_the_detail_and_returns_the_code),
        cmocka_unit_test(prefix_puts_words_before_the_detail_and_keeps_the_code),
        cmocka_unit_test(a_long_detail_is_cut_between_characters),
        cmocka_unit_test(a_detail_that_just_fits_is_kept_whole),
        cmocka_unit_test(add_lists_fields_in_order_with_their_places),
        cmocka_unit_test(the_first_field_speaks_for_an_err_without_a_detail),
        cmocka_unit_test(add_keeps_the_code_and_the_detail_that_are_there),
        cmocka_unit_test(fields_beyond_the_limit_are_counted),
        cmocka_unit_test(without_room_in_the_arena_fields_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
