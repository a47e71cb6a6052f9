#include "tests/unit/check.h"

#include <string.h>

#include "db/filter.h"

static const struct tag tags[] = {{"router", "S-Base"}, {"team", "a"}};

/* A run in which every filterable field has a value. */
static struct experiment full_run(void)
{
    return (struct experiment){
        .id = 12,
        .study = "default",
        .name = "n",
        .obs = {.n_active = 1e9,
                .n_total = 8e9,
                .tokens = 2e10,
                .experts = 8,
                .granularity = 2,
                .loss = 2.5,
                .weight = 0.5,
                .train_flops = 1e20},
        .loss_stderr = 0.01,
        .seed = 3,
        .step = 1000,
        .final = true,
        .excluded = true,
        .url = "u",
        .excluded_reason = "r",
        .recorded_at_us = 1700000000000000,
        .n_tags = 2,
        .tags = tags,
        .present = ~0u,
    };
}

static int field_named(const char *name)
{
    for (size_t i = 0; i < filter_field_count(); i++)
        if (strcmp(filter_field_at(i)->name, name) == 0)
            return (int)i;
    fail_msg("no field %s", name);
    return -1;
}

static bool matches(struct filter_term term, const struct experiment *run)
{
    const struct filter filter = {.n_terms = 1, .terms = {term}};

    return filter_match(&filter, run);
}

static bool number_matches(const char *field, int op, double value, const struct experiment *run)
{
    struct filter_term term = {.field = field_named(field), .n_values = 1, .numbers = &value};

    term.op = op;
    return matches(term, run);
}

static bool text_matches(int field, const char *tag, const char *value,
                         const struct experiment *run)
{
    return matches(
        (struct filter_term){
            .field = field, .tag = tag, .op = FILTER_ONE_OF, .n_values = 1, .texts = &value},
        run);
}

/* What full_run holds, told apart from how the filter reads it. */
static const struct {
    const char *name;
    double value;
} numbers[] = {
    {"id", 12},
    {"n_active", 1e9},
    {"n_total", 8e9},
    {"tokens", 2e10},
    {"experts", 8},
    {"loss", 2.5},
    {"granularity", 2},
    {"train_flops", 1e20},
    {"weight", 0.5},
    {"seed", 3},
    {"loss_stderr", 0.01},
    {"step", 1000},
    {"recorded_at", 1700000000000000.0},
};
static const struct {
    const char *name, *value;
} texts[] = {{"name", "n"}, {"url", "u"}, {"excluded_reason", "r"}};
static const char *const bools[] = {"final", "excluded"};

enum {
    NUMBERS = sizeof numbers / sizeof numbers[0],
    TEXTS = sizeof texts / sizeof texts[0],
    BOOLS = sizeof bools / sizeof bools[0],
};

static void every_field_has_a_kind_and_a_case_here(void **state)
{
    (void)state;
    assert_int_equal(filter_field_count(), NUMBERS + TEXTS + BOOLS);
    for (size_t i = 0; i < NUMBERS; i++) {
        const char *name = numbers[i].name;
        bool time = strcmp(name, "recorded_at") == 0;
        bool whole =
            strcmp(name, "id") == 0 || strcmp(name, "seed") == 0 || strcmp(name, "step") == 0;

        assert_int_equal(filter_field_at((size_t)field_named(name))->kind, time    ? FILTER_TIME
                                                                           : whole ? FILTER_INTEGER
                                                                                   : FILTER_NUMBER);
    }
    for (size_t i = 0; i < TEXTS; i++)
        assert_int_equal(filter_field_at((size_t)field_named(texts[i].name))->kind, FILTER_TEXT);
    for (size_t i = 0; i < BOOLS; i++)
        assert_int_equal(filter_field_at((size_t)field_named(bools[i]))->kind, FILTER_BOOL);
    assert_null(filter_field_at(filter_field_count()));
}

static void each_number_matches_its_value_and_no_other(void **state)
{
    struct experiment run = full_run();

    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        assert_true(number_matches(numbers[i].name, FILTER_ONE_OF, numbers[i].value, &run));
        assert_false(number_matches(numbers[i].name, FILTER_ONE_OF,
                                    nextafter(numbers[i].value, INFINITY), &run));
    }
}

static void ranges_are_inclusive(void **state)
{
    struct experiment run = full_run();

    (void)state;
    for (size_t i = 0; i < NUMBERS; i++) {
        double value = numbers[i].value;

        assert_true(number_matches(numbers[i].name, FILTER_MIN, value, &run));
        assert_true(number_matches(numbers[i].name, FILTER_MAX, value, &run));
        assert_false(number_matches(numbers[i].name, FILTER_MIN, nextafter(value, INFINITY), &run));
        assert_false(
            number_matches(numbers[i].name, FILTER_MAX, nextafter(value, -INFINITY), &run));
    }
}

