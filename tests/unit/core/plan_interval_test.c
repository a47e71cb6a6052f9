/* Intervals that ask a few draws exactly, against those that sort the losses of all. */
#include "core/plan_interval.h"

#include <math.h>
#include <stdlib.h>

#include "core/lanes.h"
#include "core/law_near.h"
#include "core/plan_draws.h"
#include "core/rng.h"
#include "tests/unit/check.h"
#include "tests/unit/core/plan_question.h"

enum { DRAWS = 1003, CONFIGURATIONS = 40, ARENA = 64 << 20 };

static const char *const laws[] = {"joint", "joint-granular", "chinchilla"};

struct fixture {
    struct plan_model model;
    double draws[LAW_MAX_COEFFICIENTS * DRAWS];
    struct plan_configuration configuration[CONFIGURATIONS];
    struct plan_configuration *asked[CONFIGURATIONS];
};

/* Draws about the law's preset, `spread` wide; configurations inside and outside its ranges. */
static struct fixture *fixture_make(const char *law, size_t n_draws, double spread)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct rng rng = rng_stream(11, n_draws);
    const struct preset *preset = preset_for_law(law);
    size_t n;

    assert_non_null(f);
    f->model = model_of_preset(preset);
    f->model.n_draws = n_draws;
    f->model.draws = f->draws;
    n = f->model.law->n_coefficients;
    for (size_t i = 0; i < n_draws; i++)
        for (size_t j = 0; j < n; j++)
            f->draws[i * n + j] = preset->coefficient[j] * (1 + spread * rng_normal(&rng));
    for (size_t k = 0; k < CONFIGURATIONS; k++) {
        f->configuration[k] = (struct plan_configuration){
            .experts = (double)(UINT64_C(1) << rng_below(&rng, 10)),
            .granularity = (double)(1 + rng_below(&rng, 16)),
            .n_active = exp(12 + 18 * rng_uniform(&rng)),
            .tokens = exp(14 + 20 * rng_uniform(&rng)),
            .loss_interval = {NAN, NAN},
        };
        f->configuration[k].n_total = f->configuration[k].n_active;
        f->asked[k] = &f->configuration[k];
    }
    return f;
}

static struct law_x x_of(const struct plan_configuration *c)
{
    const struct obs obs = {.n_active = c->n_active,
                            .n_total = c->n_total,
                            .tokens = c->tokens,
                            .experts = c->experts,
                            .granularity = c->granularity};

