#include "core/obs.h"

#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "tests/unit/check.h"

static const struct obs good = {
    .n_active = 1e9,
    .n_total = 7e9,
    .tokens = 2e10,
    .experts = 8,
    .granularity = 4,
    .loss = 2.5,
    .weight = 1,
    .train_flops = 1.2e20,
};

/* Remembers which fields were reported, in order: "tokens loss ". */
struct report {
    char fields[256];
};

static void remember(void *ctx, const char *field, const char *detail)
{
    struct report *report = ctx;
    size_t used = strlen(report->fields);

    assert_true(strlen(detail) > 10);
    snprintf(report->fields + used, sizeof report->fields - used, "%s ", field);
}

static void assert_check(const struct obs *obs, const char *fields)
{
    struct report report = {""};
    size_t spaces = 0;

    for (const char *c = fields; *c; c++)
        spaces += *c == ' ';
    assert_int_equal(obs_check(obs, remember, &report), spaces);
    assert_string_equal(report.fields, fields);
    assert_int_equal(obs_check(obs, NULL, NULL), spaces);
}

static void assert_suspect(const struct obs *obs, const char *fields)
{
    struct report report = {""};

    obs_suspect(obs, remember, &report);
    assert_string_equal(report.fields, fields);
}

static void a_sound_run_passes(void **state)
{
    struct obs obs = good;

    (void)state;
    assert_check(&obs, "");
    obs.n_total = NAN;
    obs.train_flops = NAN;
    obs.weight = 0;
    obs.experts = 1;
    obs.granularity = 0.5;
    assert_check(&obs, "");
    obs.n_total = obs.n_active;
    assert_check(&obs, "");
}

static void each_broken_rule_names_its_field(void **state)
{
    static const struct {
        size_t offset;
        const char *field;
        double lowest_good; /* accepted */
        double highest_bad; /* just below it, refused */
    } rules[] = {
        {offsetof(struct obs, n_active), "n_active ", 5e-324, 0},
        {offsetof(struct obs, tokens), "tokens ", 5e-324, 0},
        {offsetof(struct obs, experts), "experts ", 1, 1 - 1e-15},
        {offsetof(struct obs, granularity), "granularity ", 5e-324, 0},
        {offsetof(struct obs, loss), "loss ", 5e-324, 0},
        {offsetof(struct obs, weight), "weight ", 0, -5e-324},
        {offsetof(struct obs, train_flops), "train_flops ", 5e-324, 0},
        {offsetof(struct obs, n_total), "n_total ", 1e9, 1e9 - 1},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct obs obs = good;
        double *value = (double *)((char *)&obs + rules[i].offset);

        *value = rules[i].lowest_good;
        assert_check(&obs, "");
        *value = rules[i].highest_bad;
        assert_check(&obs, rules[i].field);
        *value = -1;
        assert_check(&obs, rules[i].field);
        *value = INFINITY;
        assert_check(&obs, rules[i].field);
        *value = -INFINITY;
        assert_check(&obs, rules[i].field);
    }
}

static void what_is_required_may_not_be_absent(void **state)
{
    struct obs obs = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};

    (void)state;
    assert_check(&obs, "n_active tokens experts granularity loss weight ");
}

static void every_broken_rule_is_reported_at_once(void **state)
{
    struct obs obs = {-1, 0, -1, 0, 0, -1, -1, 0};

    (void)state;
    assert_check(&obs, "n_active n_total tokens experts granularity loss weight train_flops ");
}

static void flops_are_those_given_or_six_per_parameter_and_token(void **state)
{
    struct obs obs = good;

    (void)state;
    assert_near(obs_flops(&obs), 1.2e20, 0);
    obs.train_flops = NAN;
    assert_near(obs_flops(&obs), 6 * 1e9 * 2e10, 1e-15);
}

