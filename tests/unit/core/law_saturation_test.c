#include <float.h>

#include "core/law.h"
#include "core/rng.h"
#include "tests/unit/check.h"

static void a_dense_model_has_exactly_the_starting_experts(void **state)
{
    struct rng rng = rng_stream(28, 0);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        double start = 1 + 9 * rng_uniform(&rng), inverse = 0.05 * rng_uniform(&rng);
        double by_start, by_inverse;

        assert_true(law_ln_experts(1, start, inverse, &by_start, &by_inverse) == log(start));
        assert_near(by_start, 1 / start, DBL_EPSILON);
        assert_true(by_inverse == 0);
    }
}

static void experts_that_never_saturate_just_add(void **state)
{
    (void)state;
    for (double experts = 1; experts <= 1e6; experts *= 2)
        assert_near(law_ln_experts(experts, 2.0732, 0, NULL, NULL), log(experts - 1 + 2.0732),
                    4 * DBL_EPSILON);
}

/* J Eq. 6 as printed; it loses digits near 1/E_start = 1/E_max, so not there. */
static void experts_are_those_of_the_printed_formula(void **state)
{
    struct rng rng = rng_stream(29, 0);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        double start = 1 + 9 * rng_uniform(&rng), max = 20 + 1000 * rng_uniform(&rng);
        double experts = pow(2, 12 * rng_uniform(&rng));
        double printed = 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / max)) + 1 / max);

        assert_near(exp(law_ln_experts(experts, start, 1 / max, NULL, NULL)), printed, 1e-14);
    }
}

static void experts_saturate_at_their_limit(void **state)
{
    (void)state;
    assert_near(law_ln_experts(1e15, 2, 1.0 / 290, NULL, NULL), log(290), 1e-12);
    assert_true(law_ln_experts(64, 2, 1.0 / 290, NULL, NULL) >
                law_ln_experts(32, 2, 1.0 / 290, NULL, NULL));
    assert_near(law_ln_experts(64, 8, 1.0 / 8, NULL, NULL), log(8), 1e-15); /* nowhere to go */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dense_model_has_exactly_the_starting_experts),
        cmocka_unit_test(experts_that_never_saturate_just_add),
        cmocka_unit_test(experts_are_those_of_the_printed_formula),
        cmocka_unit_test(experts_saturate_at_their_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
