#include "core/rng.h"
#include "core/robust.h"
#include "tests/unit/check.h"

static const struct robust huber = {ROBUST_HUBER, 1e-3};
static const struct robust squared = {ROBUST_SQUARED, 0.0};

static void huber_is_the_contracts_formula(void **state)
{
    (void)state;
    assert_near(robust_loss(&huber, 5e-4), 0.5 * 25e-8, 1e-15);
    assert_near(robust_loss(&huber, -3e-3), 1e-3 * (3e-3 - 5e-4), 1e-15);
    assert_near(robust_loss(&huber, 1e-3), 5e-7, 1e-15);
    assert_true(robust_loss(&huber, 0.0) == 0.0);
}

static void squared_is_half_the_square_however_large(void **state)
{
    (void)state;
    assert_near(robust_loss(&squared, -3.0), 4.5, 1e-15);
    assert_near(robust_slope(&squared, -3.0), -3.0, 1e-15);
    assert_true(robust_weight(&squared, 1e6) == 1.0);
}

static void slope_is_the_derivative_of_loss(void **state)
{
    static const double at[] = {-2e-2, -1.5e-3, -4e-4, 3e-4, 9e-4, 2e-3, 1.0};
    const double h = 1e-8;

    (void)state;
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        double by_difference =
            (robust_loss(&huber, at[i] + h) - robust_loss(&huber, at[i] - h)) / (2 * h);

        assert_near(robust_slope(&huber, at[i]), by_difference, 1e-6);
    }
}

static void weight_times_residual_is_slope(void **state)
{
    (void)state;
    for (double r = -0.01; r < 0.01; r += 7e-4)
        assert_near(robust_weight(&huber, r) * r, robust_slope(&huber, r), 1e-15);
    assert_true(robust_weight(&huber, 0.0) == 1.0);
}

/* A location is estimated many times by the loss: its variance over that of the mean. */
static void spread_is_what_noise_costs_the_fit(void **state)
{
    enum { SAMPLES = 4000, RUNS = 60 };
    static const double noises[] = {4e-4, 1e-3, 5e-3};
    struct rng rng = rng_stream(5, 0);

    (void)state;
    for (size_t k = 0; k < sizeof noises / sizeof noises[0]; k++) {
        double square = 0, expected = robust_spread(&huber, noises[k]);

        for (size_t s = 0; s < SAMPLES; s++) {
            double r[RUNS], at = 0;

            for (size_t i = 0; i < RUNS; i++)
                r[i] = noises[k] * rng_normal(&rng);
            for (int step = 0; step < 60; step++) { /* iteratively reweighted mean */
                double sum = 0, weights = 0;

                for (size_t i = 0; i < RUNS; i++) {
                    double weight = robust_weight(&huber, r[i] - at);

                    sum += weight * r[i];
                    weights += weight;
                }
                at = sum / weights;
            }
            square += at * at;
        }
        assert_near(sqrt(square / SAMPLES * RUNS), expected, 0.05);
    }
    assert_near(robust_spread(&squared, 0.01), 0.01, 1e-15);
    assert_near(robust_spread(&huber, 1e-6), 1e-6, 1e-12);
    assert_near(robust_spread(&huber, 1e4), 1e4 * sqrt(acos(-1) / 2), 1e-6);
    assert_near(robust_spread(&huber, 9.9), 9.9 * sqrt(acos(-1) / 2), 1e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(huber_is_the_contracts_formula),
        cmocka_unit_test(squared_is_half_the_square_however_large),
        cmocka_unit_test(slope_is_the_derivative_of_loss),
        cmocka_unit_test(weight_times_residual_is_slope),
        cmocka_unit_test(spread_is_what_noise_costs_the_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
