/* Draws told beforehand to be the ends of intervals, against the losses of all draws sorted. */
#include "core/plan_shortlist.h"

#include <math.h>
#include <stdlib.h>

#include "core/plan_interval.h"
#include "core/rng.h"
#include "tests/unit/check.h"
#include "tests/unit/core/plan_question.h"

enum { DRAWS = 1003, ARENA = 64 << 20, CONFIGURATIONS = 40 };

static const double level = 0.9, ln_compute_first = 43.75,
                    ln_compute_last = 60.38; /* 1e19, 1.7e26 */

struct fixture {
    struct plan_model model;
    struct plan_slices slices;
    struct plan_shortlists lists;
    struct arena arena;
    double draws[LAW_MAX_COEFFICIENTS * DRAWS];
};

/* Draws about the law's preset, `spread` wide. */
static struct fixture *fixture_make(const char *law, size_t n_draws, double spread)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct rng rng = rng_stream(12, n_draws);
    const struct preset *preset = preset_for_law(law);

    assert_non_null(f);
    arena_init(&f->arena, ARENA);
    f->model = model_of_preset(preset);
    f->slices = plan_slices_make(f->model.law, preset->coefficient);
    f->model.slices = &f->slices;
    f->model.n_draws = n_draws;
    f->model.draws = f->draws;
    for (size_t i = 0; i < n_draws; i++)
        for (size_t j = 0, n = f->model.law->n_coefficients; j < n; j++)
            f->draws[i * n + j] = preset->coefficient[j] * (1 + spread * rng_normal(&rng));
    return f;
}

/* Its lists too. */
static struct fixture *fixture_listed(const char *law, size_t n_draws, double spread)
{
    struct fixture *f = fixture_make(law, n_draws, spread);
    struct arena scratch;

    arena_init(&scratch, ARENA);
    assert_true(plan_shortlists_make(&f->model, level, &f->arena, &scratch, &f->lists));
    arena_release(&scratch);
    f->model.shortlists = &f->lists;
    return f;
}

static void fixture_free(struct fixture *f)
{
    arena_release(&f->arena);
    free(f);
}

static double *coefficient_of(struct fixture *f, size_t draw, const char *name)
{
    const struct law *law = f->model.law;

    return &f->draws[draw * law->n_coefficients + law_coefficient_index(law, name)];
}

/* The best run of one E and compute. */
static struct law_x best_x(const struct fixture *f, int e, double ln_compute)
{
    const struct plan_closed_form *line = &f->slices.closed_form[e];
    double s = ln_compute - log(SHAPE_TRAIN_FLOPS_PER_PARAM);
    struct law_x x = {.ln_n_active = line->ln_g + line->ratio * s, .experts = ldexp(1, e)};

