#include "core/plan_cell.h"

#include "core/plan_draws.h"
#include "core/plan_slice.h"
#include "core/rng.h"
#include "tests/unit/check.h"
#include "tests/unit/core/plan_question.h"

static void polynomials_are_those_of_the_shape(void **state)
{
    static const double experts[] = {1, 2, 7.5, 64}, widths[] = {64, 300, 4096, 1e5};

    (void)state;
    for (size_t p = 0; p < PLANNING_PRESETS; p++) {
        struct plan_question question = question_of(planning_presets[p]);
        const struct shape *shape = &question.model.shape;

        question.limits.kv_tokens = 12345;
        for (size_t e = 0; e < 4; e++) {
            for (size_t i = 0; i < 4; i++) {
                struct plan_cell cell;
                double d = widths[i], total = shape_n_total(shape, d, experts[e]);

                plan_cell_init(&cell, &question.model, &question.limits, experts[e], 4);
                assert_near(plan_poly_at(&cell.active, d), shape_n_active(shape, d), 1e-14);
                assert_near(plan_poly_at(&cell.total, d), total, 1e-14);
                assert_near(plan_poly_at(&cell.served, d),
                            2 * (total + shape_kv_elements(shape, d, 12345)), 1e-14);
                assert_near(plan_poly_at(&cell.flops, d),
                            shape_flops_per_token(shape, d, experts[e], 4,
                                                  question.model.law->routing_flops),
                            1e-14);
            }
        }
    }
}

static void assert_slice(const struct plan_model *model, double experts)
{
    struct law_slice got, want;

    plan_slice(model, experts, 1, &got);
    model->law->slice(model->coefficient, experts, 1, &want);
    assert_int_equal(got.n_size_terms, want.n_size_terms);
    for (size_t j = 0; j < got.n_size_terms; j++)
        assert_true(got.m[j] == want.m[j] && got.mu[j] == want.mu[j]);
    assert_true(got.n == want.n && got.nu == want.nu && got.c == want.c);
}

/* To the bit; and those of other coefficients when the model is given others, as a spread does. */
static void slices_made_ready_are_those_of_the_law(void **state)
{
    static const double experts[] = {1, 1.5, 2, 3, 32, 1024, 2048};
    size_t any = 0;

    (void)state;
    for (size_t p = 0; p < PLANNING_PRESETS; p++) {
        struct plan_model model = question_of(planning_presets[p]).model;
        struct plan_slices slices = plan_slices_make(model.law, model.coefficient);
        double other[LAW_MAX_COEFFICIENTS];

        any += slices.coefficient ? 1 : 0;
        assert_true(!slices.coefficient == law_reads(model.law, LAW_GRANULARITY));
        for (size_t j = 0; j < model.law->n_coefficients; j++)
            other[j] = model.coefficient[j] * 1.01;
        model.slices = &slices;
        for (int given = 0; given < 2; given++) {
            for (size_t e = 0; e < sizeof experts / sizeof *experts; e++)
                assert_slice(&model, experts[e]);
            model.coefficient = other;
        }
    }
    assert_true(any >= 2);
}

static void roots_invert_polynomials_and_never_exceed(void **state)
{
    struct rng rng = rng_stream(5, 0);

    (void)state;
    for (int round = 0; round < 20000; round++) {
        struct plan_poly poly = {
            .c1 = rng_uniform(&rng) < 0.5 ? 0 : pow(10, 12 * rng_uniform(&rng) - 3),
            .c2 = rng_uniform(&rng) < 0.5 ? 0 : pow(10, 12 * rng_uniform(&rng) - 3),
            .c3 = pow(10, 12 * rng_uniform(&rng) - 6),
        };
        double d = pow(10, 8 * rng_uniform(&rng)), value = plan_poly_at(&poly, d);
        double root = plan_poly_root(&poly, value);

        assert_near(root, d, 1e-14);
        assert_true(plan_poly_at(&poly, root) <= value);
    }
}

static void roots_of_nothing_and_of_everything(void **state)
{
    const struct plan_poly poly = {1, 2, 3};

    (void)state;
    assert_near(plan_poly_root(&poly, 0), 0, 0);
    assert_near(plan_poly_root(&poly, -5), 0, 0);
    assert_true(plan_poly_root(&poly, INFINITY) == INFINITY);
    assert_true(isfinite(plan_poly_root(&poly, 1e300)));
    assert_true(plan_poly_root(&poly, 1e-300) < 1e-299);
}