    return law_x_from_obs(&obs);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* By definition: every loss, sorted. */
static void sorted_interval(const struct fixture *f, const struct plan_configuration *c,
                            double level, double ret[2])
{
    const struct law_x x = x_of(c);
    double loss[DRAWS];
    size_t count = 0;

    for (size_t i = 0; i < f->model.n_draws; i++) {
        loss[count] = law_loss(f->model.law, f->draws + i * f->model.law->n_coefficients, &x);
        count += isfinite(loss[count]) ? 1 : 0;
    }
    qsort(loss, count, sizeof *loss, by_value);
    for (int side = 0; side < 2; side++) {
        double at = (side == 0 ? 1 - level : 1 + level) / 2 * (double)(count - 1);
        size_t k = (size_t)at, next = k + 1 < count ? k + 1 : k;

        ret[side] = loss[k] + (at - (double)k) * (loss[next] - loss[k]);
    }
}

/* By the plain route: every draw by law_losses, in its lanes. */
static void exact_interval(const struct fixture *f, const struct plan_configuration *c,
                           double level, double ret[2])
{
    static double columns[LAW_MAX_COEFFICIENTS * DRAWS], loss[DRAWS];
    static struct law_x x[DRAWS];
    const double size = c->n_active, tokens = c->tokens, fine = c->granularity;
    double ln[LANES] = {size, tokens, fine};
    size_t n = f->model.law->n_coefficients;

    for (size_t i = 3; i < LANES; i++)
        ln[i] = 1;
    assert_true(lanes_log_each(ln, LANES));
    for (size_t i = 0; i < DRAWS; i++) {
        x[i] = (struct law_x){.ln_n_active = ln[0],
                              .ln_n_total = ln[0],
                              .ln_tokens = ln[1],
                              .ln_granularity = ln[2],
                              .experts = c->experts};
        for (size_t j = 0; j < n; j++)
            columns[j * DRAWS + i] = f->draws[i * n + j];
    }
    law_losses(f->model.law, columns, x, DRAWS, loss);
    plan_draws_quantiles(loss, DRAWS, level, ret);
}

static void check(struct fixture *f, double level)
{
    struct arena arena;
    struct err err;

    arena_init(&arena, ARENA);
    err_init(&err, &arena);
    assert_int_equal(plan_interval_fill(&f->model, level, f->asked, CONFIGURATIONS, &arena, &err),
                     ERR_OK);
    for (size_t k = 0; k < CONFIGURATIONS; k++) {
        double want[2];

        sorted_interval(f, &f->configuration[k], level, want);
        for (int side = 0; side < 2; side++)
            assert_true(fabs(f->configuration[k].loss_interval[side] / want[side] - 1) < 1e-14);
    }
    arena_release(&arena);
}

static void intervals_are_those_of_all_losses_sorted(void **state)
{
    static const double levels[] = {0.5, 0.9, 0.99, 0.9999};
    static const double spreads[] = {1e-9, 1e-4, 0.01};

    (void)state;
    for (size_t l = 0; l < sizeof laws / sizeof *laws; l++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++) {
            struct fixture *f = fixture_make(laws[l], DRAWS, spreads[s]);

            for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
                check(f, levels[i]);
            free(f);
        }
}

/* As a plan asks: neighbours differ little, until one does not. */
static void intervals_along_experts_are_those_of_all_losses_sorted(void **state)
{
    static const double spreads[] = {1e-7, 1e-3, 0.02};

    (void)state;
    for (size_t l = 0; l < sizeof laws / sizeof *laws; l++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++) {
            struct fixture *f = fixture_make(laws[l], DRAWS, spreads[s]);

            for (size_t k = 0; k < CONFIGURATIONS; k++) {
                struct plan_configuration *c = &f->configuration[k];

                c->experts = (double)(UINT64_C(1) << k % 10);
                c->granularity = (double)(1 + k / 10);
                c->n_active = c->n_total = 2e9 * pow(0.93, (double)(k % 10));
                c->tokens = k == 25 ? 1e14 : 4e10 * pow(1.07, (double)(k % 10));
            }
            check(f, 0.9);
            check(f, 0.98);
            free(f);
        }
}

/* Each draw asked exactly, all of them selected from: to the last bit. */
static void intervals_are_to_the_bit_those_of_all_draws_asked_exactly(void **state)
{
    static const double levels[] = {0.02, 0.5, 0.9, 0.998}, spreads[] = {1e-6, 1e-3, 0.05};

    (void)state;
    for (size_t l = 0; l < 2; l++)
        for (size_t s = 0; s < sizeof spreads / sizeof *spreads; s++)
            for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
                struct fixture *f = fixture_make(laws[l], DRAWS, spreads[s]);
                size_t n = f->model.law->n_coefficients;

                for (size_t j = 0; j < DRAWS && s > 0; j += 3) /* ties */
                    memcpy(f->draws + j * n, f->draws + j / 9 * n, n * sizeof *f->draws);
                check(f, levels[i]);
                for (size_t k = 0; k < CONFIGURATIONS; k++) {
                    double want[2];

                    exact_interval(f, &f->configuration[k], levels[i], want);
                    assert_memory_equal(f->configuration[k].loss_interval, want, sizeof want);
                }
                free(f);
            }
}

