#include <string.h>

#include "core/law.h"
#include "tests/unit/check.h"
#include "tests/unit/data.h"

/* C's runs, by router with the dense ones: the mean squared residual in log10 of its best fit. */
static void routed_meets_the_runs_of_its_paper(void **state)
{
    static const struct {
        const char *router;
        size_t runs;
        double mean_square, coefficient[6];
    } fits[] = {
        {"S-Base", 58, 1.041688e-05, {-0.083025, -0.118044, 0.009925, 1.113580, 2.0746, 238.67}},
        {"RL-R", 59, 1.042800e-05, {-0.082730, -0.123417, 0.011233, 1.107013, 1.7219, 470.05}},
        {"Hash", 56, 8.890276e-06, {-0.087357, -0.138364, 0.012635, 1.159531, 4.2688, 427.32}},
    };
    struct data *data = data_open("routing.csv");

    (void)state;
    for (size_t f = 0; f < sizeof fits / sizeof fits[0]; f++) {
        double sum = 0;
        size_t runs = 0;

        for (size_t i = 0; i < data->n_rows; i++) {
            const char *router = data_text(data, i, "tag.router");
            struct obs obs = {.n_active = data_number(data, i, "n_active"),
                              .experts = data_number(data, i, "experts")};
            struct law_x x = law_x_from_obs(&obs);
            double loss = law_loss(law_find("routed"), fits[f].coefficient, &x);

            if (strcmp(router, fits[f].router) != 0 && strcmp(router, "Dense") != 0)
                continue;
            if (data_number(data, i, "tag.top_k") != 1 || data_number(data, i, "seed") != 42 ||
                data_number(data, i, "tag.routing_frequency") != 0.5)
                continue;
            sum += pow(log10(data_number(data, i, "loss") / loss), 2);
            runs++;
        }
        assert_int_equal(runs, fits[f].runs);
        assert_near(sum / (double)runs, fits[f].mean_square, 1e-3); /* six digits in print */
    }
    data_close(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(routed_meets_the_runs_of_its_paper),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
