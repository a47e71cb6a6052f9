#include "server/run.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const char whole[] =
    "{\"name\":\"a \\\"b\\\", c\",\"n_active\":1.5e8,\"tokens\":3e9,\"loss\":3.25,\"experts\":8,"
    "\"granularity\":2,\"n_total\":9e8,\"train_flops\":1e18,\"weight\":0.5,\"loss_stderr\":0.01,"
    "\"seed\":-3,\"step\":7,\"final\":false,\"tags\":{\"z\":\"1\",\"a\":\"x,y\"},"
    "\"url\":\"https://x.example\",\"excluded\":true,\"excluded_reason\":\"spike\","
    "\"recorded_at\":\"2025-01-02T03:04:05.678901Z\"}";

enum { NOW_US = 1700000000 };

struct fixture {
    struct arena arena;
    struct err err;
};

static int make(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);

    assert_non_null(fixture);
    arena_init(&fixture->arena, 1 << 22);
    err_init(&fixture->err, &fixture->arena);
    *state = fixture;
    return 0;
}

static int drop(void **state)
{
    struct fixture *fixture = *state;

    arena_release(&fixture->arena);
    free(fixture);
    return 0;
}

static struct run_row decode(struct fixture *fixture, const char *text,
                             struct run_warnings *warnings)
{
    const struct run_site site = {.place = ERR_AT_POINTER, .base = ""};
    struct run_row row = run_absent(NOW_US);
    struct json *root;

    assert_int_equal(json_parse(text, strlen(text), &root, &fixture->err), ERR_OK);
    run_from_json(root, "", &row, &fixture->arena, &fixture->err);
    run_finish(&row, &site, warnings, &fixture->arena, &fixture->err);
    json_release(root);
    return row;
}

static bool is_named(const struct err *err, const char *name)
{
    for (const struct err_field *at = err->first; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0)
            return true;
    return false;
}

static void a_whole_run_is_read_field_by_field(void **state)
{
    struct run_row row = decode(*state, whole, NULL);
    const struct experiment *run = &row.run;

    assert_int_equal(((struct fixture *)*state)->err.code, ERR_OK);
    assert_string_equal(run->name, "a \"b\", c");
    assert_true(run->obs.n_active == 1.5e8 && run->obs.tokens == 3e9 && run->obs.loss == 3.25);
    assert_true(run->obs.experts == 8 && run->obs.granularity == 2 && run->obs.n_total == 9e8);
    assert_true(run->obs.train_flops == 1e18 && run->obs.weight == 0.5 && run->loss_stderr == 0.01);
    assert_true(run->seed == -3 && run->step == 7 && !run->final && run->excluded);
    assert_int_equal(run->n_tags, 2);
    assert_string_equal(run->tags[0].name, "a");
    assert_string_equal(run->tags[1].value, "1");
    assert_string_equal(run->url, "https://x.example");
    assert_string_equal(run->excluded_reason, "spike");
    assert_true(run->recorded_at_us == INT64_C(1735787045678901));
    assert_int_equal(run->present, (1 << 15) - 1); /* every optional field was there */
}

static void a_bare_run_has_the_defaults(void **state)
{
    struct run_row row = decode(*state, "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3}", NULL);

    assert_int_equal(row.run.present, 0);
    assert_true(row.run.obs.experts == 1 && row.run.obs.granularity == 1);
    assert_true(row.run.obs.n_total == 1e8 && isnan(row.run.obs.train_flops));
    assert_true(row.run.obs.weight == 1 && row.run.final && !row.run.excluded);
    assert_true(row.run.recorded_at_us == NOW_US);
    assert_int_equal(strncmp(row.run.name, "run-", 4), 0);
}

static void n_total_is_not_made_up_for_experts(void **state)
{
    struct run_row row =
        decode(*state, "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3,\"experts\":2}", NULL);

    assert_true(isnan(row.run.obs.n_total));
}

static void what_is_written_reads_back_to_the_same_content(void **state)
{
    struct fixture *fixture = *state;
    struct run_row row = decode(fixture, whole, NULL), back;
    struct out out;
    const char *text;
    size_t length;

    row.run.id = 5;
    row.run.study = "s";
    out_init(&out, &fixture->arena);
    run_write_json(&out, &row.run);
    assert_int_equal(out_finish(&out, &text, &length, &fixture->err), ERR_OK);
    back = decode(fixture, text, NULL);
    assert_int_equal(fixture->err.code, ERR_OK);
    assert_true(run_same_content(&back.run, &row.run));
    assert_true(run_same_content(&row.run, &back.run));
    assert_true(back.run.id == 5);
    assert_string_equal(back.run.study, "s");
    assert_string_equal(back.run.name, row.run.name);
}

