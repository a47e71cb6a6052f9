#include "core/plan_local.h"

#include "core/rng.h"
#include "tests/unit/check.h"

enum { ROUNDS = 20000 };

/* Slices of any exponents, some of two size terms, with amplitudes of any sign. */
static struct law_slice slice_at_random(struct rng *rng)
{
    struct law_slice slice = {.n_size_terms = rng_uniform(rng) < 0.3 ? 2 : 1};

    for (size_t j = 0; j < slice.n_size_terms; j++) {
        slice.m[j] = 100 * (rng_uniform(rng) - 0.2);
        slice.mu[j] = -rng_uniform(rng);
    }
    slice.n = 100 * (rng_uniform(rng) - 0.2);
    slice.nu = -3 * rng_uniform(rng) + 0.5;
    slice.c = 2 * rng_uniform(rng);
    return slice;
}

/* The size of what is added up: amplitudes of both signs may leave little. */
static double terms_of(const struct law_slice *slice, double n_params, double tokens)
{
    double sum = fabs(slice->c) + fabs(slice->n) * pow(tokens, slice->nu);

    for (size_t j = 0; j < slice->n_size_terms; j++)
        sum += fabs(slice->m[j]) * pow(n_params, slice->mu[j]);
    return sum;
}

static void is_the_laws_loss_near_and_far(void **state)
{
    static const double away[] = {1e-9, 1e-3, 0.05, 0.0625, 0.07, 0.5, 5};
    struct rng rng = rng_stream(5, 0);

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        struct law_slice slice = slice_at_random(&rng);
        double n = exp(15 + 10 * rng_uniform(&rng)), d = exp(20 + 10 * rng_uniform(&rng));
        double far = away[round % (int)(sizeof away / sizeof away[0])];
        double n_params = n * exp(far * (2 * rng_uniform(&rng) - 1));
        double tokens = d * exp(far * (2 * rng_uniform(&rng) - 1));
        struct plan_local local;
        double loss;

        plan_local_init(&local, &slice, n, d);
        loss = plan_local_loss(&local, n_params, tokens);
        assert_true(fabs(loss - law_slice_loss(&slice, n_params, tokens)) <=
                    2e-15 * (terms_of(&slice, n, d) + terms_of(&slice, n_params, tokens)));
    }
}

static void is_exact_at_the_point(void **state)
{
    struct law_slice slice = {1, {400}, {-0.34}, 2000, -0.37, 1.8};
    double loss = law_slice_loss(&slice, 1e9, 2e10);
    struct plan_local local;

    (void)state;
    plan_local_init(&local, &slice, 1e9, 2e10);
    assert_near(local.loss, loss, 0);
    assert_near(plan_local_loss(&local, 1e9, 2e10), loss, 1e-16);
}

static void what_is_no_number_stays_none(void **state)
{
    struct law_slice slice = {1, {400}, {-0.34}, 2000, -0.37, 1.8};
    struct plan_local local;

    (void)state;
    plan_local_init(&local, &slice, 1e9, 2e10);
    assert_true(isnan(plan_local_loss(&local, NAN, 2e10)));
    assert_true(isnan(plan_local_loss(&local, 1e9, NAN)));
    assert_near(plan_local_loss(&local, 1e9, INFINITY), slice.c + 400 * pow(1e9, -0.34), 1e-14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_laws_loss_near_and_far),
        cmocka_unit_test(is_exact_at_the_point),
        cmocka_unit_test(what_is_no_number_stays_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
