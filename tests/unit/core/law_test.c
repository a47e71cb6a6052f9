#include "core/law.h"

#include <string.h>

#include "core/preset.h"
#include "core/rng.h"
#include "tests/unit/check.h"

/* Random coefficients well inside the boxes that fits search, and random runs: what the loops over
 * the registry below try each law on. */
static void random_coefficients(const struct law *law, struct rng *rng, double *ret)
{
    for (size_t j = 0; j < law->n_coefficients; j++) {
        const struct law_coefficient *c = &law->coefficients[j];
        double low = law_to_transform(c->transform, c->search_lower);
        double high = law_to_transform(c->transform, c->search_upper);
        double share = 0.1 + 0.8 * rng_uniform(rng);

        ret[j] = law_from_transform(c->transform, low + share * (high - low));
    }
}

static struct law_x random_run(struct rng *rng)
{
    struct obs obs = {
        .n_active = pow(10, 7 + 4 * rng_uniform(rng)),
        .tokens = pow(10, 8 + 5 * rng_uniform(rng)),
        .experts = pow(2, (double)rng_below(rng, 10)),
        .granularity = pow(2, (double)rng_below(rng, 6)),
    };

    obs.n_total = obs.n_active * (1 + 0.7 * (obs.experts - 1));
    return law_x_from_obs(&obs);
}

static double *variable_of(struct law_x *x, enum law_variable variable)
{
    double *const places[] = {
        [LAW_N_ACTIVE] = &x->ln_n_active, [LAW_N_TOTAL] = &x->ln_n_total,
        [LAW_TOKENS] = &x->ln_tokens,     [LAW_GRANULARITY] = &x->ln_granularity,
        [LAW_EXPERTS] = &x->experts,
    };

    return places[variable];
}

static void laws_are_found_by_their_names_and_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < law_count(); i++)
        assert_ptr_equal(law_find(law_at(i)->name), law_at(i));
    assert_null(law_find("Joint"));
    assert_null(law_find("joint "));
    assert_null(law_find(""));
}

static void coefficients_are_those_of_the_contract_in_its_order(void **state)
{
    static const struct {
        const char *law, *names;
    } contract[] = {
        {"joint", "a alpha delta gamma b beta omega zeta E_start E_max c "},
        {"joint-granular", "a alpha delta gamma b beta omega zeta E_start E_max c kappa phi "},
        {"fine-grained", "a alpha b beta g gamma c "},
        {"chinchilla", "E_inf A B alpha beta "},
        {"routed", "a b c d E_start E_max "},
        {"sparsity", "a b c d e alpha beta lambda delta gamma "},
    };

    (void)state;
    assert_int_equal(law_count(), sizeof contract / sizeof contract[0]);
    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_find(contract[i].law);
        char names[256] = "";
        size_t used = 0;

        assert_non_null(law);
        for (size_t j = 0; j < law->n_coefficients; j++) {
            const char *name = law->coefficients[j].name;

            used += (size_t)snprintf(names + used, sizeof names - used, "%s ", name);
            assert_int_equal(law_coefficient_index(law, name), j);
        }
        assert_string_equal(names, contract[i].names);
        assert_int_equal(law_coefficient_index(law, "nonsense"), law->n_coefficients);
    }
}

static void descriptors_are_whole_and_consistent(void **state)
{
    (void)state;
    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_at(i);
        size_t amplitudes = 0;

        assert_true(strlen(law->title) > 5 && strlen(law->formula) > 5 && strlen(law->latex) > 5);
        assert_true(strlen(law->source) > 5);
        assert_true(strcmp(law->provenance, "published") == 0 ||
                    strcmp(law->provenance, "composed") == 0);
        assert_in_range(law->n_coefficients, 1, LAW_MAX_COEFFICIENTS);
        assert_in_range(law->n_terms, 1, LAW_MAX_TERMS);
        assert_true(law->size_variable == LAW_N_ACTIVE || law->size_variable == LAW_N_TOTAL);
        assert_true(law_reads(law, law->size_variable));
        for (size_t j = 0; j < law->n_coefficients; j++) {
            const struct law_coefficient *c = &law->coefficients[j];

            amplitudes += c->role == LAW_AMPLITUDE;
            assert_true(strlen(c->meaning) > 5);
            assert_true(c->lower < c->upper);
            assert_true(c->search_lower < c->search_upper);
            assert_true(c->lower <= c->search_lower && c->search_upper <= c->upper);
            assert_true(isfinite(law_to_transform(c->transform, c->search_lower)));
            assert_true(isfinite(law_to_transform(c->transform, c->search_upper)));
            assert_true(c->neutral >= c->lower && c->neutral <= c->upper);
            assert_int_equal(c->needs & ~law->variables, 0);
            if (c->role == LAW_AMPLITUDE)
                assert_true(law->signed_amplitudes ? c->lower == -INFINITY : c->lower == 0);
            if (c->role == LAW_SATURATION)
                assert_true(c->needs == 1u << LAW_EXPERTS);
        }
        assert_int_equal(amplitudes, law->n_terms);
    }
}

