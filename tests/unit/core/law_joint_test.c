#include "tests/unit/check.h"
#include "tests/unit/core/published.h"

/* J Table 4: m, mu, n, nu by E. */
static const double joint_table_4[][5] = {
    {1, 30.3640, -0.1817, 53.9838, -0.1965},   {2, 27.7982, -0.1780, 66.8401, -0.2065},
    {4, 24.8462, -0.1731, 87.7022, -0.2192},   {8, 21.8330, -0.1676, 119.9126, -0.2338},
    {16, 19.0159, -0.1617, 167.5073, -0.2494}, {32, 16.5424, -0.1557, 234.6726, -0.2652},
};

static void joint_slices_are_those_printed(void **state)
{
    const struct preset *preset = preset_find("joint-2025");

    (void)state;
    for (size_t i = 0; i < 6; i++) {
        const double *row = joint_table_4[i];
        struct law_slice slice;

        law_find("joint")->slice(preset->coefficient, row[0], 1, &slice);
        assert_int_equal(slice.n_size_terms, 1);
        assert_near(slice.m[0], row[1], 0.003);
        assert_near(slice.n, row[3], 0.003);
        assert_true(fabs(slice.mu[0] - row[2]) <= 1.4e-4);
        assert_true(fabs(slice.nu - row[4]) <= 1.4e-4);
        assert_near(slice.c, 1.3637, 0);
    }
}

/* The compute-optimal losses that follow from Table 4, and how near Table 3 comes to them. */
static void joint_losses_at_the_optimum_are_those_of_its_slices(void **state)
{
    static const double want[2][6] = {{2.5897, 2.5734, 2.5545, 2.5295, 2.5019, 2.4732},
                                      {2.1574, 2.1426, 2.1265, 2.1074, 2.0882, 2.0699}};
    static const double compute[2] = {1e20, 1e22};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < 6; i++) {
            const double *row = joint_table_4[i];
            const double p = -row[2], q = -row[4];
            struct law_slice slice = {1, {row[1]}, {row[2]}, row[3], row[4], 1.3637};
            double n =
                pow(p * row[1] / (q * row[3]), 1 / (p + q)) * pow(compute[k] / 6, q / (p + q));
            double tokens = compute[k] / 6 / n;
            double loss = law_slice_loss(&slice, n, tokens);

            assert_true(fabs(loss - want[k][i]) <= 0.51e-4);
            assert_true(fabs(published_loss(preset_find("joint-2025"), n, tokens, row[0], 1) -
                             loss) <= 0.0013);
        }
    }
}

/* J: dense 1.1B on 8B tokens, E = 2 on 16B, E = 4 on 32B, all of the same total size. */
static void joint_losses_are_those_of_the_rule_of_thumb(void **state)
{
    static const double rows[][4] = {
        {1664, 1, 8e9, 2.6659}, {1408, 2, 16e9, 2.6262}, {1152, 4, 32e9, 2.5972}};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        double n = shape_n_active(&shape_joint, rows[i][0]);
        double loss = published_loss(preset_find("joint-2025"), n, rows[i][2], rows[i][1], 1);

        assert_true(fabs(loss - rows[i][3]) <= 0.51e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joint_slices_are_those_printed),
        cmocka_unit_test(joint_losses_at_the_optimum_are_those_of_its_slices),
        cmocka_unit_test(joint_losses_are_those_of_the_rule_of_thumb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