static void each_text_matches_its_value_and_no_other(void **state)
{
    struct experiment run = full_run();

    (void)state;
    for (size_t i = 0; i < TEXTS; i++) {
        assert_true(text_matches(field_named(texts[i].name), NULL, texts[i].value, &run));
        assert_false(text_matches(field_named(texts[i].name), NULL, "N", &run));
        assert_false(text_matches(field_named(texts[i].name), NULL, "", &run));
    }
}

static void bools_match_as_zero_and_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < BOOLS; i++) {
        struct experiment run = full_run();

        assert_true(number_matches(bools[i], FILTER_ONE_OF, 1, &run));
        assert_false(number_matches(bools[i], FILTER_ONE_OF, 0, &run));
        run.final = run.excluded = false;
        assert_true(number_matches(bools[i], FILTER_ONE_OF, 0, &run));
        assert_false(number_matches(bools[i], FILTER_ONE_OF, 1, &run));
    }
}

static void absent_values_satisfy_nothing(void **state)
{
    static const char *const optional[] = {"n_total", "train_flops", "loss_stderr", "seed", "step"};
    struct experiment run = full_run();

    (void)state;
    run.obs.n_total = run.obs.train_flops = run.loss_stderr = NAN;
    run.present = 0;
    run.url = run.excluded_reason = NULL;
    for (size_t i = 0; i < sizeof optional / sizeof optional[0]; i++) {
        assert_false(number_matches(optional[i], FILTER_MIN, -INFINITY, &run));
        assert_false(number_matches(optional[i], FILTER_MAX, INFINITY, &run));
        assert_false(number_matches(optional[i], FILTER_ONE_OF, 3, &run));
    }
    assert_false(text_matches(field_named("url"), NULL, "", &run));
    assert_false(text_matches(field_named("excluded_reason"), NULL, "", &run));
    assert_false(text_matches(-1, "lr", "", &run));
}

static void tags_match_by_name_and_value(void **state)
{
    struct experiment run = full_run();

    (void)state;
    assert_true(text_matches(-1, "router", "S-Base", &run));
    assert_true(text_matches(-1, "team", "a", &run));
    assert_false(text_matches(-1, "router", "a", &run));
    assert_false(text_matches(-1, "Router", "S-Base", &run));
    run.n_tags = 0;
    assert_false(text_matches(-1, "router", "S-Base", &run));
}

static void any_of_several_values_will_do(void **state)
{
    static const double wanted[] = {1, 2, 8};
    static const char *const routers[] = {"Dense", "S-Base"};
    struct experiment run = full_run();
    struct filter_term number = {
        .field = field_named("experts"), .op = FILTER_ONE_OF, .n_values = 3, .numbers = wanted};
    struct filter_term tag = {
        .field = -1, .tag = "router", .op = FILTER_ONE_OF, .n_values = 2, .texts = routers};

    (void)state;
    assert_true(matches(number, &run));
    assert_true(matches(tag, &run));
    number.n_values = 2;
    tag.n_values = 1;
    assert_false(matches(number, &run));
    assert_false(matches(tag, &run));
}

static void all_terms_must_hold(void **state)
{
    static const double two = 2, three = 3;
    static const char *const router = "S-Base";
    struct experiment run = full_run();
    struct filter filter = {
        .n_terms = 2,
        .terms = {
            {.field = -1, .tag = "router", .op = FILTER_ONE_OF, .n_values = 1, .texts = &router},
            {.field = field_named("loss"), .op = FILTER_MIN, .n_values = 1, .numbers = &two}}};

    (void)state;
    assert_true(filter_match(&filter, &run));
    filter.terms[1].numbers = &three;
    assert_false(filter_match(&filter, &run));
}

static void no_terms_match_every_run(void **state)
{
    struct experiment run = full_run();

    (void)state;
    assert_true(filter_match(&(struct filter){0}, &run));
    assert_true(filter_match(NULL, &run));
}

static void a_filter_knows_which_fields_it_names(void **state)
{
    static const double one = 1;
    const struct filter filter = {
        .n_terms = 2,
        .terms = {{.field = field_named("final"), .n_values = 1, .numbers = &one},
                  {.field = -1, .tag = "weight"}}};

    (void)state;
    assert_true(filter_names(&filter, "final"));
    assert_false(filter_names(&filter, "excluded"));
    assert_false(filter_names(&filter, "weight")); /* a tag of that name is another thing */
    assert_false(filter_names(NULL, "final"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_has_a_kind_and_a_case_here),
        cmocka_unit_test(each_number_matches_its_value_and_no_other),
        cmocka_unit_test(ranges_are_inclusive),
        cmocka_unit_test(each_text_matches_its_value_and_no_other),
        cmocka_unit_test(bools_match_as_zero_and_one),
        cmocka_unit_test(absent_values_satisfy_nothing),
        cmocka_unit_test(tags_match_by_name_and_value),
        cmocka_unit_test(any_of_several_values_will_do),
        cmocka_unit_test(all_terms_must_hold),
        cmocka_unit_test(no_terms_match_every_run),
        cmocka_unit_test(a_filter_knows_which_fields_it_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
