/* The routed law on its own paper's runs: least squares, three routers, all six coefficients. */
#include <gsl/gsl_errno.h>

#include "tests/unit/core/fit_cases.h"

static struct fit_case runs;

static bool cell_is(const char *header, const char *line, const char *column, const char *wanted)
{
    char cell[128];

    fit_case_cell(line, fit_case_column(header, column), cell, sizeof cell);
    return strcmp(cell, wanted) == 0;
}

/* A router's runs at the paper's common settings, and the dense ones; false without the file. */
static bool read_router(const char *router, struct fit_case *ret)
{
    const char *folder = getenv("MOEPLAN_DATA");
    char path[CASE_LINE_BYTES], header[CASE_LINE_BYTES] = "", line[CASE_LINE_BYTES];
    FILE *file;

    ret->count = 0;
    if (folder == NULL)
        return false;
    (void)snprintf(path, sizeof path, "%s/routing.csv", folder);
    file = fopen(path, "r");
    if (file == NULL)
        return false;
    (void)fgets(header, sizeof header, file);
    while (fgets(line, sizeof line, file) != NULL && ret->count < CASE_RUNS_MAX) {
        if (!cell_is(header, line, "tag.router", router) &&
            !cell_is(header, line, "tag.router", "Dense"))
            continue;
        if (!cell_is(header, line, "tag.top_k", "1") ||
            !cell_is(header, line, "tag.routing_frequency", "0.5") ||
            !cell_is(header, line, "seed", "42"))
            continue;
        ret->obs[ret->count++] = (struct obs){
            .n_active = fit_case_number(line, fit_case_column(header, "n_active"), NAN),
            .n_total = fit_case_number(line, fit_case_column(header, "n_total"), NAN),
            .tokens = fit_case_number(line, fit_case_column(header, "tokens"), NAN),
            .experts = fit_case_number(line, fit_case_column(header, "experts"), NAN),
            .granularity = 1.0,
            .loss = fit_case_number(line, fit_case_column(header, "loss"), NAN),
            .weight = 1.0,
            .train_flops = NAN,
        };
    }
    (void)fclose(file);
    return true;
}

static void routers_reach_the_best_known_coefficients(void **state)
{
    static const struct {
        const char *router;
        size_t count;
        double mean_square; /* of the residuals in log10 loss */
        double a, b, c, d, e_start, e_max;
    } best[] = {
        {"S-Base", 58, 1.041688e-05, -0.083025, -0.118044, 0.009925, 1.113580, 2.0746, 238.67},
        {"RL-R", 59, 1.042800e-05, -0.082730, -0.123417, 0.011233, 1.107013, 1.7219, 470.05},
        {"Hash", 56, 8.890276e-06, -0.087357, -0.138364, 0.012635, 1.159531, 4.2688, 427.32},
    };
    static const char *const names[] = {"a", "b", "c", "d", "E_start", "E_max"};
    /* Half a unit of the last printed digit, and a little for its rounding. */
    static const double printed[] = {5.1e-7, 5.1e-7, 5.1e-7, 5.1e-7, 5.1e-5, 5.1e-3};
    const struct law *law = law_find("routed");

    (void)state;
    for (size_t r = 0; r < sizeof best / sizeof best[0]; r++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            const double wanted[] = {best[r].a, best[r].b,       best[r].c,
                                     best[r].d, best[r].e_start, best[r].e_max};
            struct fit_options options = fit_options_default(law);
            struct fit_outcome got;

            if (!read_router(best[r].router, &runs))
                skip();
            assert_int_equal(runs.count, best[r].count);
            options.robust.kind = ROBUST_SQUARED;
            options.seed = seed;
            fit_case_shuffle(&runs, seed);
            fit_case_run(&options, &runs, &got);
            assert_int_equal(got.code, ERR_OK);
            assert_near(2.0 * got.result.objective / ((double)runs.count * log(10.0) * log(10.0)),
                        best[r].mean_square, 1e-6);
            for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
                double value = got.result.coefficient[law_coefficient_index(law, names[i])];

                if (!(fabs(value - wanted[i]) <= printed[i]))
                    fail_msg("%s: %s is %.9g, want %g", best[r].router, names[i], value, wanted[i]);
            }
            fit_case_release(&got);
        }
}

/* Runs of two values of E say nothing of E_start and E_max: every pair of them fits as well, and
 * where they nearly meet, slopes of 1e8 that undo each other fit the rounding of each run too.
 * That must not win. Then every seed ends at one objective, with slopes of the size of the law's.
 */
static void rounding_is_not_fitted(void **state)
{
    static const double published[] = {-0.083, -0.118, 0.0099, 1.11, 2.07, 238.67};
    static const double largest = 1e4; /* of a slope; 1.6e8 and 1e10 when rounding could win */
    const struct law *law = law_find("routed");
    double objective = NAN;

    (void)state;
    fit_case_design(&runs, 60, 5);
    for (size_t i = 0; i < runs.count; i++)
        runs.obs[i].experts = runs.obs[i].experts > 8 ? 64 : 4;
    fit_case_losses(&runs, law, published, 0.005, 6);
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct fit_options options = fit_options_default(law);
        struct fit_outcome got;

        options.hold[law_coefficient_index(law, "E_start")] = FIT_FREE;
        options.hold[law_coefficient_index(law, "E_max")] = FIT_FREE;
        options.robust.kind = ROBUST_SQUARED;
        options.seed = seed;
        fit_case_run(&options, &runs, &got);
        assert_int_equal(got.code, ERR_OK);
        if (seed == 0)
            objective = got.result.objective;
        assert_near(got.result.objective, objective, 1e-9);
        /* Wherever on the ridge it ended, at a bound by chance as well. */
        assert_true(fit_case_warned(&got, "not_determined"));
        assert_false(fit_case_warned(&got, "at_bound"));
        for (size_t i = 0; i < law->n_coefficients; i++)
            if (law->coefficients[i].role == LAW_AMPLITUDE)
                assert_true(fabs(got.result.coefficient[i]) < largest);
        fit_case_release(&got);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounding_is_not_fitted),
        cmocka_unit_test(routers_reach_the_best_known_coefficients),
    };

    (void)gsl_set_error_handler_off();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