static void boxes_keep_saturation_above_its_start(void **state)
{
    (void)state;
    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_at(i);
        size_t start = law_coefficient_index(law, "E_start");
        size_t max = law_coefficient_index(law, "E_max");

        assert_int_equal(start < law->n_coefficients, max < law->n_coefficients);
        if (start == law->n_coefficients)
            continue;
        assert_true(law->coefficients[start].search_upper < law->coefficients[max].search_lower);
        assert_true(law->coefficients[start].lower == 1);
        assert_true(law->coefficients[max].upper == INFINITY);
        assert_int_equal(law->coefficients[max].transform, LAW_RECIPROCAL);
    }
}

static void a_law_depends_on_the_variables_it_names_and_no_other(void **state)
{
    struct rng rng = rng_stream(21, 0);

    (void)state;
    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_at(i);
        double c[LAW_MAX_COEFFICIENTS];

        random_coefficients(law, &rng, c);
        for (int v = 0; v < LAW_VARIABLE_COUNT; v++) {
            struct law_x x = {20, 21, 23, 1, 8}, other = x;

            *variable_of(&other, (enum law_variable)v) += 1;
            assert_int_equal(law_sum(law, c, &x, NULL) != law_sum(law, c, &other, NULL),
                             law_reads(law, (enum law_variable)v));
        }
    }
}

static void names_of_variables_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_string_equal(law_variable_name(LAW_N_ACTIVE), "n_active");
    assert_string_equal(law_variable_name(LAW_N_TOTAL), "n_total");
    assert_string_equal(law_variable_name(LAW_TOKENS), "tokens");
    assert_string_equal(law_variable_name(LAW_EXPERTS), "experts");
    assert_string_equal(law_variable_name(LAW_GRANULARITY), "granularity");
}

/* How fast ln φ may change with a coefficient: ln N·ln Ê for exponents, E for 1/E_max. */
static double fastest_change(const struct law_coefficient *coefficient)
{
    if (coefficient->transform == LAW_RECIPROCAL)
        return 2000;
    return coefficient->role == LAW_SATURATION ? 10 : 150;
}

/* The coefficient moved by `by`, in 1/x where derivatives are by 1/x. */
static double moved(const struct law_coefficient *coefficient, double value, double by)
{
    return coefficient->transform == LAW_RECIPROCAL ? 1 / (1 / value + by) : value + by;
}

/* ∂φ of every term against central differences of fourth order. A step of 1e-3/κ, where κ is the
 * fastest change of ln φ, leaves a truncation error of some (1e-3)^4·κ·φ and a rounding error of
 * 60·ε/1e-3·κ·φ (arguments of exp are up to 60): both below 1e-10·κ·φ. */
static void gradients_of_terms_are_their_differences(void **state)
{
    static const double weight[] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};
    struct rng rng = rng_stream(22, 0);

    (void)state;
    for (size_t i = 0; i < law_count() * 300; i++) {
        const struct law *law = law_at(i % law_count());
        const size_t n = law->n_coefficients, terms = law->n_terms;
        double c[LAW_MAX_COEFFICIENTS], phi[LAW_MAX_TERMS];
        double dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS] = {0};
        struct law_x x = random_run(&rng);

        random_coefficients(law, &rng, c);
        law->terms(c, &x, 1, phi, dphi);
        for (size_t j = 0; j < n; j++) {
            const double fastest = fastest_change(&law->coefficients[j]), kept = c[j];
            double difference[LAW_MAX_TERMS] = {0};

            if (law->coefficients[j].role == LAW_AMPLITUDE) {
                for (size_t k = 0; k < terms; k++)
                    assert_true(dphi[k * n + j] == 0);
                continue;
            }
            for (int s = 0; s < 4; s++) {
                double there[LAW_MAX_TERMS];

                c[j] = moved(&law->coefficients[j], kept, (s < 2 ? s - 2 : s - 1) * 1e-3 / fastest);
                law->terms(c, &x, 1, there, NULL);
                for (size_t k = 0; k < terms; k++)
                    difference[k] += weight[s] * there[k] / (1e-3 / fastest);
            }
            c[j] = kept;
            for (size_t k = 0; k < terms; k++)
                if (!(fabs(dphi[k * n + j] - difference[k]) <= 1e-9 * fastest * fabs(phi[k])))
                    fail_msg("%s: term %zu by %s is %.12g, differences say %.12g", law->name, k,
                             law->coefficients[j].name, dphi[k * n + j], difference[k]);
        }
    }
}