static void few_draws_and_equal_draws_have_intervals_too(void **state)
{
    static const size_t counts[] = {2, 3, 16, 128, 129, 144};

    (void)state;
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct fixture *f = fixture_make("joint", counts[i], 0.01);

        check(f, 0.9);
        free(f);
        f = fixture_make("joint", counts[i], 0);
        check(f, 0.9);
        free(f);
    }
}

/* One draw at a time that single precision cannot hold, or that is not finite at all. */
static void strange_draws_change_no_interval_but_by_what_they_are(void **state)
{
    static const struct {
        const char *name;
        double value;
    } strange[] = {{"a", 1e300},  {"a", 1e20},  {"a", -3},          {"alpha", -40},
                   {"beta", NAN}, {"c", -1},    {"E_start", 0.5},   {"E_max", 1},
                   {"c", 1e25},   {"gamma", 5}, {"E_max", INFINITY}};

    (void)state;
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
        struct fixture *f = fixture_make("joint", DRAWS, 0.01);
        size_t n = f->model.law->n_coefficients;

        f->draws[500 * n + law_coefficient_index(f->model.law, strange[i].name)] = strange[i].value;
        check(f, 0.9);
        free(f);
    }
}

/* Its promise, with draws wide enough for long exponents; and with one Ê for all of them, as fits
 * mostly have. */
static void near_losses_are_as_near_as_they_say(void **state)
{
    enum { ROOM = 2 * DRAWS * LAW_MAX_COEFFICIENTS };
    static float room[ROOM], value[2 * DRAWS];

    (void)state;
    for (size_t l = 0; l < 4; l++) {
        struct fixture *f = fixture_make(laws[l % 2], DRAWS, 0.05);
        const struct law *law = f->model.law;
        size_t n = law->n_coefficients;
        struct law_near near;

        for (size_t i = 0; i < DRAWS && l >= 2; i++) {
            f->draws[i * n + law_coefficient_index(law, "E_start")] = 2.0732;
            f->draws[i * n + law_coefficient_index(law, "E_max")] = 290.4521;
        }
        assert_true(law_near_room(law, DRAWS) <= ROOM);
        assert_true(law_near_init(&near, law, f->draws, DRAWS, room));
        assert_int_equal(near.count, DRAWS);
        for (size_t k = 0; k < CONFIGURATIONS; k++) {
            const struct law_x x = x_of(&f->configuration[k]);
            double error = NAN, worst = 0;

            assert_true(law->near->losses(&near, &x, 1, value, &error));
            assert_true(error < 1e-3);
            for (size_t i = 0; i < DRAWS; i++)
                worst =
                    fmax(worst, fabs((double)value[i] / law_loss(law, f->draws + i * n, &x) - 1));
            assert_true(worst < error / 2);
            for (size_t i = DRAWS; i < near.stride; i++)
                assert_true(value[i] == INFINITY);
        }
        free(f);
    }
}

static void without_memory_there_is_an_error(void **state)
{
    struct fixture *f = fixture_make("joint", DRAWS, 0.01);
    struct arena arena;
    struct err err;

    (void)state;
    arena_init(&arena, 4096);
    err_init(&err, NULL);
    assert_int_equal(plan_interval_fill(&f->model, 0.9, f->asked, 1, &arena, &err), ERR_NO_MEMORY);
    assert_true(isnan(f->configuration[0].loss_interval[0]));
    arena_release(&arena);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_those_of_all_losses_sorted),
        cmocka_unit_test(intervals_along_experts_are_those_of_all_losses_sorted),
        cmocka_unit_test(intervals_are_to_the_bit_those_of_all_draws_asked_exactly),
        cmocka_unit_test(few_draws_and_equal_draws_have_intervals_too),
        cmocka_unit_test(strange_draws_change_no_interval_but_by_what_they_are),
        cmocka_unit_test(near_losses_are_as_near_as_they_say),
        cmocka_unit_test(without_memory_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