static void slips_are_noticed(void **state)
{
    struct obs obs = good;

    (void)state;
    obs.train_flops = NAN;
    assert_suspect(&obs, "");
    obs.tokens = 20;
    assert_suspect(&obs, "tokens ");
    obs.tokens = 1e22;
    assert_suspect(&obs, "tokens ");
    obs = good;
    obs.train_flops = NAN;
    obs.n_active = 7;
    assert_suspect(&obs, "n_active ");
    obs.n_active = 1e18;
    assert_suspect(&obs, "n_active ");
    obs = good;
    obs.loss = 20.001;
    assert_suspect(&obs, "loss ");
    obs = good;
    obs.train_flops = 1.2e5; /* petaFLOPs */
    assert_suspect(&obs, "train_flops ");
}

static void small_and_large_real_runs_are_not(void **state)
{
    struct obs obs = {1e6, 1e6, 1e8, 1, 1, 7.5, 1, NAN};

    (void)state;
    assert_suspect(&obs, "");
    obs = (struct obs){1e12, 2e13, 1e14, 512, 64, 1.2, 1, NAN};
    assert_suspect(&obs, "");
    obs = good;
    obs.loss = 20;
    obs.train_flops = 2.5 * 6 * obs.n_active * obs.tokens; /* attention counted, recomputation */
    assert_suspect(&obs, "");
}

static void slips_are_allowed(void **state)
{
    struct obs obs = good;

    (void)state;
    obs.tokens = 20;
    obs.n_active = 7;
    obs.loss = 21;
    assert_check(&obs, "");
}

static void the_order_is_that_of_contents_whatever_it_was(void **state)
{
    enum { RUNS = 60 };
    struct obs runs[RUNS], shuffled[RUNS];
    struct rng rng = rng_stream(9, 0);

    (void)state;
    memset(runs, 0, sizeof runs);
    for (size_t i = 0; i < RUNS; i++) { /* few values, so that every key decides somewhere */
        double *value = (double *)&runs[i];

        for (size_t k = 0; k < sizeof runs[i] / sizeof *value; k++)
            value[k] = 1 + (double)rng_below(&rng, 2);
        if (rng_below(&rng, 2))
            runs[i].n_total = NAN;
        if (rng_below(&rng, 2))
            runs[i].train_flops = NAN;
    }
    memcpy(shuffled, runs, sizeof runs);
    for (size_t i = RUNS - 1; i > 0; i--) {
        size_t j = rng_below(&rng, i + 1);
        struct obs swapped = shuffled[i];

        shuffled[i] = shuffled[j];
        shuffled[j] = swapped;
    }
    qsort(runs, RUNS, sizeof runs[0], obs_compare);
    qsort(shuffled, RUNS, sizeof runs[0], obs_compare);
    assert_memory_equal(runs, shuffled, sizeof runs);
    for (size_t i = 1; i < RUNS; i++) {
        assert_true(obs_compare(&runs[i - 1], &runs[i]) <= 0);
        assert_true(obs_compare(&runs[i], &runs[i - 1]) >= 0);
    }
}

static void absent_numbers_come_last(void **state)
{
    struct obs with = good, without = good;

    (void)state;
    without.n_total = NAN;
    assert_true(obs_compare(&with, &without) < 0);
    assert_true(obs_compare(&without, &with) > 0);
    assert_int_equal(obs_compare(&without, &without), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_run_passes),
        cmocka_unit_test(each_broken_rule_names_its_field),
        cmocka_unit_test(what_is_required_may_not_be_absent),
        cmocka_unit_test(every_broken_rule_is_reported_at_once),
        cmocka_unit_test(flops_are_those_given_or_six_per_parameter_and_token),
        cmocka_unit_test(slips_are_noticed),
        cmocka_unit_test(small_and_large_real_runs_are_not),
        cmocka_unit_test(slips_are_allowed),
        cmocka_unit_test(the_order_is_that_of_contents_whatever_it_was),
        cmocka_unit_test(absent_numbers_come_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
