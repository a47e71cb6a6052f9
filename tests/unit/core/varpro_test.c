#include "core/varpro.h"

#include "core/rng.h"
#include "tests/unit/core/fit_cases.h"

/* From starts all over the box the search finds the planted exponents. */
static void descent_finds_planted_exponents_from_most_starts(void **state)
{
    static struct fit_case runs;
    const struct law *law = law_find("chinchilla");
    const struct preset *preset = preset_for_law("chinchilla");
    struct fit_options options = fit_options_default(law);
    bool is_free[LAW_MAX_COEFFICIENTS];
    double natural[LAW_MAX_COEFFICIENTS] = {0};
    struct arena arena;
    struct err err;
    struct fit_problem problem;
    struct varpro varpro;
    size_t found = 0;

    (void)state;
    arena_init(&arena, (size_t)1 << 28);
    err_init(&err, NULL);
    for (size_t i = 0; i < LAW_MAX_COEFFICIENTS; i++)
        is_free[i] = true;
    fit_case_design(&runs, 80, 1);
    fit_case_losses(&runs, law, preset->coefficient, 0.0, 1);
    assert_int_equal(ERR_OK, fit_problem_init(&problem, &options, is_free, natural, runs.obs,
                                              runs.count, &arena, &err));
    assert_int_equal(ERR_OK, varpro_init(&varpro, &problem, &arena, &err));
    for (size_t start = 0; start < 50; start++) {
        double z[LAW_MAX_COEFFICIENTS] = {0}, value;
        struct rng rng = rng_stream(1, start);

        for (size_t j = 0; j < problem.p; j++)
            z[j] = problem.term[problem.index[j]] == SIZE_MAX ? -1.5 * rng_uniform(&rng) : 0.0;
        for (size_t j = 0; j < problem.p; j++)
            z[j] = fabs(z[j]);
        value = varpro_descend(&varpro, z, 60);
        found += value < 1e-6 ? 1 : 0;
    }
    assert_true(found >= 45);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descent_finds_planted_exponents_from_most_starts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
