#include "core/shape.h"

#include <float.h>

#include "core/rng.h"
#include "tests/unit/check.h"
#include "tests/unit/data.h"

/* A shape with every part present, unlike both papers'. */
static const struct shape odd = {
    .name = "odd",
    .vocabulary = 32000,
    .embeddings = 1,
    .active_embeddings = true,
    .attention = 2.5,
    .ffn_matrices = 3,
    .ffn_ratio = 2.75,
    .d_per_layer = 128,
    .head_dim = 128,
    .kv_ratio = 0.25,
    .shared_experts = 1,
    .moe_layer_freq = 3,
};

/* Of J's 270 runs, all but those of d_model 1280 and 1408 have d_model/64 layers. */
static void joint_counts_the_runs_of_its_paper_exactly(void **state)
{
    struct data *data = data_open("tables/joint_design.csv");
    size_t counted = 0;

    (void)state;
    for (size_t i = 0; i < data->n_rows; i++) {
        double d = data_number(data, i, "d_model");

        if (data_number(data, i, "layers") != shape_layers(&shape_joint, d))
            continue;
        assert_near(shape_n_active(&shape_joint, d), data_number(data, i, "n_active"), 0);
        assert_near(shape_n_total(&shape_joint, d, data_number(data, i, "experts")),
                    data_number(data, i, "n_total"), 0);
        counted++;
    }
    data_close(data);
    assert_int_equal(counted, 270 - 53);
}

/* J's rule of thumb compares models of the same total: 1.103B, 1.101B, 1.071B. */
static void joint_totals_are_those_of_the_rule_of_thumb(void **state)
{
    (void)state;
    assert_near(shape_n_total(&shape_joint, 1664, 1), 1.103e9, 0.5e-3);
    assert_near(shape_n_total(&shape_joint, 1408, 2), 1.101e9, 0.5e-3);
    assert_near(shape_n_total(&shape_joint, 1152, 4), 1.071e9, 0.5e-3);
}

/* K Table 2: compute of each row from its N_act, D and G. Printed to two or three digits each. */
static void fine_grained_compute_is_that_of_its_paper(void **state)
{
    static const struct {
        double n_active, tokens, granularity, flops;
    } rows[] = {
        {1e8, 4.37e9, 8, 2.95e18},    {1e9, 28.94e9, 16, 1.93e20},   {3e9, 72.90e9, 16, 1.41e21},
        {7e9, 137.60e9, 32, 6.46e21}, {70e9, 941.07e9, 32, 4.16e23}, {300e9, 2.96e12, 64, 5.69e24},
        {1e12, 7.94e12, 64, 4.97e25},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        double d = shape_d_from_n_active(&shape_fine_grained, rows[i].n_active);
        double flops = shape_flops_per_token(&shape_fine_grained, d, 64, rows[i].granularity, true);

        assert_near(flops * rows[i].tokens, rows[i].flops, 0.005);
    }
}

/* K: N_act = 12·d²·n_blocks, N = d²·(8E + 4)·n_blocks, FLOPs (12·d²·6 + d·E·G·14)·D·n_blocks. */
static void fine_grained_counts_as_its_paper_writes_them(void **state)
{
    const double d = 1280, blocks = 20;

    (void)state;
    assert_near(shape_n_active(&shape_fine_grained, d), 12 * d * d * blocks, 0);
    assert_near(shape_n_total(&shape_fine_grained, d, 64), d * d * (8 * 64 + 4) * blocks, 0);
    assert_near(shape_flops_per_token(&shape_fine_grained, d, 64, 8, true),
                (12 * d * d * 6 + d * 64 * 8 * 14) * blocks, 1e-15);
}

static void routing_costs_nothing_when_dense_or_not_asked_for(void **state)
{
    const double plain = 6 * shape_n_active(&shape_joint, 1000);

    (void)state;
    assert_near(shape_flops_per_token(&shape_joint, 1000, 8, 4, false), plain, 0);
    assert_near(shape_flops_per_token(&shape_joint, 1000, 1, 4, true), plain, 0);
    assert_near(shape_flops_per_token(&shape_joint, 1000, 8, 4, true),
                plain + 14 * 1000. * 8 * 4 * 1000 / 64, 1e-15);
}

/* Keys and values of T tokens: 2·T·n_blocks·d; a quarter of that with a quarter of the heads. */
static void cache_holds_keys_and_values_of_every_layer(void **state)
{
    (void)state;
    assert_near(shape_kv_elements(&shape_joint, 2048, 16384), 2 * 16384. * 32 * 2048, 0);
    assert_near(shape_kv_elements(&odd, 2048, 1000), 2 * 1000. * 16 * 2048 / 4, 0);
    assert_true(shape_kv_elements(&shape_joint, 2048, 0) == 0);
}

/* Against a stack of 12 layers, four of them with 5·4 experts, counted one by one. */
static void layers_without_experts_and_shared_ones_count(void **state)
{
    const double d = 12 * 128., hidden = 2.75 * d / 4; /* G = 4 */
    double total = d * 32000, routed = 0;

    (void)state;
    for (int layer = 0; layer < 12; layer++) {
        bool moe = layer % 3 == 0;

        total += 2.5 * d * d;                             /* attention */
        total += 3 * d * hidden * (moe ? 1 + 3 + 16 : 4); /* shared, chosen, idle; as wide */
        routed += moe ? 3 + 16 : 0;
    }
    assert_near(shape_n_total(&odd, d, 5), total, 1e-15);
    assert_near(shape_n_active(&odd, d), shape_n_total(&odd, d, 1), 1e-15);
    assert_near(shape_flops_per_token(&odd, d, 5, 4, true) - 6 * shape_n_active(&odd, d),
                14 * d * routed, 1e-9);
    assert_near(shape_routed(&odd, 1.5, 0.5), 0, 0); /* fewer than are shared */
}