    x.ln_n_total = x.ln_n_active;
    x.ln_tokens = s - x.ln_n_active;
    return x;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double loss_of(const struct fixture *f, size_t draw, const struct law_x *x)
{
    return law_loss(f->model.law, f->draws + draw * f->model.law->n_coefficients, x);
}

/* Whether draws were told of x; they then hold the k-th and the next of all where `under` says. */
static bool check_told(const struct fixture *f, const struct law_x *x)
{
    static double sorted[DRAWS];
    size_t count = f->model.n_draws;
    struct plan_quantile q[2] = {plan_quantile_at((1 - level) / 2, count),
                                 plan_quantile_at(1 - (1 - level) / 2, count)};

    if (!plan_shortlist_find(&f->model, level, x, q))
        return false;
    for (size_t i = 0; i < count; i++)
        sorted[i] = loss_of(f, i, x);
    qsort(sorted, count, sizeof *sorted, by_value);
    for (int end = 0; end < 2; end++) {
        double found[PLAN_QUANTILE_MANY];
        size_t at = q[end].k - q[end].under;

        assert_true(q[end].under <= q[end].k && at + 1 < q[end].n);
        for (size_t i = 0; i < q[end].n; i++)
            found[i] = loss_of(f, q[end].place[i], x);
        qsort(found, q[end].n, sizeof *found, by_value);
        assert_true(found[at] == sorted[q[end].k]);
        assert_true(found[at + 1] == sorted[q[end].k + 1]);
    }
    return true;
}

static const char *const laws[] = {"joint", "chinchilla"};
/* Draws less apart than least_spread bend too much to be told from one another beforehand. */
static const double spreads[] = {1e-6, 1e-3, 0.02, 0.1}, least_spread = 1e-4;

static void draws_told_are_the_ends_of_all_losses_sorted(void **state)
{
    enum { POINTS = 400 };
    struct rng rng = rng_stream(3, 0);

    (void)state;
    for (size_t l = 0; l < sizeof laws / sizeof *laws; l++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++) {
            struct fixture *f = fixture_listed(laws[l], DRAWS, spreads[s]);
            size_t told = 0;

            for (int i = 0; i < POINTS; i++) {
                double at =
                    ln_compute_first + (ln_compute_last - ln_compute_first) * rng_uniform(&rng);
                const struct law_x x = best_x(f, (int)rng_below(&rng, 8), at);

                told += check_told(f, &x) ? 1 : 0;
            }
            assert_true(spreads[s] < least_spread || told == POINTS);
            fixture_free(f);
        }
}

/* At both ends of a piece, where bounds are as tight as they get, and next to them. */
static void draws_told_hold_to_the_ends_of_pieces(void **state)
{
    struct fixture *f = fixture_listed("joint", DRAWS, 0.02);
    size_t told = 0;

    (void)state;
    for (int e = 0; e < PLAN_SHORTLIST_EXPERTS; e++)
        for (int p = 1; p < PLAN_SHORTLIST_PIECES; p++)
            for (int side = -1; side <= 1; side++) {
                double ln_compute = 19 * log(10) + p * log(2) / 8 + 1e-12 * side;
                const struct law_x x = best_x(f, e, ln_compute);

                told += check_told(f, &x) ? 1 : 0;
            }
    assert_true(told > 3 * 8 * 150);
    fixture_free(f);
}

/* Where lists of few draws take in most of them. */
static void few_draws_far_apart_are_told_of_too(void **state)
{
    static const size_t counts[] = {129, 150, 200};

    (void)state;
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++) {
            struct fixture *f = fixture_listed("joint", counts[c], spreads[s]);
            size_t told = 0;

            for (int i = 0; i < 8 * PLAN_SHORTLIST_PIECES; i++) {
                const struct law_x x = best_x(f, i % 8, ln_compute_first + 0.69 * (i / 8));

                told += check_told(f, &x) ? 1 : 0;
            }
            assert_true(spreads[s] < least_spread || told > 190);
            fixture_free(f);
        }
}

/* To the last bit what they are without lists. */
static void intervals_are_the_same_without(void **state)
{
    (void)state;
    for (size_t l = 0; l < sizeof laws / sizeof *laws; l++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++) {
            struct fixture *f = fixture_listed(laws[l], DRAWS, spreads[s]);
            struct plan_configuration with[CONFIGURATIONS], without[CONFIGURATIONS];
            struct plan_configuration *asked[2][CONFIGURATIONS];
            struct arena arena;
            struct err err;

            arena_init(&arena, ARENA);
            err_init(&err, &arena);
            for (int i = 0; i < CONFIGURATIONS; i++) {
                const struct law_x x = best_x(f, i % 8, ln_compute_first + 0.41 * i);
                double off = i % 5 == 4 ? 1.3 : 1; /* some lie off the line */

                with[i] = (struct plan_configuration){.experts = x.experts,
                                                      .granularity = 1,
                                                      .n_active = off * exp(x.ln_n_active),
                                                      .n_total = exp(x.ln_n_total),
                                                      .tokens = exp(x.ln_tokens)};
                without[i] = with[i];
                asked[0][i] = &with[i];
                asked[1][i] = &without[i];
            }
            assert_int_equal(
                plan_interval_fill(&f->model, level, asked[0], CONFIGURATIONS, &arena, &err),
                ERR_OK);
            f->model.shortlists = NULL;
            assert_int_equal(
                plan_interval_fill(&f->model, level, asked[1], CONFIGURATIONS, &arena, &err),
                ERR_OK);
            for (int i = 0; i < CONFIGURATIONS; i++)
                assert_memory_equal(with[i].loss_interval, without[i].loss_interval,
                                    sizeof with[i].loss_interval);
            arena_release(&arena);
            fixture_free(f);
        }
}

