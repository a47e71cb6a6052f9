#include "core/rng.h"

#include "tests/unit/check.h"

/* The first outputs of splitmix64 from state 1234567, as its author's code prints them. */
static void next_is_splitmix64(void **state)
{
    static const uint64_t published[] = {6457827717110365317u, 3203168211198807973u,
                                         9817491932198370423u, 4593380528125082431u,
                                         16408922859458223821u};
    struct rng rng = {1234567};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        assert_true(rng_next(&rng) == published[i]);
}

static void the_same_seed_and_stream_repeat(void **state)
{
    struct rng a = rng_stream(42, 7), b = rng_stream(42, 7);

    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(rng_next(&a) == rng_next(&b));
}

/* Bits of neighbouring streams agree half of the time: 64 000 bits, standard deviation 126. */
static void neighbouring_seeds_and_streams_are_unlike(void **state)
{
    static const uint64_t pairs[][4] = {{0, 0, 0, 1}, {0, 0, 1, 0}, {5, 6, 6, 5},
                                        {1, 2, 2, 1}, {0, 1, 1, 0}, {7, 0, 7, UINT64_MAX}};

    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        struct rng a = rng_stream(pairs[i][0], pairs[i][1]);
        struct rng b = rng_stream(pairs[i][2], pairs[i][3]);
        int equal = 0;

        for (int k = 0; k < 1000; k++)
            equal += 64 - __builtin_popcountll(rng_next(&a) ^ rng_next(&b));
        assert_in_range(equal, 32000 - 700, 32000 + 700);
    }
}

static void uniform_lies_in_the_half_open_interval_and_is_even(void **state)
{
    enum { DRAWS = 200000, CELLS = 100 };
    static int cell[CELLS];
    struct rng rng = rng_stream(3, 0);
    double chi_squared = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        double u = rng_uniform(&rng);

        assert_true(u >= 0 && u < 1);
        cell[(int)(u * CELLS)]++;
    }
    for (int i = 0; i < CELLS; i++) {
        double excess = cell[i] - DRAWS / CELLS;

        chi_squared += excess * excess / (DRAWS / CELLS);
    }
    assert_true(chi_squared < 99 + 5 * sqrt(2 * 99)); /* mean 99, variance 2·99 */
}

static void below_stays_below_and_is_even(void **state)
{
    enum { DRAWS = 60000 };
    struct rng rng = rng_stream(4, 0);
    int count[6] = {0};

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        uint64_t drawn = rng_below(&rng, 6);

        assert_true(drawn < 6);
        count[drawn]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(count[i], DRAWS / 6 - 460, DRAWS / 6 + 460); /* five deviations of 91 */
    for (int i = 0; i < 10; i++)
        assert_true(rng_below(&rng, 1) == 0);
}

/* With limit 3·2^62 a plain remainder would give the lowest third of values half of the time. */
static void below_is_even_where_a_remainder_would_not_be(void **state)
{
    enum { DRAWS = 30000 };
    struct rng rng = rng_stream(5, 0);
    const uint64_t third = (uint64_t)1 << 62;
    int lowest = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        lowest += rng_below(&rng, 3 * third) < third;
    assert_in_range(lowest, DRAWS / 3 - 410, DRAWS / 3 + 410); /* five deviations of 82 */
}

static void normal_has_the_moments_and_tails_of_a_standard_normal(void **state)
{
    enum { DRAWS = 400000 };
    struct rng rng = rng_stream(6, 0);
    double sum = 0, squares = 0, fourths = 0;
    int beyond_2 = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        double z = rng_normal(&rng);

        assert_true(isfinite(z));
        sum += z;
        squares += z * z;
        fourths += z * z * z * z;
        beyond_2 += fabs(z) > 2;
    }
    /* Five standard errors each: of the mean 1/√n, of z² √(2/n), of z⁴ √(96/n), of the share. */
    assert_true(fabs(sum / DRAWS) < 5 / sqrt(DRAWS));
    assert_true(fabs(squares / DRAWS - 1) < 5 * sqrt(2.0 / DRAWS));
    assert_true(fabs(fourths / DRAWS - 3) < 5 * sqrt(96.0 / DRAWS));
    assert_true(fabs((double)beyond_2 / DRAWS - 0.0455003) < 5 * sqrt(0.0455 / DRAWS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(next_is_splitmix64),
        cmocka_unit_test(the_same_seed_and_stream_repeat),
        cmocka_unit_test(neighbouring_seeds_and_streams_are_unlike),
        cmocka_unit_test(uniform_lies_in_the_half_open_interval_and_is_even),
        cmocka_unit_test(below_stays_below_and_is_even),
        cmocka_unit_test(below_is_even_where_a_remainder_would_not_be),
        cmocka_unit_test(normal_has_the_moments_and_tails_of_a_standard_normal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
