#include "tests/unit/check.h"
#include "tests/unit/core/published.h"

/* H: N = G·(C/6)^(β/(α+β)), G = (αA/(βB))^(1/(α+β)) is the least loss along the budget. */
static void chinchilla_is_least_at_its_closed_form(void **state)
{
    static const char *const ids[] = {"chinchilla-2022", "chinchilla-2024"};
    static const double share[] = {0.457, 0.513}; /* of the budget's exponent that goes to N */

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct preset *preset = preset_find(ids[i]);
        double alpha = published_coefficient(preset, "alpha"),
               beta = published_coefficient(preset, "beta");
        double ratio = alpha * published_coefficient(preset, "A") /
                       (beta * published_coefficient(preset, "B"));
        double compute = 5.76e23;
        double n = pow(ratio, 1 / (alpha + beta)) * pow(compute / 6, beta / (alpha + beta));
        double least = published_loss(preset, n, compute / 6 / n, 1, 1);

        assert_near(beta / (alpha + beta), share[i], 0.5e-3 / share[i]);
        for (double step = 1e-3; step < 3; step *= 2) {
            assert_true(published_loss(preset, n * exp(step), compute / 6 / n * exp(-step), 1, 1) >
                        least);
            assert_true(published_loss(preset, n * exp(-step), compute / 6 / n * exp(step), 1, 1) >
                        least);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chinchilla_is_least_at_its_closed_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
