#include "server/fit_document.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/fits.h"
#include "server/snapshot.h"
#include "tests/unit/check.h"

static struct fit_record record_of(const char *document)
{
    return (struct fit_record){.document = document, .document_length = strlen(document)};
}

static void members_are_walked_in_order(void **state)
{
    const struct fit_record record =
        record_of("{\"a\":1,\"b\":{\"c\":[1,{\"x\":\"},\\\"\"}]},\"d\":\"e,}\",\"f\":null}");
    static const char *const want[][2] = {
        {"a", "1"}, {"b", "{\"c\":[1,{\"x\":\"},\\\"\"}]}"}, {"d", "\"e,}\""}, {"f", "null"}};
    const char *name, *value;
    size_t at = 0, name_length, length, i = 0;

    (void)state;
    for (; fit_document_next(&record, &at, &name, &name_length, &value, &length); i++) {
        assert_true(i < 4);
        assert_int_equal(name_length, strlen(want[i][0]));
        assert_memory_equal(name, want[i][0], name_length);
        assert_int_equal(length, strlen(want[i][1]));
        assert_memory_equal(value, want[i][1], length);
    }
    assert_int_equal(i, 4);
}

static void numbers_are_read_and_others_are_none(void **state)
{
    const struct fit_record record = record_of("{\"a\":-1.5e-3,\"b\":null,\"c\":\"7\"}");

    (void)state;
    assert_true(fit_document_number(&record, "a") == -1.5e-3);
    assert_true(isnan(fit_document_number(&record, "b")));
    assert_true(isnan(fit_document_number(&record, "c")));
    assert_true(isnan(fit_document_number(&record, "d")));
}

static void warnings_are_found_by_their_code(void **state)
{
    const struct fit_record record = record_of(
        "{\"warnings\":[{\"code\":\"one\",\"detail\":\"[]{},\"},{\"code\":\"onetwo\",\"detail\":"
        "\"x\"}]}");
    const struct fit_record empty = record_of("{\"warnings\":[]}");
    const char *text;
    size_t length;

    (void)state;
    assert_true(fit_document_warning(&record, "onetwo", &text, &length));
    assert_int_equal(length, strlen("{\"code\":\"onetwo\",\"detail\":\"x\"}"));
    assert_memory_equal(text, "{\"code\":\"onetwo\"", 16);
    assert_true(fit_document_warning(&record, "one", &text, &length));
    assert_memory_equal(text, "{\"code\":\"one\",", 14);
    assert_false(fit_document_warning(&record, "two", &text, &length));
    assert_false(fit_document_warning(&record, "o", &text, &length));
    assert_false(fit_document_warning(&empty, "one", &text, &length));
}

static void a_record_without_a_document_has_no_members(void **state)
{
    const struct fit_record record = {.document = NULL};
    const char *text;
    size_t length;

    (void)state;
    assert_false(fit_document_member(&record, "a", &text, &length));
    assert_false(fit_document_warning(&record, "a", &text, &length));
    assert_true(isnan(fit_document_number(&record, "a")));
}

/* A fit of nothing, to see what is written of it. */
static const char *written(struct arena *arena, const struct fit_result *result,
                           const struct obs *obs, size_t count)
{
    struct fit_request request = {.law = "joint"};
    struct fit_options options = fit_options_default(law_find("joint"));
    const struct study study = {.id = "s"};
    struct out out;
    const char *text;
    size_t length;
    struct err err;

    out_init(&out, arena);
    fit_document_write(&out, &(struct fit_facts){.request = &request,
                                                 .options = &options,
                                                 .result = result,
                                                 .obs = obs,
                                                 .count = count,
                                                 .last_experiment_id = 7,
                                                 .study = &study});
    assert_int_equal(out_finish(&out, &text, &length, &err), ERR_OK);
    return text;
}

static void a_document_holds_the_contracts_members_from_options_on(void **state)
{
    const struct obs obs = {.n_active = 1e8, .n_total = NAN, .tokens = 1e10, .experts = 1};
    struct fit_result result = {.law = law_find("joint"), .aicc = NAN};
    struct arena arena;
    struct fit_record record;
    const char *name, *value;
    size_t at = 0, length, value_length, i = 7;

    (void)state;
    arena_init(&arena, 1 << 20);
    record = record_of(written(&arena, &result, &obs, 1));
    for (; fit_members[i] != NULL; i++) {
        assert_true(fit_document_next(&record, &at, &name, &length, &value, &value_length));
        assert_int_equal(length, strlen(fit_members[i]));
        assert_memory_equal(name, fit_members[i], length);
    }
    assert_true(fit_document_member(&record, "aicc", &value, &value_length));
    assert_memory_equal(value, "null", 4);
    arena_release(&arena);
}

static void the_shapes_error_is_told_over_the_runs_that_have_n_total(void **state)
{
    struct obs obs[5];
    struct fit_result result = {.law = law_find("joint")};
    static const double real_over_shape[4] = {0.5, 1, 4, NAN};
    struct arena arena;
    struct fit_record record;
    const char *value;
    size_t length;
    double median, min, max, runs;

    (void)state;
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 4; i++) {
        double n_active = 1e8 * (i + 1);
        double d = shape_d_from_n_active(&shape_joint, n_active);

        obs[i] = (struct obs){.n_active = n_active,
                              .n_total = real_over_shape[i] * shape_n_total(&shape_joint, d, 8),
                              .tokens = 1e10,
                              .experts = 8};
    }
    obs[4] = obs[0]; /* and none whose ratio is beyond doubles */
    obs[4].n_total = 5e-324;
    record = record_of(written(&arena, &result, obs, 5));
    assert_true(fit_document_member(&record, "shape", &value, &length));
    value = strstr(value, "\"n_total_ratio\"");
    assert_int_equal(
        sscanf(value, "\"n_total_ratio\":{\"runs\":%lf,\"median\":%lf,\"min\":%lf,\"max\":%lf}",
               &runs, &median, &min, &max),
        4);
    assert_true(runs == 3);
    assert_near(median, 1, 1e-12);
    assert_near(min, 0.25, 1e-12);
    assert_near(max, 2, 1e-12);
    assert_true(fit_document_warning(&record, "shape_assumed", &value, &length));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_walked_in_order),
        cmocka_unit_test(numbers_are_read_and_others_are_none),
        cmocka_unit_test(warnings_are_found_by_their_code),
        cmocka_unit_test(a_record_without_a_document_has_no_members),
        cmocka_unit_test(a_document_holds_the_contracts_members_from_options_on),
        cmocka_unit_test(the_shapes_error_is_told_over_the_runs_that_have_n_total),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
