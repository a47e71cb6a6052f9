#include "core/plan_search.h"

#include "tests/unit/check.h"

static size_t calls;

static double parabola(const void *ctx, double x)
{
    double at = *(const double *)ctx;

    calls++;
    return (x - at) * (x - at) - 1;
}

static double kink(const void *ctx, double x)
{
    return fabs(x - *(const double *)ctx) + (x > *(const double *)ctx ? 2 * (x - 3) : 0);
}

/* Two valleys, the deeper one the narrower. */
static double two_valleys(const void *ctx, double x)
{
    (void)ctx;
    return fmin((x - 2) * (x - 2), 10 * (x - 8) * (x - 8) - 0.5);
}

static double only_above(const void *ctx, double x)
{
    return x < *(const double *)ctx ? INFINITY : x;
}

static double good_from(const void *ctx, double x)
{
    return x < *(const double *)ctx ? INFINITY : -1;
}

static double nowhere(const void *ctx, double x)
{
    (void)ctx;
    (void)x;
    return INFINITY;
}

static void smooth_minima_are_found_within_the_interval(void **state)
{
    const double at = 4.321;
    double x;

    (void)state;
    calls = 0;
    assert_near(plan_search_least(parabola, &at, 1, 10, &x), -1, 1e-15);
    assert_near(x, at, 1e-8);
    assert_true(calls < 1000);
}

static void minima_at_the_ends_are_found(void **state)
{
    const double left = -3, right = 42;
    double x;

    (void)state;
    plan_search_least(parabola, &left, 1, 10, &x);
    assert_near(x, 1, 0);
    plan_search_least(parabola, &right, 1, 10, &x);
    assert_near(x, 10, 1e-14);
}

static void kinks_are_found_to_rounding(void **state)
{
    const double at = 3.14159;
    double x;

    (void)state;
    plan_search_least(kink, &at, 1, 10, &x);
    assert_near(x, at, 1e-14);
}

static void the_deepest_of_several_valleys_wins(void **state)
{
    double x;

    (void)state;
    assert_near(plan_search_least(two_valleys, NULL, 0, 10, &x), -0.5, 1e-12);
    assert_near(x, 8, 1e-7);
}

static void the_border_of_the_possible_is_found_to_rounding(void **state)
{
    const double border = 5.5555;
    double x;

    (void)state;
    plan_search_least(only_above, &border, 1, 10, &x);
    assert_near(x, border, 1e-14);
    assert_true(x >= border);
}

static void nothing_possible_is_infinite(void **state)
{
    double x;

    (void)state;
    assert_true(plan_search_least(nowhere, NULL, 1, 10, &x) == INFINITY);
}

static void an_empty_interval_is_its_one_point(void **state)
{
    const double at = 5;
    double x;

    (void)state;
    assert_near(plan_search_least(parabola, &at, 4, 4, &x), 0, 0);
    assert_near(x, 4, 0);
}

static void roots_are_found_from_the_inside(void **state)
{
    const double at = 4;
    double x;

    (void)state;
    calls = 0;
    x = plan_search_root(parabola, &at, 4, -1, 9, 24);
    assert_near(x, 5, 1e-14);
    assert_true(parabola(&at, x) <= 0);
    x = plan_search_root(parabola, &at, 4, -1, -7, 120);
    assert_near(x, 3, 1e-14);
    assert_true(calls < 200);
}

static void a_root_next_to_the_infinite_is_found(void **state)
{
    const double border = 5.5;
    double x = plan_search_root(good_from, &border, 7, -1, 5, INFINITY);

    (void)state;
    assert_near(x, border, 1e-14);
    assert_true(x >= border);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_minima_are_found_within_the_interval),
        cmocka_unit_test(minima_at_the_ends_are_found),
        cmocka_unit_test(kinks_are_found_to_rounding),
        cmocka_unit_test(the_deepest_of_several_valleys_wins),
        cmocka_unit_test(the_border_of_the_possible_is_found_to_rounding),
        cmocka_unit_test(nothing_possible_is_infinite),
        cmocka_unit_test(an_empty_interval_is_its_one_point),
        cmocka_unit_test(roots_are_found_from_the_inside),
        cmocka_unit_test(a_root_next_to_the_infinite_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
