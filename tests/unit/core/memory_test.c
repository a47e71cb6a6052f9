#include "core/memory.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct transformer llama = {
    .vocabulary = 128256,
    .d_model = 4096,
    .layers = 32,
    .heads = 32,
    .kv_heads = 8,
    .head_dim = 128,
    .dense_hidden = 14336,
};

static const struct transformer_convention both = {true, true};

static double total(const struct memory_bucket *bucket, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += bucket[i].bytes;
    return sum;
}

static void serving_is_weights_and_cache(void **state)
{
    struct transformer_count count = transformer_count(&llama, &both);
    struct memory_bucket bucket[MEMORY_SERVING_BUCKETS];

    (void)state;
    memory_serving(&count, 2, 8192, 2, bucket);
    assert_near(bucket[0].bytes, 2 * 8030261248., 0);
    assert_near(bucket[1].bytes, 1024. * 1024 * 1024, 0); /* 128 KiB a token: the known figure */
}

/* ZeRO's own example: 7.5B parameters, 64 ranks: 120, 31.4, 16.6, 1.9 GB (Fig. 1 of its paper). */
static void zero_stages_shard_as_their_paper_prints(void **state)
{
    static const double gigabytes[] = {120, 31.4, 16.6, 1.9};
    struct transformer_count count = {.n_total = 7.5e9, .dense_layers = 32};
    struct memory_training training = {.recipe = memory_recipe_find("adam-bf16"), .ranks = 64};
    struct memory_bucket bucket[MEMORY_TRAINING_BUCKETS];

    (void)state;
    for (int stage = 0; stage < 4; stage++) {
        training.zero_stage = stage;
        memory_train(&llama, &count, &training, bucket);
        assert_true(fabs(total(bucket, 3) / 1e9 - gigabytes[stage]) < 0.06);
    }
}

static void every_recipe_says_what_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < memory_recipe_count(); i++) {
        const struct memory_recipe *recipe = memory_recipe_at(i);

        assert_ptr_equal(memory_recipe_find(recipe->id), recipe);
        assert_non_null(recipe->formula);
        assert_non_null(recipe->source);
    }
    assert_near(memory_recipe_find("adam-bf16")->weights +
                    memory_recipe_find("adam-bf16")->gradients +
                    memory_recipe_find("adam-bf16")->states,
                16, 0);
    assert_null(memory_recipe_find("hope"));
}

/* Counted by hand for one layer of Llama-3-8B: norms in and out 4·4096, queries and the output
 * 2·4096, keys and values 2·1024, three times 14336, two bytes each; 32 logarithms of four. */
static void activations_are_counted_tensor_by_tensor(void **state)
{
    double bytes = 2 * (4. * 4096 + 2 * 4096 + 2 * 1024 + 3 * 14336) + 4 * 32;
    struct transformer_count count = transformer_count(&llama, &both);
    struct memory_training training = {
        .recipe = memory_recipe_at(0), .ranks = 1, .sequence = 8192, .batch = 2};
    struct memory_bucket bucket[MEMORY_TRAINING_BUCKETS];

    (void)state;
    assert_near(memory_activation_bytes(&llama, false), bytes, 0);
    memory_train(&llama, &count, &training, bucket);
    assert_near(bucket[3].bytes, 2 * 8192 * 32 * bytes, 0);
    training.recompute = true;
    memory_train(&llama, &count, &training, bucket);
    assert_near(bucket[3].bytes, 2 * 8192 * (2. * 32 * 4096 + bytes), 0);
}

/* DeepSeek-V3's attention by hand: 128 heads of 128 + 64 for queries and keys, 128 for values. */
static void latent_attention_keeps_its_ranks_and_says_so(void **state)
{
    struct transformer latent = llama;
    struct transformer_count count;
    struct memory_training training = {
        .recipe = memory_recipe_at(0), .ranks = 1, .sequence = 4096, .batch = 1};
    struct memory_bucket bucket[MEMORY_TRAINING_BUCKETS];

    (void)state;
    latent.heads = 128;
    latent.kv_lora_rank = 512;
    latent.q_lora_rank = 1536;
    latent.qk_nope_head_dim = 128;
    latent.qk_rope_head_dim = 64;
    latent.v_head_dim = 128;
    count = transformer_count(&latent, &both);
    assert_near(memory_activation_bytes(&latent, false),
                2 * (4. * 4096 + 2 * 128 * (192 + 128) + 512 + 1536 + 3 * 14336) + 4 * 128, 0);
    memory_train(&latent, &count, &training, bucket);
    assert_non_null(strstr(bucket[3].formula, "kv_lora_rank"));
    memory_train(&llama, &count, &training, bucket);
    assert_null(strstr(bucket[3].formula, "kv_lora_rank"));
}

/* The formula of the optimizer's bucket is of that bucket's bytes alone. */
static void formulas_are_of_their_own_bucket(void **state)
{
    struct transformer_count count = transformer_count(&llama, &both);

    (void)state;
    for (size_t i = 0; i < memory_recipe_count(); i++) {
        struct memory_training training = {.recipe = memory_recipe_at(i), .ranks = 1};
        struct memory_bucket bucket[MEMORY_TRAINING_BUCKETS];
        const char *at;
        double sum = 0;

        memory_train(&llama, &count, &training, bucket);
        at = strchr(bucket[2].formula, '(');
        assert_non_null(at);
        for (at++; *at != ')'; at++)
            sum += *at >= '0' && *at <= '9' ? *at - '0' : 0;
        assert_near(bucket[2].bytes, sum * count.n_total, 0);
    }
}

static void routed_tokens_are_copied_to_their_experts(void **state)
{
    struct transformer moe = llama;

    (void)state;
    moe.experts = 8;
    moe.top_k = 2;
    moe.expert_hidden = 7168; /* as much as the dense layer's */
    assert_near(memory_activation_bytes(&moe, true) - memory_activation_bytes(&moe, false),
                2 * 2 * 4096, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serving_is_weights_and_cache),
        cmocka_unit_test(zero_stages_shard_as_their_paper_prints),
        cmocka_unit_test(every_recipe_says_what_it_is),
        cmocka_unit_test(activations_are_counted_tensor_by_tensor),
        cmocka_unit_test(latent_attention_keeps_its_ranks_and_says_so),
        cmocka_unit_test(formulas_are_of_their_own_bucket),
        cmocka_unit_test(routed_tokens_are_copied_to_their_experts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
