#include "tests/unit/check.h"
#include "tests/unit/core/published.h"

static void granularity_changes_nothing_at_one_or_when_dense(void **state)
{
    const struct preset *joint = preset_find("joint-2025");
    const struct preset *granular = preset_find("joint-granular-composed");

    (void)state;
    for (double experts = 1; experts <= 64; experts *= 2)
        assert_near(published_loss(granular, 1e9, 2e10, experts, 1),
                    published_loss(joint, 1e9, 2e10, experts, 1), 0);
    for (double granularity = 0.5; granularity <= 64; granularity *= 2)
        assert_near(published_loss(granular, 1e9, 2e10, 1, granularity),
                    published_loss(joint, 1e9, 2e10, 1, 1), 0);
    assert_true(published_loss(granular, 1e9, 2e10, 8, 8) < published_loss(joint, 1e9, 2e10, 8, 8));
}

/* K's factor (a + g·G^−γ)/(a + g), at both of its expansion rates. */
static void composed_granularity_is_that_of_its_source(void **state)
{
    static const double experts[] = {16, 64};
    const struct preset *sources[] = {preset_find("fine-grained-e16-2024"),
                                      preset_find("fine-grained-e64-2024")};
    const struct preset *composed = preset_find("joint-granular-composed");

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        double a = published_coefficient(sources[i], "a"),
               g = published_coefficient(sources[i], "g");
        double gamma = published_coefficient(sources[i], "gamma");
        struct law_slice coarse, fine;

        law_find("joint-granular")->slice(composed->coefficient, experts[i], 1, &coarse);
        for (double granularity = 1; granularity <= 32; granularity *= 2) {
            law_find("joint-granular")
                ->slice(composed->coefficient, experts[i], granularity, &fine);
            assert_near(fine.m[0] / coarse.m[0], (a + g * pow(granularity, -gamma)) / (a + g),
                        0.0042);
            assert_near(fine.n, coarse.n, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(granularity_changes_nothing_at_one_or_when_dense),
        cmocka_unit_test(composed_granularity_is_that_of_its_source),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
