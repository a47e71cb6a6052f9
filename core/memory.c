#include "core/memory.h"

#include <math.h>
#include <string.h>

static const char zero[] = "arXiv 1910.02054, Sec. 5 (ZeRO)";
static const char activations[] = "after arXiv 2205.05198, Sec. 4.1, with fused attention (arXiv "
                                  "2205.14135), no dropout, SwiGLU and expert dispatch";

#define OF_LAYER                                                                                   \
    "2 · (4·d_model + (heads + kv_heads)·2·head_dim + top_k·d_model + 3·hidden used) + 4·heads"
#define OF_LATENT_LAYER                                                                               \
    "2 · (4·d_model + 2·heads·(qk_nope_head_dim + qk_rope_head_dim + v_head_dim) + kv_lora_rank " \
    "+ "                                                                                              \
    "q_lora_rank + top_k·d_model + 3·hidden used) + 4·heads"

/* By latent attention, by recompute. top_k and hidden are those a token uses; top_k is 0 in layers
 * without experts. */
static const char *const activation_formulas[2][2] = {
    {"tokens · Σ over layers of (" OF_LAYER ")",
     "tokens · (2 · layers · d_model + the largest layer's " OF_LAYER ")"},
    {"tokens · Σ over layers of (" OF_LATENT_LAYER ")",
     "tokens · (2 · layers · d_model + the largest layer's " OF_LATENT_LAYER ")"},
};

static const struct memory_recipe recipes[] = {
    {"adam-bf16", 2, 2, 12, "n_total · (4 master + 4 + 4 moments) bytes, ÷ ranks from ZeRO stage 1",
     zero},
    {"adam-bf16-fp32-grads", 2, 4, 12,
     "n_total · (4 master + 4 + 4 moments) bytes, ÷ ranks from ZeRO stage 1",
     "Megatron-LM distributed optimizer, main gradients in fp32"},
    {"adam-fp32", 4, 4, 8, "n_total · (4 + 4 moments) bytes, ÷ ranks from ZeRO stage 1", zero},
    {"adam-8bit", 2, 2, 6, "n_total · (4 master + 1 + 1 moments) bytes, ÷ ranks from ZeRO stage 1",
     "arXiv 2110.02861 (8-bit optimizers)"},
    {"sgd-momentum-bf16", 2, 2, 8,
     "n_total · (4 master + 4 momentum) bytes, ÷ ranks from ZeRO stage 1", zero},
};

size_t memory_recipe_count(void)
{
    return sizeof recipes / sizeof recipes[0];
}

const struct memory_recipe *memory_recipe_at(size_t index)
{
    return &recipes[index];
}

const struct memory_recipe *memory_recipe_find(const char *id)
{
    for (size_t i = 0; i < memory_recipe_count(); i++)
        if (strcmp(recipes[i].id, id) == 0)
            return &recipes[i];
    return NULL;
}

void memory_serving(const struct transformer_count *count, double bytes_per_param, double kv_tokens,
                    double bytes_per_element, struct memory_bucket ret[MEMORY_SERVING_BUCKETS])
{
    ret[0] = (struct memory_bucket){
        .name = "weights",
        .bytes = count->n_total * bytes_per_param,
        .formula = "n_total · bytes_per_param",
        .source = "arXiv 2502.05172, Sec. 4",
    };
    ret[1] = (struct memory_bucket){
        .name = "kv_cache",
        .bytes = count->kv_cache_elements * kv_tokens * bytes_per_element,
        .formula = "layers · (2 · kv_heads · head_dim, or kv_lora_rank + qk_rope_head_dim) · "
                   "kv_tokens · bytes",
        .source = "arXiv 2305.13245 (grouped queries), arXiv 2405.04434 (latent attention)",
    };
}

/* Two bytes each of: both norms' inputs (2·d) and outputs (2·d), queries, keys, values and the
 * attention's output; four of the softmax's logarithm, one a head; of each hidden unit used, gate,
 * up and their product. A routed token is copied to each of its experts (top_k·d). */
double memory_activation_bytes(const struct transformer *t, bool has_experts)
{
    double head = t->head_dim, value = head, keys = t->kv_heads;
    double hidden = t->dense_hidden, copies = 0;

    if (t->kv_lora_rank > 0) {
        head = t->qk_nope_head_dim + t->qk_rope_head_dim;
        value = t->v_head_dim;
        keys = t->heads;
    }
    if (has_experts) {
        hidden = t->top_k * t->expert_hidden + t->shared_hidden;
        copies = t->top_k;
    }
    return 2 * (4 * t->d_model + t->heads * (head + value) + keys * (head + value) +
                t->kv_lora_rank + t->q_lora_rank + copies * t->d_model + 3 * hidden) +
           4 * t->heads;
}

void memory_train(const struct transformer *transformer, const struct transformer_count *count,
                  const struct memory_training *training,
                  struct memory_bucket ret[MEMORY_TRAINING_BUCKETS])
{
    const struct memory_recipe *recipe = training->recipe;
    double n = count->n_total, ranks = fmax(1, training->ranks);
    double tokens = training->sequence * training->batch;
    double sparse = memory_activation_bytes(transformer, true);
    double dense = memory_activation_bytes(transformer, false);
    double layers = count->moe_layers * sparse + count->dense_layers * dense;

    if (training->recompute) /* every layer's input, and the one layer being computed again */
        layers = 2 * transformer->layers * transformer->d_model +
                 fmax(count->moe_layers > 0 ? sparse : 0, count->dense_layers > 0 ? dense : 0);
    ret[0] = (struct memory_bucket){
        .name = "weights",
        .bytes = n * recipe->weights / (training->zero_stage >= 3 ? ranks : 1),
        .formula = "n_total · weight bytes, ÷ ranks from ZeRO stage 3",
        .source = zero,
    };
    ret[1] = (struct memory_bucket){
        .name = "gradients",
        .bytes = n * recipe->gradients / (training->zero_stage >= 2 ? ranks : 1),
        .formula = "n_total · gradient bytes, ÷ ranks from ZeRO stage 2",
        .source = zero,
    };
    ret[2] = (struct memory_bucket){
        .name = "optimizer",
        .bytes = n * recipe->states / (training->zero_stage >= 1 ? ranks : 1),
        .formula = recipe->formula,
        .source = recipe->source,
    };
    ret[3] = (struct memory_bucket){
        .name = "activations",
        .bytes = tokens * layers,
        .formula = activation_formulas[transformer->kv_lora_rank > 0][training->recompute],
        .source = activations,
    };
}
