#include "server/config_style.h"

#include <string.h>

/* After the modelling code of each in Hugging Face's transformers. */
static const struct config_style styles[] = {
    {"llama", "LlamaForCausalLM", .bias = BIAS_ALL},
    {"mistral", "MistralForCausalLM", .bias = BIAS_NEVER},
    {"olmo2", "Olmo2ForCausalLM", .bias = BIAS_ALL, .qk_norm = TRANSFORMER_QK_NORM_FULL},
    {"granite", "GraniteForCausalLM", .bias = BIAS_ALL},
    {"qwen2", "Qwen2ForCausalLM", .bias = BIAS_QKV_ALWAYS},
    {"qwen3", "Qwen3ForCausalLM", .bias = BIAS_ALL, .qk_norm = TRANSFORMER_QK_NORM_HEAD},
    {"mixtral", "MixtralForCausalLM", NUM_LOCAL_EXPERTS, .wide_experts = true},
    {"granitemoe", "GraniteMoeForCausalLM", NUM_LOCAL_EXPERTS, .wide_experts = true,
     .bias = BIAS_ALL},
    {"phimoe", "PhiMoEForCausalLM", NUM_LOCAL_EXPERTS, .wide_experts = true, .bias = BIAS_ALL,
     .norm_bias = true},
    {"gpt_oss", "GptOssForCausalLM", NUM_LOCAL_EXPERTS, .wide_experts = true, .bias = BIAS_ALL,
     .sinks = true, .router_bias = true, .expert_bias = true},
    {"qwen2_moe", "Qwen2MoeForCausalLM", NUM_EXPERTS, .bias = BIAS_QKV_UNLESS, .shared_gate = true},
    {"qwen3_moe", "Qwen3MoeForCausalLM", NUM_EXPERTS, .bias = BIAS_ALL,
     .qk_norm = TRANSFORMER_QK_NORM_HEAD},
    {"olmoe", "OlmoeForCausalLM", NUM_EXPERTS, .wide_experts = true, .bias = BIAS_ALL,
     .qk_norm = TRANSFORMER_QK_NORM_FULL},
    {"glm4_moe", "Glm4MoeForCausalLM", N_ROUTED_EXPERTS, .bias = BIAS_QKV,
     .qk_norm = TRANSFORMER_QK_NORM_HEAD, .qk_norm_by_key = true, .router_bias = true},
    {"deepseek", "DeepseekForCausalLM", N_ROUTED_EXPERTS, .bias = BIAS_ALL},
    {"deepseek_v2", "DeepseekV2ForCausalLM", N_ROUTED_EXPERTS, .bias = BIAS_ALL, .latent = true},
    {"deepseek_v3", "DeepseekV3ForCausalLM", N_ROUTED_EXPERTS, .bias = BIAS_ALL, .latent = true,
     .router_bias = true},
    {"kimi_k2", NULL, N_ROUTED_EXPERTS, .bias = BIAS_ALL, .latent = true, .router_bias = true},
};

const struct config_style *config_style_find(const char *model_type, const char *architecture)
{
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++) {
        if (model_type != NULL ? strcmp(model_type, styles[i].model_type) == 0
                               : architecture != NULL && styles[i].architecture != NULL &&
                                     strcmp(architecture, styles[i].architecture) == 0)
            return &styles[i];
    }
    return NULL;
}
