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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_failing_allocation_is_a_clean_error),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
