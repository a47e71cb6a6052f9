/* Filters out of queries and `where` objects: the same terms either way, judged by filter_match on
 * real runs. */
#include "tests/unit/server/faults.h"

#include <stdlib.h>
#include <string.h>

#include "server/filters.h"

enum { ARENA_BYTES = 1 << 20 };

static struct arena arena;
static struct err err;
static struct filter filter;

static const struct tag dense_tags[] = {{"router", "S-Base"}, {"set", "a,b"}};
static const struct experiment dense = {
    .id = 1,
    .name = "dense-1",
    .obs = {.n_active = 1e9, .n_total = NAN, .tokens = 2e10, .experts = 1, .loss = 2.5},
    .final = true,
    .recorded_at_us = 1700000000000000,
    .n_tags = 2,
    .tags = dense_tags,
};
static const struct experiment sparse = {
    .id = 2,
    .name = "sparse-2",
    .obs = {.n_active = 2e9, .n_total = 8e9, .tokens = 4e10, .experts = 8, .loss = 2.25},
    .final = false,
    .recorded_at_us = 1700000001000000,
};

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    memset(&filter, 0, sizeof filter);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static enum err_code from_query(const char *query)
{
    struct filters filters = {&filter, &arena};
    struct field_presence presence;
    err_init(&err, &arena);
    memset(&filter, 0, sizeof filter);
    return field_from_query(NULL, 0, query, filters_query, &filters, &filter, &presence, &arena,
                            &err);
}

static enum err_code from_json(const char *text)
{
    struct json *root;
    err_init(&err, &arena);
    memset(&filter, 0, sizeof filter);
    if (json_parse(text, strlen(text), &root, &err) != ERR_OK)
        fail_msg("%s is no JSON", text);
    enum err_code code = filters_custom(root, "/where", &filter, &arena, &err);
    json_release(root);
    return code;
}

static void assert_selects(bool wants_dense, bool wants_sparse)
{
    assert_int_equal(filter_match(&filter, &dense), wants_dense);
    assert_int_equal(filter_match(&filter, &sparse), wants_sparse);
}

/* Reads the query and the object, which must select the same of the two runs. */
static void assert_both(const char *query, const char *object, bool wants_dense, bool wants_sparse)
{
    if (from_query(query) != ERR_OK)
        fail_msg("%s is refused: %s", query, err.detail);
    assert_selects(wants_dense, wants_sparse);
    if (from_json(object) != ERR_OK)
        fail_msg("%s is refused: %s", object, err.detail);
    assert_selects(wants_dense, wants_sparse);
}

static void assert_bad_query(const char *query, const char *name, const char *part)
{
    if (from_query(query) != ERR_INVALID)
        fail_msg("%s is accepted", query);
    assert_fault(&err, ERR_AT_PARAMETER, name, part);
}

static void assert_bad_json(const char *text, const char *pointer, const char *part)
{
    if (from_json(text) != ERR_INVALID)
        fail_msg("%s is accepted", text);
    assert_fault(&err, ERR_AT_POINTER, pointer, part);
}

static void nothing_asked_selects_everything(void **state)
{
    (void)state;
    assert_both("", "{}", true, true);
}

static void numbers_are_one_of_or_within(void **state)
{
    (void)state;
    assert_both("experts=1", "{\"experts\":1}", true, false);
    assert_both("experts=8,16", "{\"experts\":[8,16]}", false, true);
    assert_both("experts=1,8", "{\"experts\":[1,8]}", true, true);
    assert_both("experts_min=2", "{\"experts_min\":2}", false, true);
    assert_both("experts_max=8", "{\"experts_max\":8}", true, true);
    assert_both("experts_max=7", "{\"experts_max\":7}", true, false);
    assert_both("loss_min=2.25&loss_max=2.4", "{\"loss_min\":2.25,\"loss_max\":2.4}", false, true);
    assert_both("id=1", "{\"id\":1}", true, false);
    assert_both("loss_min=-1", "{\"loss_min\":-1}", true, true);
}