static void moments_are_logarithmic_derivatives(void **state)
{
    const struct plan_poly poly = {1e5, 700, 0.2};

    (void)state;
    for (double d = 10; d < 1e5; d *= 3) {
        const double h = 1e-4;
        double up = log(plan_poly_at(&poly, d * exp(h)));
        double down = log(plan_poly_at(&poly, d * exp(-h))), middle = log(plan_poly_at(&poly, d));
        struct plan_moments m = plan_poly_moments(&poly, d);

        assert_near(m.value, plan_poly_at(&poly, d), 1e-15);
        assert_near(m.elasticity, (up - down) / (2 * h), 1e-7);
        assert_true(fabs(m.bend - (up + down - 2 * middle) / (h * h)) < 1e-5);
    }
}

static void compute_is_spent_whole_at_the_size_it_allows(void **state)
{
    (void)state;
    for (size_t p = 0; p < PLANNING_PRESETS; p++) {
        struct plan_question question = question_of(planning_presets[p]);
        struct plan_cell cell;
        double d;

        question.limits.inference_tokens = 1e12;
        plan_cell_init(&cell, &question.model, &question.limits, question.experts[0], 8);
        d = plan_cell_d_by_compute(&cell, 1e22, 1e11, 0);
        assert_near(plan_cell_compute(&cell, d, 1e11), 1e22, 1e-13);
        d = plan_cell_d_by_compute(&cell, 1e22, 0, 20);
        assert_near(plan_cell_compute(&cell, d, 20 * plan_poly_at(&cell.active, d)), 1e22, 1e-13);
        question.limits.compute_flops = 1e22;
        assert_near(plan_cell_tokens_by_compute(&cell, d), 20 * plan_poly_at(&cell.active, d),
                    1e-12);
    }
}

static void broken_limits_are_told_apart(void **state)
{
    struct plan_question question = question_of("joint-2025");
    struct plan_cell cell;
    double used[PLAN_LIMIT_COUNT];

    (void)state;
    plan_cell_init(&cell, &question.model, &question.limits, 8, 1);
    assert_int_equal(plan_cell_broken(&cell, 1024, 1e10, used), 0);
    question.limits.memory_bytes = used[PLAN_LIMIT_MEMORY]; /* exactly met is kept */
    question.limits.max_tokens = 0.5e10;
    assert_int_equal(plan_cell_broken(&cell, 1024, 1e10, used), 1U << PLAN_LIMIT_MAX_TOKENS);
    question.limits.memory_bytes *= 0.999;
    question.limits.min_tokens_per_param = 1e3;
    assert_int_equal(plan_cell_broken(&cell, 1024, 1e10, used),
                     1U << PLAN_LIMIT_MAX_TOKENS | 1U << PLAN_LIMIT_MEMORY |
                         1U << PLAN_LIMIT_MIN_TOKENS_PER_PARAM);
}

static void quantiles_agree_with_sorting(void **state)
{
    struct rng rng = rng_stream(6, 0);

    (void)state;
    for (size_t count = 2; count < 60; count++) {
        double value[64], sorted[64], interval[2];

        for (size_t i = 0; i < count; i++)
            value[i] = sorted[i] = floor(20 * rng_uniform(&rng)); /* with ties */
        for (size_t i = 1; i < count; i++)
            for (size_t k = i; k > 0 && sorted[k - 1] > sorted[k]; k--) {
                double swap = sorted[k];

                sorted[k] = sorted[k - 1];
                sorted[k - 1] = swap;
            }
        plan_draws_quantiles(value, count, 0.8, interval);
        for (int end = 0; end < 2; end++) {
            double at = (end ? 0.9 : 0.1) * (double)(count - 1);
            size_t k = (size_t)at;
            double next = sorted[k + 1 < count ? k + 1 : k];

            assert_true(fabs(interval[end] - (sorted[k] + (at - (double)k) * (next - sorted[k]))) <
                        1e-9);
        }
    }
}

static void losses_that_are_not_finite_are_left_out_of_quantiles(void **state)
{
    double value[] = {NAN, 3, INFINITY, 1, -INFINITY, 2}, interval[2];
    double alone[] = {NAN, 3};

    (void)state;
    plan_draws_quantiles(value, 6, 0.5, interval);
    assert_near(interval[0], 1.5, 1e-15);
    assert_near(interval[1], 2.5, 1e-15);
    plan_draws_quantiles(alone, 2, 0.5, interval);
    assert_true(isnan(interval[0]) && isnan(interval[1]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(polynomials_are_those_of_the_shape),
        cmocka_unit_test(slices_made_ready_are_those_of_the_law),
        cmocka_unit_test(roots_invert_polynomials_and_never_exceed),
        cmocka_unit_test(roots_of_nothing_and_of_everything),
        cmocka_unit_test(moments_are_logarithmic_derivatives),
        cmocka_unit_test(compute_is_spent_whole_at_the_size_it_allows),
        cmocka_unit_test(broken_limits_are_told_apart),
        cmocka_unit_test(quantiles_agree_with_sorting),
        cmocka_unit_test(losses_that_are_not_finite_are_left_out_of_quantiles),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