static void a_non_embedding_study_counts_embeddings_in_the_total_only(void **state)
{
    struct shape shape = shape_non_embedding(&shape_joint);
    const double d = 1024, embedding = 2 * d * 50257;

    (void)state;
    assert_near(shape_n_active(&shape, d), shape_n_active(&shape_joint, d) - embedding, 0);
    assert_near(shape_n_total(&shape, d, 8), shape_n_total(&shape_joint, d, 8), 0);
    assert_near(shape_n_active(&shape, d), 13 * 16 * d * d, 0);
}

static void names_find_the_published_shapes_only(void **state)
{
    (void)state;
    assert_ptr_equal(shape_find("joint"), &shape_joint);
    assert_ptr_equal(shape_find("fine-grained"), &shape_fine_grained);
    assert_null(shape_find("Joint"));
    assert_null(shape_find(""));
}

/* The count of the size found is the one asked for: counts grow at most with the cube of d, so a
 * last bit or two of d and the rounding of the count itself are within eight roundings. */
static void sizes_found_have_the_counts_asked_for(void **state)
{
    struct shape bare = shape_non_embedding(&shape_joint);
    const struct shape *const shapes[] = {&shape_joint, &shape_fine_grained, &odd, &bare};
    struct rng rng = rng_stream(11, 0);

    (void)state;
    for (size_t i = 0; i < 20000; i++) {
        const struct shape *shape = shapes[i % 4];
        double target = pow(10, -3 + 23 * rng_uniform(&rng));
        double experts = 1 + (double)rng_below(&rng, 512);
        double kv_tokens = i % 8 < 4 ? 0 : pow(10, 8 * rng_uniform(&rng));
        double d = shape_d_from_n_active(shape, target);

        assert_near(shape_n_active(shape, d), target, 8 * DBL_EPSILON);
        d = shape_d_from_n_total(shape, target, experts);
        assert_near(shape_n_total(shape, d, experts), target, 8 * DBL_EPSILON);
        d = shape_d_from_memory(shape, target, experts, kv_tokens);
        assert_near(shape_n_total(shape, d, experts) + shape_kv_elements(shape, d, kv_tokens),
                    target, 8 * DBL_EPSILON);
    }
}

/* Without a term the equation is easier: the answers are those of its closed forms. */
static void sizes_are_the_closed_forms_where_there_are_any(void **state)
{
    struct rng rng = rng_stream(12, 0);

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        double n = pow(10, -3 + 23 * rng_uniform(&rng));
        /* J: d³ + p·d = q, one real root, 2·√(p/3)·sinh(asinh(3q/(2p)·√(3/p))/3) */
        double p = 2 * 50257. * 64 / 13, q = n * 64 / 13;
        double root = 2 * sqrt(p / 3) * sinh(asinh(1.5 * q / p * sqrt(3 / p)) / 3);

        assert_near(shape_d_from_n_active(&shape_joint, n), root, 1e-13);
        assert_near(shape_d_from_n_active(&shape_fine_grained, n), cbrt(n * 64 / 12), 1e-15);
        assert_near(shape_d_from_n_total(&shape_fine_grained, n, 16), cbrt(n * 64 / 132), 1e-15);
        assert_near(shape_d_from_memory(&shape_joint, n, 8, 0),
                    shape_d_from_n_total(&shape_joint, n, 8), 0);
    }
}

static void more_parameters_are_a_larger_size(void **state)
{
    double last = 0;

    (void)state;
    for (double n = 1e-3; n < 1e20; n *= 1.0007) {
        double d = shape_d_from_n_active(&shape_joint, n);

        assert_true(d > last);
        last = d;
    }
}

static void neighbouring_counts_have_sizes_within_a_rounding(void **state)
{
    double n = 5e8;
    double last = shape_d_from_n_active(&shape_joint, n);

    (void)state;
    for (int i = 0; i < 10000; i++) {
        double d = shape_d_from_n_active(&shape_joint, n = nextafter(n, INFINITY));

        assert_near(d, last, 2 * DBL_EPSILON);
        last = d;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joint_counts_the_runs_of_its_paper_exactly),
        cmocka_unit_test(joint_totals_are_those_of_the_rule_of_thumb),
        cmocka_unit_test(fine_grained_compute_is_that_of_its_paper),
        cmocka_unit_test(fine_grained_counts_as_its_paper_writes_them),
        cmocka_unit_test(routing_costs_nothing_when_dense_or_not_asked_for),
        cmocka_unit_test(cache_holds_keys_and_values_of_every_layer),
        cmocka_unit_test(layers_without_experts_and_shared_ones_count),
        cmocka_unit_test(a_non_embedding_study_counts_embeddings_in_the_total_only),
        cmocka_unit_test(names_find_the_published_shapes_only),
        cmocka_unit_test(sizes_found_have_the_counts_asked_for),
        cmocka_unit_test(sizes_are_the_closed_forms_where_there_are_any),
        cmocka_unit_test(more_parameters_are_a_larger_size),
        cmocka_unit_test(neighbouring_counts_have_sizes_within_a_rounding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