static void an_absent_value_satisfies_nothing(void **state)
{
    (void)state;
    assert_both("n_total_min=0", "{\"n_total_min\":0}", false, true);
}

static void queries_take_suffixes_and_objects_do_not(void **state)
{
    (void)state;
    assert_int_equal(from_query("n_active=2B"), ERR_OK);
    assert_selects(false, true);
    assert_int_equal(from_query("tokens_min=0.03T"), ERR_OK);
    assert_selects(false, true);
    assert_bad_json("{\"n_active\":\"2B\"}", "/where/n_active", "must be a number, not a string");
}

static void texts_and_tags_are_one_of(void **state)
{
    (void)state;
    assert_both("name=dense-1", "{\"name\":\"dense-1\"}", true, false);
    assert_both("name=a,sparse-2", "{\"name\":[\"a\",\"sparse-2\"]}", false, true);
    assert_both("tag.router=S-Base,Dense", "{\"tag.router\":[\"S-Base\",\"Dense\"]}", true, false);
    assert_both("tag.router=Dense", "{\"tag.router\":\"Dense\"}", false, false);
}

static void a_backslash_keeps_a_comma_in_a_value(void **state)
{
    (void)state;
    assert_int_equal(from_query("tag.set=a%2Cb"), ERR_OK);
    assert_selects(false, false);
    assert_both("tag.set=a%5C,b", "{\"tag.set\":\"a,b\"}", true, false);
    assert_both("tag.set=x,a%5C,b", "{\"tag.set\":[\"x\",\"a,b\"]}", true, false);
    assert_int_equal(from_query("tag.set=a%5Cb,c%5C%5C"), ERR_OK);
    assert_int_equal(filter.terms[0].n_values, 2);
    assert_string_equal(filter.terms[0].texts[0], "a\\b");
    assert_string_equal(filter.terms[0].texts[1], "c\\");
}

static void booleans_and_times_are_typed(void **state)
{
    (void)state;
    assert_both("final=true", "{\"final\":true}", true, false);
    assert_both("final=false,true", "{\"final\":[false,true]}", true, true);
    assert_both("recorded_at_min=2023-11-14T22:13:21Z",
                "{\"recorded_at_min\":\"2023-11-14T22:13:21Z\"}", false, true);
    assert_both("recorded_at=2023-11-14T22:13:20Z", "{\"recorded_at\":\"2023-11-14T22:13:20Z\"}",
                true, false);
}

static void different_names_are_anded(void **state)
{
    (void)state;
    assert_both("tag.router=S-Base&experts_min=2", "{\"tag.router\":\"S-Base\",\"experts_min\":2}",
                false, false);
    assert_both("tag.router=S-Base&experts_max=2", "{\"tag.router\":\"S-Base\",\"experts_max\":2}",
                true, false);
}

static void every_field_of_the_store_is_known(void **state)
{
    static const char *const values[] = {[FILTER_NUMBER] = "1",
                                         [FILTER_INTEGER] = "1",
                                         [FILTER_TEXT] = "x",
                                         [FILTER_BOOL] = "true",
                                         [FILTER_TIME] = "2023-11-14T22:13:20Z"};
    static const char *const ops[] = {"", "_min", "_max"};
    char query[100];
    (void)state;
    for (size_t i = 0; i < filter_field_count(); i++)
        for (int op = 0; op < 3; op++) {
            const struct filter_field *field = filter_field_at(i);
            bool ordered = field->kind != FILTER_TEXT && field->kind != FILTER_BOOL;
            snprintf(query, sizeof query, "%s%s=%s", field->name, ops[op], values[field->kind]);
            assert_int_equal(from_query(query), op == 0 || ordered ? ERR_OK : ERR_INVALID);
            if (op != 0 && !ordered)
                continue;
            assert_int_equal(filter.n_terms, 1);
            assert_int_equal(filter.terms[0].field, i);
            assert_int_equal(filter.terms[0].op, op);
        }
}