/* S is linear in amplitudes and the response a known function of S: checked against sums made here
 * from φ and ∂φ. */
static void sums_and_responses_follow_from_terms(void **state)
{
    struct rng rng = rng_stream(23, 0);

    (void)state;
    for (size_t i = 0; i < law_count() * 100; i++) {
        const struct law *law = law_at(i % law_count());
        const size_t n = law->n_coefficients;
        double c[LAW_MAX_COEFFICIENTS], phi[LAW_MAX_TERMS], sum = 0;
        double dphi[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS] = {0};
        double of_sum[LAW_MAX_COEFFICIENTS], of_response[LAW_MAX_COEFFICIENTS];
        const struct law_x x = random_run(&rng);
        const bool is_log = law->response == LAW_LOG_LOSS_IS_SUM;
        size_t term_of[LAW_MAX_COEFFICIENTS], amplitude_of[LAW_MAX_TERMS], term = 0;

        random_coefficients(law, &rng, c);
        law->terms(c, &x, 1, phi, dphi);
        for (size_t j = 0; j < n; j++) {
            term_of[j] = law->n_terms;
            if (law->coefficients[j].role == LAW_AMPLITUDE) {
                amplitude_of[term] = j;
                sum += c[j] * phi[term];
                term_of[j] = term++;
            }
        }
        assert_near(law_sum(law, c, &x, of_sum), sum, 1e-15);
        assert_near(law_sum(law, c, &x, NULL), law_sum(law, c, &x, of_sum), 0);
        assert_near(law_response(law, c, &x, of_response), is_log ? sum : log(sum), 1e-13);
        assert_near(law_response(law, c, &x, NULL), law_response(law, c, &x, of_response), 0);
        assert_near(law_loss(law, c, &x), is_log ? exp(sum) : sum, 1e-13);
        for (size_t j = 0; j < n; j++) {
            double slope = term_of[j] < law->n_terms ? phi[term_of[j]] : 0, scale = fabs(slope);

            for (size_t k = 0; k < law->n_terms; k++) {
                slope += c[amplitude_of[k]] * dphi[k * n + j];
                scale += fabs(c[amplitude_of[k]] * dphi[k * n + j]);
            }
            assert_true(fabs(of_sum[j] - slope) <= 1e-14 * scale);
            assert_true(fabs(of_response[j] - slope / (is_log ? 1 : sum)) <= 1e-14 * scale);
        }
    }
}

static void many_runs_at_once_are_each_run_alone(void **state)
{
    enum { RUNS = 64 };
    struct rng rng = rng_stream(24, 0);

    (void)state;
    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_at(i);
        const size_t n_phi = law->n_terms, n_dphi = law->n_terms * law->n_coefficients;
        double c[LAW_MAX_COEFFICIENTS], phi[RUNS * LAW_MAX_TERMS];
        double dphi[RUNS * LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS] = {0};
        double alone[LAW_MAX_TERMS], d_alone[LAW_MAX_TERMS * LAW_MAX_COEFFICIENTS] = {0};
        struct law_x x[RUNS];

        random_coefficients(law, &rng, c);
        for (size_t k = 0; k < RUNS; k++) {
            x[k] = random_run(&rng);
            if (k % 3 == 1) /* neighbours of the same E, and of the same G */
                x[k].experts = x[k - 1].experts;
            if (k % 5 == 1)
                x[k].ln_granularity = x[k - 1].ln_granularity;
        }
        law->terms(c, x, RUNS, phi, dphi);
        for (size_t k = 0; k < RUNS; k++) {
            law->terms(c, &x[k], 1, alone, d_alone);
            for (size_t column = 0; column < n_phi; column++)
                assert_memory_equal(&phi[column * RUNS + k], &alone[column], sizeof *alone);
            for (size_t column = 0; column < n_dphi; column++)
                assert_memory_equal(&dphi[column * RUNS + k], &d_alone[column], sizeof *alone);
        }
        law->terms(c, x, RUNS, dphi, NULL);
        assert_memory_equal(dphi, phi, RUNS * n_phi * sizeof *phi);
    }
}

