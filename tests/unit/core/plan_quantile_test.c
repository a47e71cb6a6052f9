/* The few values that may be a quantile, against all of them sorted. */
#include "core/plan_quantile.h"

#include <math.h>
#include <stdlib.h>

#include "core/near.h"
#include "core/rng.h"
#include "tests/unit/check.h"

enum { MOST = 30000 };

static const double levels[] = {0, 0.02, 0.5, 0.9, 0.98, 0.999};

/* How values may lie; all > 0. */
static double normal(struct rng *rng)
{
    return 3 + 0.01 * rng_normal(rng);
}

static double narrow(struct rng *rng)
{
    return 3 + 1e-5 * rng_normal(rng);
}

static double long_above(struct rng *rng)
{
    return 2 + exp(rng_normal(rng));
}

static double long_below(struct rng *rng)
{
    return 3 - 2.9 * exp(-3 * rng_uniform(rng) - fabs(rng_normal(rng)));
}

static double one_far_off(struct rng *rng)
{
    return rng_below(rng, 200) == 0 ? 1e6 : 3 + 0.1 * rng_normal(rng);
}

static double two_heaps(struct rng *rng)
{
    return (rng_below(rng, 2) == 0 ? 1 : 2) + 1e-3 * rng_normal(rng);
}

static double ties(struct rng *rng)
{
    return 1 + (double)rng_below(rng, 40) / 10;
}

static double (*const ways[])(struct rng *) = {normal,      narrow,    long_above, long_below,
                                               one_far_off, two_heaps, ties};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Of what is exact, the places found hold the k-th and the next where `under` says. */
static void check_places(const double *exact, const double *sorted, size_t count,
                         const struct plan_quantile *q)
{
    double found[PLAN_QUANTILE_MANY];

    assert_in_range(q->n, 1, PLAN_QUANTILE_MANY);
    assert_true(q->under <= q->k && q->k < q->under + q->n);
    for (size_t i = 0; i < q->n; i++) {
        assert_true(q->place[i] < count);
        found[i] = exact[q->place[i]];
    }
    qsort(found, q->n, sizeof *found, by_value);
    assert_true(found[q->k - q->under] == sorted[q->k]);
    if (q->k + 1 < count) {
        assert_true(q->k + 1 < q->under + q->n);
        assert_true(found[q->k + 1 - q->under] == sorted[q->k + 1]);
    }
}

/* Whether there was an answer, which is then right. */
static bool check(double (*way)(struct rng *), size_t count, double level, double error)
{
    static double exact[MOST], sorted[MOST];
    static float value[MOST + NEAR_LANES];
    struct rng rng = rng_stream(5, count);
    struct plan_quantile q[2] = {plan_quantile_at((1 - level) / 2, count),
                                 plan_quantile_at((1 + level) / 2, count)};
    uint8_t *room = malloc(plan_quantile_room(count));
    bool found;

    assert_non_null(room);
    for (size_t i = 0; i < count; i++) {
        sorted[i] = exact[i] = way(&rng);
        value[i] = (float)(exact[i] * (1 + error * (2 * rng_uniform(&rng) - 1)));
    }
    for (size_t i = count; i < count + NEAR_LANES; i++)
        value[i] = INFINITY;
    qsort(sorted, count, sizeof *sorted, by_value);
    found = plan_quantile_find(value, count, error + 0x1p-24, room, q);
    for (int i = 0; i < 2 && found; i++)
        check_places(exact, sorted, count, &q[i]);
    free(room);
    return found;
}

static void places_hold_the_quantiles_of_all_values_sorted(void **state)
{
    static const size_t counts[] = {17, 129, 256, 257, 513, 1000, 1024, 1025, 9000, MOST};

    (void)state;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
                check(ways[w], counts[c], levels[l], 0);
                check(ways[w], counts[c], levels[l], 1e-5);
                check(ways[w], counts[c], levels[l], 1e-3);
            }
}

/* What draws are like, and what would be told from far more than FEW by nobody. */
static void there_is_an_answer_where_values_are_told_apart(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof levels / sizeof *levels; l++) {
        assert_true(check(normal, 1000, levels[l], 1e-5));
        assert_true(check(narrow, 1000, levels[l], 0));
        assert_true(check(long_above, 1000, levels[l], 1e-5));
        assert_true(check(one_far_off, 1000, levels[l], 1e-5));
        assert_true(check(normal, 9000, levels[l], 1e-6));
    }
    assert_false(check(narrow, 1000, 0.9, 1e-3));
    assert_false(check(ties, MOST, 0.9, 1e-5));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_hold_the_quantiles_of_all_values_sorted),
        cmocka_unit_test(there_is_an_answer_where_values_are_told_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