static void whole_numbers_are_asked_for_by_whole_numbers(void **state)
{
    (void)state;
    assert_int_equal(from_query("seed=1.0&step_max=10K&id_min=3"), ERR_OK);
    assert_bad_query("seed=1.5", "seed", "whole number");
    assert_bad_query("step_min=0.5", "step_min", "whole number");
    assert_bad_json("{\"seed\":[1,1.5]}", "/where/seed/1", "whole number");
}

static void unknown_names_are_left_to_others(void **state)
{
    struct filters filters = {&filter, &arena};
    (void)state;
    assert_false(filters_query(&filters, "compute", "1", &err));
    assert_false(filters_query(&filters, "experts_mini", "1", &err));
    assert_false(filters_query(&filters, "expert", "1", &err));
    assert_false(filters_query(&filters, "tags", "1", &err));
    assert_false(filters_query(&filters, "", "1", &err));
    assert_int_equal(err.n_fields, 0);
    assert_bad_query("expertz=1", "expertz", "no such parameter");
    assert_bad_json("{\"expertz\":1}", "/where/expertz", "no such field");
    assert_bad_json("{\"name_min\":\"x\"}", "/where/name_min", "no such field");
}

static void bad_values_are_told_at_their_place(void **state)
{
    (void)state;
    assert_bad_query("experts=x", "experts", "must be a number");
    assert_bad_query("experts=1,,2", "experts", "empty value in its list");
    assert_bad_query("tag.a=x,", "tag.a", "empty value in its list");
    assert_bad_query("experts=", "experts", "has no value");
    assert_int_equal(err.n_fields, 1);
    assert_bad_query("experts_min=1,2", "experts_min", "must be one value, not a list");
    assert_bad_query("experts=1&experts=2", "experts", "more than once");
    assert_bad_query("experts=1e400", "experts", "too large");
    assert_bad_query("final=yes", "final", "must be true or false");
    assert_bad_query("recorded_at_min=2023", "recorded_at_min", "must be a time");
    assert_bad_query("tag.=x", "tag.", "must name a tag");
    assert_bad_json("{\"experts\":[]}", "/where/experts", "between 1 and 100 values");
    assert_bad_json("{\"experts\":[1,\"2\"]}", "/where/experts/1", "must be a number");
    assert_bad_json("{\"experts_max\":[1,2]}", "/where/experts_max", "must be one value");
    assert_bad_json("{\"experts\":null}", "/where/experts", "must be a number, not null");
    assert_bad_json("{\"experts\":{}}", "/where/experts", "must be a number, not an object");
    assert_bad_json("{\"tag.a\":1}", "/where/tag.a", "must be a string, not a number");
    assert_bad_json("[]", "/where", "must be an object");
    assert_bad_json("{\"experts\":\"x\",\"final\":1,\"z\":1}", "/where/final", "true or false");
    assert_int_equal(err.n_fields, 3);
}

static void a_filter_has_so_many_terms_and_no_more(void **state)
{
    char query[FILTER_TERMS_MAX * 12 + 20];
    size_t n = 0;
    (void)state;
    for (int i = 0; i < FILTER_TERMS_MAX; i++)
        n += (size_t)snprintf(query + n, sizeof query - n, "tag.t%d=x&", i);
    assert_int_equal(from_query(query), ERR_OK);
    assert_int_equal(filter.n_terms, FILTER_TERMS_MAX);
    snprintf(query + n, sizeof query - n, "id=1");
    assert_bad_query(query, "id", "more than 32 filters");
}

static void a_term_has_so_many_values_and_no_more(void **state)
{
    char query[16 + 4 * FILTER_VALUES_MAX] = "id=999", number[16];
    (void)state;
    for (int i = 1; i < FILTER_VALUES_MAX; i++) {
        snprintf(number, sizeof number, ",%d", i);
        strncat(query, number, sizeof query - strlen(query) - 1);
    }
    assert_int_equal(from_query(query), ERR_OK);
    assert_int_equal(filter.terms[0].n_values, FILTER_VALUES_MAX);
    strncat(query, ",1", 3);
    assert_bad_query(query, "id", "between 1 and 100 values");
}