static void slices_agree_with_the_loss(void **state)
{
    struct rng rng = rng_stream(25, 0);

    (void)state;
    for (size_t i = 0; i < law_count() * 300; i++) {
        const struct law *law = law_at(i % law_count());
        double c[LAW_MAX_COEFFICIENTS];
        struct law_x x = random_run(&rng);
        struct law_slice slice;
        double n;

        if (!law->slice)
            continue;
        random_coefficients(law, &rng, c);
        law->slice(c, x.experts, exp(x.ln_granularity), &slice);
        assert_in_range(slice.n_size_terms, 1, LAW_MAX_SIZE_TERMS);
        n = exp(law->size_variable == LAW_N_TOTAL ? x.ln_n_total : x.ln_n_active);
        assert_near(law_slice_loss(&slice, n, exp(x.ln_tokens)), law_loss(law, c, &x), 1e-12);
    }
}

static void only_laws_with_tokens_plan(void **state)
{
    (void)state;
    for (size_t i = 0; i < law_count(); i++)
        assert_int_equal(law_at(i)->slice != NULL, law_reads(law_at(i), LAW_TOKENS));
}

/* A fit of losses in another unit has other amplitudes and nothing else. */
static void losses_scale_with_the_amplitudes(void **state)
{
    struct rng rng = rng_stream(26, 0);

    (void)state;
    for (size_t i = 0; i < law_count() * 20; i++) {
        const struct law *law = law_at(i % law_count());
        double c[LAW_MAX_COEFFICIENTS], scaled[LAW_MAX_COEFFICIENTS];
        struct law_x x = random_run(&rng);

        if (law->response != LAW_LOSS_IS_SUM)
            continue;
        random_coefficients(law, &rng, c);
        for (size_t j = 0; j < law->n_coefficients; j++)
            scaled[j] = c[j] * (law->coefficients[j].role == LAW_AMPLITUDE ? M_LN2 : 1);
        assert_near(law_loss(law, scaled, &x), M_LN2 * law_loss(law, c, &x), 1e-14);
    }
}

/* With parameters and tokens in billions, a joint law has a' = a·λ^α, δ' = δ + γ·ln λ. */
static void units_of_size_move_amplitudes_only(void **state)
{
    const struct law *laws[] = {law_find("joint"), law_find("joint-granular")};
    const double ln_unit = 9 * M_LN10;
    struct rng rng = rng_stream(27, 0);

    (void)state;
    for (size_t i = 0; i < 40; i++) {
        const struct law *law = laws[i % 2];
        double c[LAW_MAX_COEFFICIENTS], loss;
        struct law_x x = random_run(&rng);

        random_coefficients(law, &rng, c);
        loss = law_loss(law, c, &x);
        for (size_t term = 0; term <= 4; term += 4) { /* a alpha delta gamma, b beta omega zeta */
            c[term] *= exp(c[term + 1] * ln_unit);
            c[term + 2] += c[term + 3] * ln_unit;
        }
        x.ln_n_active -= ln_unit;
        x.ln_tokens -= ln_unit;
        assert_near(law_loss(law, c, &x), loss, 1e-13);
    }
}

static void transforms_and_their_inverses_agree(void **state)
{
    static const double values[] = {1e-300, 0.3, 1, 2.0732, 290.4521, 1e300};

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        for (int t = LAW_IDENTITY; t <= LAW_RECIPROCAL; t++)
            assert_near(law_from_transform((enum law_transform)t,
                                           law_to_transform((enum law_transform)t, values[i])),
                        values[i], 1e-13);
    assert_near(law_to_transform(LAW_LN, M_E), 1, 1e-15);
    assert_near(law_to_transform(LAW_RECIPROCAL, 8), 0.125, 0);
    assert_near(law_to_transform(LAW_IDENTITY, -8), -8, 0);
}

static void an_infinite_coefficient_has_reciprocal_zero(void **state)
{
    (void)state;
    assert_true(law_to_transform(LAW_RECIPROCAL, INFINITY) == 0);
    assert_true(law_from_transform(LAW_RECIPROCAL, 0) == INFINITY);
    assert_true(law_from_transform(LAW_RECIPROCAL, -0.0) == INFINITY);
}

static void transforms_have_names(void **state)
{
    (void)state;
    assert_string_equal(law_transform_name(LAW_IDENTITY), "identity");
    assert_string_equal(law_transform_name(LAW_LN), "ln");
    assert_string_equal(law_transform_name(LAW_RECIPROCAL), "reciprocal");
}

