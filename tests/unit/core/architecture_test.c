#include "core/architecture.h"

#include "tests/unit/check.h"
#include "tests/unit/data.h"

/* An architecture of the shape itself, d_model a whole number of layers. */
static struct architecture of_shape(const struct shape *shape, double d_model, double experts,
                                    double granularity)
{
    return (struct architecture){
        .layers = shape_layers(shape, d_model),
        .d_model = d_model,
        .heads = d_model / shape->head_dim,
        .kv_heads = d_model / shape->head_dim,
        .head_dim = shape->head_dim,
        .expert_hidden = shape->ffn_ratio * d_model / granularity,
        .experts = experts * granularity,
        .top_k = granularity,
        .moe_layer_freq = 1,
        .vocabulary = shape->vocabulary,
    };
}

static void integers_of_a_shape_count_as_the_shape(void **state)
{
    const struct shape *const shapes[] = {&shape_joint, &shape_fine_grained};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        for (double experts = 1; experts <= 64; experts *= 4) {
            for (double granularity = 1; granularity <= 8; granularity *= 2) {
                struct architecture a = of_shape(shapes[i], 1536, experts, granularity);

                architecture_count(shapes[i], &a);
                assert_near(a.n_active, shape_n_active(shapes[i], 1536), 1e-15);
                assert_near(a.n_total, shape_n_total(shapes[i], 1536, experts), 1e-15);
            }
        }
    }
}

static void the_runs_of_the_joint_paper_count_exactly(void **state)
{
    struct data *data = data_open("tables/joint_design.csv");

    (void)state;
    for (size_t i = 0; i < data->n_rows; i++) {
        struct architecture a = of_shape(&shape_joint, data_number(data, i, "d_model"),
                                         data_number(data, i, "experts"), 1);

        a.layers = data_number(data, i, "layers"); /* not always d_model/64 */
        architecture_count(&shape_joint, &a);
        assert_near(a.n_active, data_number(data, i, "n_active"), 0);
        assert_near(a.n_total, data_number(data, i, "n_total"), 0);
    }
    data_close(data);
}

static void a_non_embedding_shape_leaves_embeddings_out_of_n_active(void **state)
{
    struct shape shape = shape_non_embedding(&shape_joint);
    struct architecture a = of_shape(&shape, 1024, 8, 1);

    (void)state;
    architecture_count(&shape, &a);
    assert_near(a.n_active, 13 * 16 * 1024. * 1024, 0);
    assert_near(a.n_total, 76 * 16 * 1024. * 1024 + 2 * 1024. * 50257, 0);
}

static void tied_embeddings_count_once(void **state)
{
    struct architecture a = of_shape(&shape_joint, 1024, 8, 1), tied = a;

    (void)state;
    tied.tied_embeddings = true;
    architecture_count(&shape_joint, &a);
    architecture_count(&shape_joint, &tied);
    assert_near(a.n_total - tied.n_total, 1024. * 50257, 0);
    assert_near(a.n_active - tied.n_active, 1024. * 50257, 0);
}

static void fewer_key_value_heads_and_shared_experts_count(void **state)
{
    struct architecture a = of_shape(&shape_joint, 1024, 8, 1), other = a;

    (void)state;
    other.kv_heads = 4;
    other.shared_experts = 1;
    architecture_count(&shape_joint, &a);
    architecture_count(&shape_joint, &other);
    /* 12 key and 12 value heads of 64 go, one expert of 3·1024·3072 comes, in 16 layers. */
    assert_near(other.n_total - a.n_total, 16 * (3 * 1024. * 3072 - 2 * 12 * 64. * 1024), 1e-15);
    assert_near(other.n_active - a.n_active, other.n_total - a.n_total, 1e-15);
}

/* 8 query heads share one for keys and values, where there are 8. */
static void a_narrow_model_has_a_smaller_group_of_heads(void **state)
{
    static const double heads[][3] = {{16, 1, 1}, {384, 6, 1}, {512, 8, 1}, {960, 16, 2}};
    struct shape shape = shape_joint;

    (void)state;
    shape.kv_ratio = 0.125;
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct architecture a = architecture_make(&shape, heads[i][0], 12, 768, 8, 4);

        assert_near(a.heads, heads[i][1], 0);
        assert_near(a.kv_heads, heads[i][2], 0);
    }
}

/* The expert widths of a layer and those at work stay E·G and G, whatever is shared. */
static void shared_experts_are_of_those_at_work(void **state)
{
    struct shape shape = shape_joint;
    struct architecture plain = architecture_make(&shape, 1024, 12, 768, 8, 4), shared;

    (void)state;
    shape.shared_experts = 1;
    shared = architecture_make(&shape, 1024, 12, 768, 8, 4);
    assert_near(shared.experts, 31, 0);
    assert_near(shared.top_k, 3, 0);
    assert_near(shared.shared_experts, 1, 0);
    assert_near(shared.n_active, plain.n_active, 0);
    assert_near(shared.n_total, plain.n_total, 0);
    assert_near(architecture_flops_per_token(&plain, true) -
                    architecture_flops_per_token(&shared, true),
                14 * 1024. * 12, 0);
    assert_null(architecture_fault(&shape, 8, 2));
    assert_non_null(architecture_fault(&shape, 8, 1));
    assert_null(architecture_fault(&shape, 1, 1)); /* dense: none to share */
    assert_near(architecture_make(&shape, 1024, 12, 3072, 1, 1).shared_experts, 0, 0);
}

static void experts_stand_in_one_layer_of_a_group(void **state)
{
    struct shape shape = shape_joint;
    struct architecture all = architecture_make(&shape, 1024, 12, 768, 8, 4), some;

    (void)state;
    shape.moe_layer_freq = 3;
    some = architecture_make(&shape, 1024, 12, 768, 8, 4);
    assert_near(some.n_active, all.n_active, 0);
    assert_near(all.n_total - some.n_total, 8 * 28 * 3 * 1024. * 768, 0);
    assert_near(architecture_dense_hidden(&some), 4 * 768, 0);
    assert_near(architecture_flops_per_token(&some, true) - 6 * some.n_active, 4 * 14 * 1024. * 32,
                0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_a_shape_count_as_the_shape),
        cmocka_unit_test(the_runs_of_the_joint_paper_count_exactly),
        cmocka_unit_test(a_non_embedding_shape_leaves_embeddings_out_of_n_active),
        cmocka_unit_test(tied_embeddings_count_once),
        cmocka_unit_test(fewer_key_value_heads_and_shared_experts_count),
        cmocka_unit_test(a_narrow_model_has_a_smaller_group_of_heads),
        cmocka_unit_test(shared_experts_are_of_those_at_work),
        cmocka_unit_test(experts_stand_in_one_layer_of_a_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