static void a_list_is_a_set(void **state)
{
    (void)state;
    assert_int_equal(from_query("seed=2,1,2&tag.a=y,x,y,X"), ERR_OK);
    assert_int_equal(filter.terms[0].n_values, 2);
    assert_true(filter.terms[0].numbers[0] == 2 && filter.terms[0].numbers[1] == 1);
    assert_int_equal(filter.terms[1].n_values, 3);
    assert_string_equal(filter.terms[1].texts[2], "X");
    assert_int_equal(from_json("{\"final\":[true,true]}"), ERR_OK);
    assert_int_equal(filter.terms[0].n_values, 1);
}

static void a_tag_has_a_name_so_long_and_no_longer(void **state)
{
    char query[TAG_NAME_MAX_BYTES + 20];
    (void)state;
    snprintf(query, sizeof query, "tag.%0*d=x", TAG_NAME_MAX_BYTES, 7);
    assert_int_equal(from_query(query), ERR_OK);
    assert_int_equal(strlen(filter.terms[0].tag), TAG_NAME_MAX_BYTES);
    snprintf(query, sizeof query, "tag.%0*d=x", TAG_NAME_MAX_BYTES + 1, 7);
    assert_int_equal(from_query(query), ERR_INVALID);
    assert_non_null(strstr(err.first->detail, "must name a tag"));
}

static void what_is_written_reads_back(void **state)
{
    static const char text[] = "{\"experts\":[1,8],\"loss_max\":2.4,\"tag.r\\\"o\":[\"a,b\",\"c\"],"
                               "\"final\":true,\"name\":\"x\","
                               "\"recorded_at_min\":\"2023-11-14T22:13:20.5Z\"}";
    struct out out;
    const char *written = NULL;
    size_t length;
    (void)state;
    assert_int_equal(from_json(text), ERR_OK);
    out_init(&out, &arena);
    filters_write(&out, NULL, &filter);
    assert_int_equal(out_finish(&out, &written, &length, &err), ERR_OK);
    assert_string_equal(written, text);
}

/* Whatever the cap, the filter is whole or the answer is ERR_NO_MEMORY. */
static void memory_that_runs_out_is_an_error(void **state)
{
    int whole = 0, refused = 0;
    (void)state;
    for (size_t cap = 0; cap < 1000; cap += 7) {
        struct arena small;
        struct err none;
        struct field_presence presence;
        arena_init(&small, cap);
        err_init(&none, NULL);
        memset(&filter, 0, sizeof filter);
        struct filters filters = {&filter, &small};
        enum err_code code = field_from_query(NULL, 0, "tag.router=a,b&experts=1,2", filters_query,
                                              &filters, &filter, &presence, &small, &none);
        assert_true(code == ERR_NO_MEMORY || (code == ERR_OK && filter.n_terms == 2));
        whole += code == ERR_OK;
        refused += code == ERR_NO_MEMORY;
        arena_release(&small);
    }
    assert_true(whole > 10 && refused > 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_asked_selects_everything),
        TEST(numbers_are_one_of_or_within),
        TEST(an_absent_value_satisfies_nothing),
        TEST(queries_take_suffixes_and_objects_do_not),
        TEST(texts_and_tags_are_one_of),
        TEST(a_backslash_keeps_a_comma_in_a_value),
        TEST(booleans_and_times_are_typed),
        TEST(different_names_are_anded),
        TEST(every_field_of_the_store_is_known),
        TEST(whole_numbers_are_asked_for_by_whole_numbers),
        TEST(unknown_names_are_left_to_others),
        TEST(bad_values_are_told_at_their_place),
        TEST(a_filter_has_so_many_terms_and_no_more),
        TEST(a_term_has_so_many_values_and_no_more),
        TEST(a_list_is_a_set),
        TEST(a_tag_has_a_name_so_long_and_no_longer),
        TEST(what_is_written_reads_back),
        TEST(memory_that_runs_out_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
