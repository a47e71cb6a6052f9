/* Every allocation of a fit may fail: each time a clean error, nothing leaked, nothing returned. */
#include <gsl/gsl_errno.h>

#include "tests/fault/alloc.c"
#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

static void every_failing_allocation_is_a_clean_error(void **state)
{
    struct fit_options options = fit_options_default(law_find("joint"));
    struct fit_outcome whole;
    size_t number;

    (void)state;
    if (!ALLOC_CAN_FAIL)
        skip();
    options.starts = 4;
    options.bootstrap = 3;
    fit_case_design(&runs, 60, 1);
    fit_case_losses(&runs, options.law, preset_for_law("joint")->coefficient, 0.005, 1);
    fit_case_run(&options, &runs, &whole);
    for (number = 1; number < 10000; number++) {
        struct fit_outcome got;

        memset(&got, 0x55, sizeof got.result);
        alloc_fail_at(number);
        fit_case_run(&options, &runs, &got);
        alloc_never_fail();
        if (!alloc_failed()) {
            assert_int_equal(got.code, ERR_OK);
            fit_case_release(&got);
            break;
        }
        if (got.code == ERR_OK) /* qsort does without */
            assert_memory_equal(&got.result, &whole.result, offsetof(struct fit_result, draws));
        else
            assert_int_equal(got.code, ERR_NO_MEMORY);
        fit_case_release(&got);
    }
    fit_case_release(&whole);
    assert_true(number > 3 && number < 10000);
}

static void the_limit_of_memory_holds_and_is_enough_where_it_is_kept(void **state)
{
    struct fit_options options = fit_options_default(law_find("chinchilla"));
    struct fit_outcome whole, got;

    (void)state;
    fit_case_design(&runs, 2000, 1);
    fit_case_losses(&runs, options.law, preset_for_law("chinchilla")->coefficient, 0.005, 1);
    options.bootstrap = 3;
    options.holdout_kind = FIT_HOLDOUT_FRACTION;
    options.holdout = 0.1;
    fit_case_run(&options, &runs, &whole);
    assert_int_equal(whole.code, ERR_OK);
    options.memory = 2000 * 1000;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_OK);
    assert_true(got.result.objective == whole.result.objective);
    fit_case_release(&got);
    options.memory = 2000 * 50;
    fit_case_run(&options, &runs, &got);
    assert_int_equal(got.code, ERR_NO_MEMORY);
    fit_case_release(&got);
    fit_case_release(&whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failing_allocation_is_a_clean_error),
        cmocka_unit_test(the_limit_of_memory_holds_and_is_enough_where_it_is_kept),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
