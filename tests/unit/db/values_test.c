#include "tests/unit/check.h"

#include "db/values.h"

static void choices_have_the_contracts_names(void **state)
{
    (void)state;
    assert_string_equal(loss_unit_name(LOSS_NATS_PER_TOKEN), "nats_per_token");
    assert_string_equal(loss_unit_name(LOSS_BITS_PER_BYTE), "bits_per_byte");
    assert_string_equal(parameter_convention_name(PARAMETERS_WITH_EMBEDDING), "with_embedding");
    assert_string_equal(parameter_convention_name(PARAMETERS_NON_EMBEDDING), "non_embedding");
    assert_string_equal(fit_status_name(FIT_RUNNING), "running");
    assert_string_equal(fit_status_name(FIT_FINISHED), "finished");
    assert_string_equal(fit_status_name(FIT_FAILED), "failed");
    assert_string_equal(fit_status_name(FIT_CANCELLED), "cancelled");
    assert_string_equal(fit_status_name(FIT_INTERRUPTED), "interrupted");
}

static void there_is_no_name_past_the_last(void **state)
{
    (void)state;
    assert_null(loss_unit_name((enum loss_unit)(LOSS_BITS_PER_BYTE + 1)));
    assert_null(
        parameter_convention_name((enum parameter_convention)(PARAMETERS_NON_EMBEDDING + 1)));
    assert_null(fit_status_name((enum fit_status)(FIT_INTERRUPTED + 1)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(choices_have_the_contracts_names),
        cmocka_unit_test(there_is_no_name_past_the_last),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