static void a_written_table_reads_back_to_the_same_content(void **state)
{
    static const char *const tags[] = {"a", "other", "z"};
    struct fixture *fixture = *state;
    struct run_row row = decode(fixture, whole, NULL), back = run_absent(NOW_US);
    struct csv_cell cells[CSV_COLUMNS_MAX];
    struct run_columns columns;
    struct csv csv;
    struct out out;
    const char *text;
    size_t length, count;
    bool end;

    row.run.study = "s";
    out_init(&out, &fixture->arena);
    run_write_header(&out, ~UINT64_C(0), tags, 3);
    run_write_row(&out, ~UINT64_C(0), tags, 3, &row.run);
    assert_int_equal(out_finish(&out, &text, &length, &fixture->err), ERR_OK);
    csv_init(&csv, (char *)text, length);
    assert_int_equal(csv_next(&csv, cells, &count, &end, &fixture->err), ERR_OK);
    assert_int_equal(count, EXPERIMENT_FIELDS - 1 + 3);
    assert_int_equal(run_columns_read(cells, count, &columns, &fixture->arena, &fixture->err),
                     ERR_OK);
    assert_int_equal(csv_next(&csv, cells, &count, &end, &fixture->err), ERR_OK);
    row.run.id = 0; /* written as 0, which is no id */
    cells[0].length = 0;
    assert_int_equal(
        run_from_cells(&columns, cells, count, 1, &back, &fixture->arena, &fixture->err), ERR_OK);
    assert_true(run_same_content(&back.run, &row.run));
    assert_true(run_same_content(&row.run, &back.run));
}

static void content_is_what_the_later_run_says(void **state)
{
    static const char *const pairs[][2] = {
        /* the later one's words on top of n_active, tokens, loss; whether that is the same */
        {"", "same"},
        {",\"experts\":8", "same"},
        {",\"experts\":4", "other"},
        {",\"seed\":-3", "same"},
        {",\"seed\":3", "other"},
        {",\"tags\":{\"a\":\"x,y\",\"z\":\"1\"}", "same"},
        {",\"tags\":{\"a\":\"x,y\"}", "other"},
        {",\"tags\":{}", "other"},
        {",\"final\":true", "other"},
        {",\"excluded_reason\":\"spike\"", "same"},
        {",\"excluded_reason\":\"dip\"", "other"},
        {",\"recorded_at\":\"2025-01-02T03:04:05.678901Z\"", "same"},
        {",\"recorded_at\":\"2025-01-02T03:04:05Z\"", "other"},
    };
    struct run_row first = decode(*state, whole, NULL);

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char text[300];
        struct run_row later;

        snprintf(text, sizeof text, "{\"n_active\":1.5e8,\"tokens\":3e9,\"loss\":3.25%s}",
                 pairs[i][0]);
        later = decode(*state, text, NULL);
        if (run_same_content(&later.run, &first.run) != (strcmp(pairs[i][1], "same") == 0))
            fail_msg("%s should be %s", pairs[i][0], pairs[i][1]);
    }
}

static void an_absent_field_differs_from_one_that_is_there(void **state)
{
    struct run_row bare = decode(*state, "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3}", NULL);
    struct run_row seeded =
        decode(*state, "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3,\"seed\":0}", NULL);

    assert_false(run_same_content(&seeded.run, &bare.run));
    assert_true(run_same_content(&bare.run, &seeded.run));
}

static void every_fault_of_a_run_is_named_once(void **state)
{
    struct fixture *fixture = *state;

    decode(fixture,
           "{\"n_active\":-1,\"tokens\":\"x\",\"experts\":0.5,\"granularity\":0,\"weight\":-1,"
           "\"url\":\"nowhere\",\"tags\":{\"a\":1},\"colour\":1}",
           NULL);
    assert_int_equal(fixture->err.code, ERR_INVALID);
    assert_true(is_named(&fixture->err, "/n_active") && is_named(&fixture->err, "/tokens"));
    assert_true(is_named(&fixture->err, "/loss") && is_named(&fixture->err, "/experts"));
    assert_true(is_named(&fixture->err, "/granularity") && is_named(&fixture->err, "/weight"));
    assert_true(is_named(&fixture->err, "/url") && is_named(&fixture->err, "/tags/a"));
    assert_true(is_named(&fixture->err, "/colour"));
    assert_int_equal(fixture->err.n_fields, 9);
}

static void a_rule_between_fields_is_checked(void **state)
{
    struct fixture *fixture = *state;

    decode(fixture, "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3,\"n_total\":9e7}", NULL);
    assert_true(is_named(&fixture->err, "/n_total"));
    assert_int_equal(fixture->err.n_fields, 1);
}