/* How far the gradients of ln L over the runs are from linear dependence: the least share of a
 * column of free coefficients that the columns before it do not span. */
static double independence(const struct law *law, const double *c, const bool *is_free,
                           const struct law_x *x, size_t runs)
{
    static double column[LAW_MAX_COEFFICIENTS][200];
    double least = 1;
    size_t kept = 0;

    for (size_t j = 0; j < law->n_coefficients; j++) {
        double before = 0, after = 0;

        if (!is_free[j])
            continue;
        for (size_t i = 0; i < runs; i++) {
            double gradient[LAW_MAX_COEFFICIENTS];

            law_response(law, c, &x[i], gradient);
            column[kept][i] = gradient[j];
            before += gradient[j] * gradient[j];
        }
        for (size_t k = 0; k < 2 * kept; k++) { /* twice, for what rounding left of the first */
            double shared = 0;

            for (size_t i = 0; i < runs; i++)
                shared += column[k % kept][i] * column[kept][i];
            for (size_t i = 0; i < runs; i++)
                column[kept][i] -= shared * column[k % kept][i];
        }
        for (size_t i = 0; i < runs; i++)
            after += column[kept][i] * column[kept][i];
        if (!(after > 0))
            return 0;
        for (size_t i = 0; i < runs; i++)
            column[kept][i] /= sqrt(after);
        least = fmin(least, sqrt(after / before));
        kept++;
    }
    return least;
}

/* Runs in which every variable varies identify every coefficient; runs in which one does not leave
 * some undetermined (κ and φ all but: at one G only the curve of s over E tells them from δ), and
 * those that need it, fixed at their neutral values, cure that. */
static void fixing_what_needs_a_variable_makes_up_for_its_absence(void **state)
{
    enum { RUNS = 200 };
    struct rng rng = rng_stream(30, 0);

    (void)state;
    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_at(i);
        const double *published = preset_for_law(law->name)->coefficient;

        for (int v = -1; v < LAW_VARIABLE_COUNT; v++) { /* -1: all vary */
            bool is_free[LAW_MAX_COEFFICIENTS];
            double c[LAW_MAX_COEFFICIENTS], all, rest;
            struct law_x x[RUNS];

            if (v >= 0 && !law_reads(law, (enum law_variable)v))
                continue;
            for (size_t k = 0; k < RUNS; k++) {
                x[k] = random_run(&rng);
                if (v >= 0)
                    *variable_of(&x[k], (enum law_variable)v) = v == LAW_EXPERTS ? 8 : 3;
            }
            for (size_t j = 0; j < law->n_coefficients; j++) {
                c[j] = published[j];
                is_free[j] = true;
            }
            all = independence(law, c, is_free, x, RUNS);
            for (size_t j = 0; j < law->n_coefficients; j++) {
                if (v < 0 || !(law->coefficients[j].needs & (1u << v)))
                    continue;
                is_free[j] = false;
                c[j] = law->coefficients[j].neutral;
            }
            rest = independence(law, c, is_free, x, RUNS);
            assert_true(v < 0 ? all > 1e-2 : all < 1e-4);
            assert_true(rest > 1e-2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laws_are_found_by_their_names_and_nothing_else),
        cmocka_unit_test(coefficients_are_those_of_the_contract_in_its_order),
        cmocka_unit_test(descriptors_are_whole_and_consistent),
        cmocka_unit_test(boxes_keep_saturation_above_its_start),
        cmocka_unit_test(a_law_depends_on_the_variables_it_names_and_no_other),
        cmocka_unit_test(names_of_variables_are_those_of_the_contract),
        cmocka_unit_test(gradients_of_terms_are_their_differences),
        cmocka_unit_test(sums_and_responses_follow_from_terms),
        cmocka_unit_test(many_runs_at_once_are_each_run_alone),
        cmocka_unit_test(slices_agree_with_the_loss),
        cmocka_unit_test(only_laws_with_tokens_plan),
        cmocka_unit_test(losses_scale_with_the_amplitudes),
        cmocka_unit_test(units_of_size_move_amplitudes_only),
        cmocka_unit_test(transforms_and_their_inverses_agree),
        cmocka_unit_test(an_infinite_coefficient_has_reciprocal_zero),
        cmocka_unit_test(transforms_have_names),
        cmocka_unit_test(fixing_what_needs_a_variable_makes_up_for_its_absence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
