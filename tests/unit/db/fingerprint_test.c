#include "tests/unit/check.h"

#include <string.h>

#include "db/values.h"

static const struct tag tags[] = {{"a", "1"}, {"b", "2"}}, other_tags[] = {{"a", "1"}, {"b", "3"}};

static struct experiment full_run(void)
{
    return (struct experiment){
        .name = "n",
        .obs = {.n_active = 1e9,
                .n_total = 8e9,
                .tokens = 2e10,
                .experts = 8,
                .granularity = 2,
                .loss = 2.5,
                .weight = 1,
                .train_flops = (double)NAN},
        .loss_stderr = (double)NAN,
        .final = true,
        .n_tags = 2,
        .tags = tags,
        .present = EXPERIMENT_NAME | EXPERIMENT_TAGS,
    };
}

static bool same_name(const struct experiment *a, const struct experiment *b)
{
    char names[2][EXPERIMENT_DEFAULT_NAME_BYTES];

    experiment_default_name(a, names[0]);
    experiment_default_name(b, names[1]);
    return strcmp(names[0], names[1]) == 0;
}

static void a_default_name_is_run_and_sixteen_digits(void **state)
{
    struct experiment run = full_run();
    char name[EXPERIMENT_DEFAULT_NAME_BYTES];

    (void)state;
    experiment_default_name(&run, name);
    assert_int_equal(strlen(name), 20);
    assert_memory_equal(name, "run-", 4);
    assert_int_equal(strspn(name + 4, "0123456789abcdef"), 16);
}

static void each_part_of_the_content_makes_another_name(void **state)
{
    struct experiment run = full_run(), other[16];

    (void)state;
    for (size_t i = 0; i < 16; i++)
        other[i] = run;
    other[0].obs.n_active++;
    other[1].obs.n_total = NAN;
    other[2].obs.tokens++;
    other[3].obs.experts = 4;
    other[4].obs.granularity = 1;
    other[5].obs.loss = nextafter(2.5, 3);
    other[6].obs.weight = 0;
    other[7].obs.train_flops = 1e20;
    other[8].loss_stderr = 0;
    other[9].present |= EXPERIMENT_SEED;
    other[10].present |= EXPERIMENT_STEP;
    other[11].final = false;
    other[12].url = "";
    other[13].n_tags = 1;
    other[14].tags = other_tags;
    other[15].n_tags = 0;
    for (size_t i = 0; i < 16; i++)
        for (size_t k = 0; k < i; k++) {
            assert_false(same_name(&other[i], &run));
            assert_false(same_name(&other[i], &other[k]));
        }
}

static void what_people_decide_later_does_not(void **state)
{
    struct experiment run = full_run(), other = run;

    (void)state;
    other.id = 7;
    other.name = "m";
    other.study = "s";
    other.excluded = true;
    other.excluded_reason = "r";
    other.recorded_at_us = 9;
    other.present |= EXPERIMENT_EXCLUDED | EXPERIMENT_EXCLUDED_REASON | EXPERIMENT_RECORDED_AT;
    assert_true(same_name(&run, &other));
}

static void a_default_spelled_out_makes_no_other_name(void **state)
{
    struct experiment run = full_run(), other = run;

    (void)state;
    other.present |= EXPERIMENT_WEIGHT | EXPERIMENT_FINAL | EXPERIMENT_EXPERTS;
    assert_true(same_name(&run, &other));
}

static void a_fingerprint_is_of_the_numbers_in_order(void **state)
{
    struct obs obs[] = {full_run().obs, full_run().obs}, swapped[2];
    char a[65], b[65];

    (void)state;
    obs[1].loss = 2;
    swapped[0] = obs[1];
    swapped[1] = obs[0];
    obs_fingerprint(obs, 2, a);
    obs_fingerprint(obs, 2, b);
    assert_string_equal(a, b);
    assert_int_equal(strspn(a, "0123456789abcdef"), 64);
    obs_fingerprint(swapped, 2, b);
    assert_string_not_equal(a, b);
    obs_fingerprint(obs, 1, b);
    assert_string_not_equal(a, b);
    obs[1].train_flops = 1;
    obs_fingerprint(obs, 2, b);
    assert_string_not_equal(a, b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_default_name_is_run_and_sixteen_digits),
        cmocka_unit_test(each_part_of_the_content_makes_another_name),
        cmocka_unit_test(what_people_decide_later_does_not),
        cmocka_unit_test(a_default_spelled_out_makes_no_other_name),
        cmocka_unit_test(a_fingerprint_is_of_the_numbers_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