/* A draw that is above the low end of the interval where a stretch of the line begins and ends, and
 * below it in its middle: what changes opposite ways with N and with D bends. */
static void check_dip(double s, double wide)
{
    const double apart = 1e-5, growth = 1.5, half = growth * wide / 2, terms = 0.5;
    struct fixture *f = fixture_make("chinchilla", DRAWS, 0);
    const struct plan_closed_form *line = &f->slices.closed_form[0];
    double own_loss[2], size, data, ln_n = line->ln_g + line->ratio * s;
    struct law_x x = best_x(f, 0, s + log(6));
    struct arena scratch;

    for (int i = 0; i < 2; i++) {
        double at = s + (i - 0.5) * wide, n = exp(line->ln_g + line->ratio * at);

        own_loss[i] = law_slice_loss(&f->slices.slice[0], n, exp(at) / n);
    }
    for (size_t i = 0; i < DRAWS; i++)
        *coefficient_of(f, i, "E_inf") += apart * (double)i;
    size = terms / 2 + (own_loss[0] - own_loss[1]) / (4 * sinh(half));
    data = terms - size;
    *coefficient_of(f, 0, "alpha") = growth / line->ratio;
    *coefficient_of(f, 0, "beta") = -growth / (1 - line->ratio);
    *coefficient_of(f, 0, "A") = size * exp(growth / line->ratio * ln_n);
    *coefficient_of(f, 0, "B") = data * exp(-growth / (1 - line->ratio) * (s - ln_n));
    *coefficient_of(f, 0, "E_inf") =
        own_loss[0] + 55 * apart - size * exp(half) - data * exp(-half);
    assert_true(loss_of(f, 0, &x) < loss_of(f, 45, &x));
    arena_init(&scratch, ARENA);
    assert_true(plan_shortlists_make(&f->model, level, &f->arena, &scratch, &f->lists));
    arena_release(&scratch);
    f->model.shortlists = &f->lists;
    assert_true(check_told(f, &x));
    for (int side = -1; side <= 1; side += 2) {
        x = best_x(f, 0, s + side * 0.49999 * wide + log(6));
        assert_true(loss_of(f, 0, &x) > loss_of(f, 53, &x));
        assert_true(check_told(f, &x));
    }
    fixture_free(f);
}

static void a_draw_that_dips_within_a_piece_is_told_of(void **state)
{
    const double step = log(2) / 8;

    (void)state;
    for (int p = 0; p < PLAN_SHORTLIST_PIECES; p += 11)
        check_dip(log(1e19 / 6) + (p + 0.5) * step, step);
    for (int p = 0; p + 8 <= PLAN_SHORTLIST_PIECES; p += 40) /* over which it may be left out */
        check_dip(log(1e19 / 6) + (p + 4) * step, 8 * step);
}

static bool is_told(const struct fixture *f, double of_level, const struct law_x *x)
{
    struct plan_quantile q[2] = {plan_quantile_at((1 - of_level) / 2, f->model.n_draws),
                                 plan_quantile_at(1 - (1 - of_level) / 2, f->model.n_draws)};

    return plan_shortlist_find(&f->model, of_level, x, q);
}

static void nothing_is_told_of_other_runs_and_levels(void **state)
{
    struct fixture *f = fixture_listed("joint", DRAWS, 0.01);
    const struct law_x x = best_x(f, 3, log(1e22));
    struct law_x other = x;

    (void)state;
    assert_true(is_told(f, level, &x));
    assert_false(is_told(f, 0.8, &x));
    other.ln_tokens += 1e-6;
    assert_false(is_told(f, level, &other));
    other = x;
    other.experts = 9;
    assert_false(is_told(f, level, &other));
    other.experts = 4; /* whose line is another */
    assert_false(is_told(f, level, &other));
    other = best_x(f, 8, log(1e22));
    assert_false(is_told(f, level, &other));
    other = best_x(f, 3, log(0.99e19));
    assert_false(is_told(f, level, &other));
    other = best_x(f, 3, log(1.7e26));
    assert_false(is_told(f, level, &other));
    fixture_free(f);
}