static void names_have_200_characters_of_any_script(void **state)
{
    struct fixture *fixture = *state;
    char text[2000];

    for (int count = 200; count <= 201; count++) {
        size_t length = (size_t)snprintf(
            text, sizeof text, "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3,\"name\":\"");

        for (int i = 0; i < count; i++)
            length += (size_t)snprintf(text + length, sizeof text - length, "\xF0\x9F\x98\x80");
        snprintf(text + length, sizeof text - length, "\"}");
        decode(fixture, text, NULL);
        assert_int_equal(fixture->err.n_fields, count - 200);
    }
}

static void links_that_run_in_a_page_are_refused(void **state)
{
    static const char *const links[][2] = {
        {"https://x.example/a?b=c#d", "fine"},
        {"s3://bucket/run", "fine"},
        {"javascript:alert(1)", "refused"},
        {"JavaScript:alert(1)", "refused"},
        {"data:text/html,x", "refused"},
        {"x.example", "refused"},
        {"https://a b", "refused"},
        {"https:", "refused"},
    };

    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct fixture *fixture = *state;
        char text[200];

        err_init(&fixture->err, &fixture->arena);
        snprintf(text, sizeof text, "{\"n_active\":1e8,\"tokens\":1e10,\"loss\":3,\"url\":\"%s\"}",
                 links[i][0]);
        decode(fixture, text, NULL);
        if ((fixture->err.code == ERR_OK) != (strcmp(links[i][1], "fine") == 0))
            fail_msg("%s should be %s", links[i][0], links[i][1]);
    }
}

static void slips_are_warnings_not_errors(void **state)
{
    struct fixture *fixture = *state;
    struct run_warnings warnings = {0};

    decode(fixture, "{\"n_active\":7,\"tokens\":20,\"loss\":3}", &warnings);
    assert_int_equal(fixture->err.code, ERR_OK);
    assert_int_equal(warnings.count, 2);
    assert_string_equal(warnings.first->name, "/n_active");
    assert_string_equal(warnings.last->name, "/tokens");
}

/* Applies a merge patch to the whole run. */
static struct run_row patch(struct fixture *fixture, const char *text)
{
    const struct run_site site = {.place = ERR_AT_POINTER, .base = ""};
    struct run_row stored = decode(fixture, whole, NULL), patched = {.run = stored.run};
    struct json *root;

    assert_int_equal(json_parse(text, strlen(text), &root, &fixture->err), ERR_OK);
    assert_int_equal(field_from_patch(experiment_fields, EXPERIMENT_FIELDS, root, &patched.run,
                                      &patched.presence, &fixture->arena, &fixture->err),
                     ERR_OK);
    json_release(root);
    run_patch(&patched, &stored.run, NOW_US, &fixture->arena, &fixture->err);
    run_finish(&patched, &site, NULL, &fixture->arena, &fixture->err);
    return patched;
}

static void a_patch_changes_what_it_names(void **state)
{
    struct run_row patched = patch(*state, "{\"loss\":2,\"tags\":{\"a\":null,\"n\":\"new\"}}");

    assert_true(patched.run.obs.loss == 2 && patched.run.obs.experts == 8);
    assert_int_equal(patched.run.n_tags, 2);
    assert_string_equal(patched.run.tags[0].name, "n");
    assert_string_equal(patched.run.tags[1].name, "z");
    assert_string_equal(patched.run.name, "a \"b\", c");
}

static void a_null_takes_a_field_back_to_its_default(void **state)
{
    struct run_row patched =
        patch(*state, "{\"seed\":null,\"experts\":null,\"n_total\":null,\"tags\":null,"
                      "\"final\":null,\"url\":null,\"name\":null,\"weight\":null}");

    assert_false(patched.run.present & EXPERIMENT_SEED);
    assert_true(patched.run.obs.experts == 1 && patched.run.obs.n_total == 1.5e8);
    assert_int_equal(patched.run.n_tags, 0);
    assert_true(patched.run.final && patched.run.url == NULL && patched.run.obs.weight == 1);
    assert_int_equal(strncmp(patched.run.name, "run-", 4), 0);
}

static void members_are_the_tables_names_in_its_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++)
        assert_string_equal(run_members[i], experiment_fields[i].name);
    assert_null(run_members[EXPERIMENT_FIELDS]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_run_is_read_field_by_field),
        TEST(a_bare_run_has_the_defaults),
        TEST(n_total_is_not_made_up_for_experts),
        TEST(what_is_written_reads_back_to_the_same_content),
        TEST(a_written_table_reads_back_to_the_same_content),
        TEST(content_is_what_the_later_run_says),
        TEST(an_absent_field_differs_from_one_that_is_there),
        TEST(every_fault_of_a_run_is_named_once),
        TEST(a_rule_between_fields_is_checked),
        TEST(names_have_200_characters_of_any_script),
        TEST(links_that_run_in_a_page_are_refused),
        TEST(slips_are_warnings_not_errors),
        TEST(a_patch_changes_what_it_names),
        TEST(a_null_takes_a_field_back_to_its_default),
        TEST(members_are_the_tables_names_in_its_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
