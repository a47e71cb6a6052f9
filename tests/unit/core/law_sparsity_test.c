#include "tests/unit/check.h"
#include "tests/unit/core/published.h"

/* A's Eq. 6 by hand at S = 0.75, that is E = 4. */
static void sparsity_is_its_printed_formula(void **state)
{
    const double n = 4e9, d = 5e10, active_share = 0.25;
    double want = 16612.50 / pow(n, 0.5962) + 5455.67 / pow(d, 0.3954) +
                  0.4598 / pow(active_share, -0.1666) +
                  17.26 / (pow(active_share, 0.1603) * pow(n, 0.1595)) + 0.94;

    (void)state;
    assert_near(published_loss(preset_find("sparsity-2025"), n, d, 4, 1), want, 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sparsity_is_its_printed_formula),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