/* A model that has been given other draws asks those. */
static void lists_are_of_the_draws_they_were_made_of(void **state)
{
    struct fixture *f = fixture_listed("joint", DRAWS, 0.01);
    const struct law_x x = best_x(f, 3, log(1e22));

    (void)state;
    f->model.draws = f->draws + f->model.law->n_coefficients;
    f->model.n_draws--;
    assert_false(is_told(f, level, &x));
    fixture_free(f);
}

/* One draw at a time that is not finite, or changes too fast: there is no list, or one that holds.
 */
static void strange_draws_spoil_no_answer(void **state)
{
    static const struct {
        const char *name;
        double value;
    } strange[] = {{"a", 1e300}, {"a", 1e20},      {"a", -3},    {"alpha", -40},     {"beta", NAN},
                   {"c", -1},    {"E_start", 0.5}, {"E_max", 1}, {"c", 1e25},        {"gamma", 5},
                   {"a", 0},     {"b", 0},         {"c", 0},     {"E_max", INFINITY}};
    size_t told = 0;

    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        struct fixture *f = fixture_make("joint", DRAWS, 0.01);
        double *value = coefficient_of(f, 500, strange[i].name);
        struct arena scratch;

        *value = strange[i].value;
        arena_init(&scratch, ARENA);
        assert_true(plan_shortlists_make(&f->model, level, &f->arena, &scratch, &f->lists));
        arena_release(&scratch);
        f->model.shortlists = &f->lists;
        for (int e = 0; e < 8; e++) {
            const struct law_x x = best_x(f, e, log(1e22));

            told += check_told(f, &x) ? 1 : 0;
        }
        fixture_free(f);
    }
    assert_true(told > 40);
}

static void few_draws_and_laws_without_lines_have_no_lists(void **state)
{
    static const char *const without[] = {"joint-granular", "fine-grained"};
    struct fixture *f = fixture_listed("joint", PLAN_QUANTILE_MANY, 0.01);

    (void)state;
    assert_null(f->lists.draws);
    fixture_free(f);
    for (size_t l = 0; l < sizeof without / sizeof *without; l++) {
        f = fixture_listed(without[l], DRAWS, 0.01);
        for (int e = 0; e < PLAN_SHORTLIST_EXPERTS; e++)
            assert_null(f->lists.line[e].piece);
        fixture_free(f);
    }
}

/* What a header promises of memory; and without it there are none. */
static void lists_take_little_memory_and_say_when_there_is_none(void **state)
{
    struct fixture *f = fixture_listed("joint", DRAWS, 0.02);
    struct arena scratch, small;
    size_t listed = 0;

    (void)state;
    for (int e = 0; e < PLAN_SHORTLIST_EXPERTS; e++)
        for (int p = 0; p < PLAN_SHORTLIST_PIECES; p++)
            for (int end = 0; end < 2; end++) {
                size_t n = f->lists.line[e].piece[p].end[end].n;

                assert_true(n <= PLAN_SHORTLIST_MOST);
                listed += n;
            }
    assert_in_range(listed, 2 * 8 * PLAN_SHORTLIST_PIECES, 30000);
    assert_true(sizeof f->lists <= 1 << 10);
    assert_true(f->arena.used_bytes <= 450 << 10);
    arena_init(&scratch, ARENA);
    arena_init(&small, 4096);
    assert_false(plan_shortlists_make(&f->model, level, &small, &scratch, &f->lists));
    assert_false(plan_shortlists_make(&f->model, level, &scratch, &small, &f->lists));
    arena_release(&small);
    arena_release(&scratch);
    fixture_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draws_told_are_the_ends_of_all_losses_sorted),
        cmocka_unit_test(draws_told_hold_to_the_ends_of_pieces),
        cmocka_unit_test(few_draws_far_apart_are_told_of_too),
        cmocka_unit_test(intervals_are_the_same_without),
        cmocka_unit_test(a_draw_that_dips_within_a_piece_is_told_of),
        cmocka_unit_test(nothing_is_told_of_other_runs_and_levels),
        cmocka_unit_test(lists_are_of_the_draws_they_were_made_of),
        cmocka_unit_test(strange_draws_spoil_no_answer),
        cmocka_unit_test(few_draws_and_laws_without_lines_have_no_lists),
        cmocka_unit_test(lists_take_little_memory_and_say_when_there_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
