#include "server/config.h"

#include <math.h>
#include <string.h>

#include "server/field.h"

/* The keys, by their own names; NAN where they are not given. */
struct keys {
    double vocab_size, hidden_size, num_hidden_layers, num_attention_heads;
    double num_key_value_heads, head_dim, intermediate_size, moe_intermediate_size;
    double num_experts, num_local_experts, n_routed_experts, num_experts_per_tok;
    double n_shared_experts, shared_expert_intermediate_size;
    double decoder_sparse_step, moe_layer_freq, first_k_dense_replace;
    double q_lora_rank, kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim;
    double num_nextn_predict_layers;
    bool tie_word_embeddings, attention_bias;
    const char *topk_method;
    size_t mlp_only; /* how many layers from the first on have no experts */
};

enum { SIZE_MAX_KEY = 1000000000 };

static enum err_code read_mlp_only(const struct json *value, const char *pointer, void *target,
                                   struct arena *arena, struct err *err);

#define KEY(key)                                                                                   \
    {                                                                                              \
        .name = #key, .kind = FIELD_COUNT, .offset = offsetof(struct keys, key),                   \
        .max = SIZE_MAX_KEY                                                                        \
    }
#define NEEDED(key)                                                                                \
    {                                                                                              \
        .name = #key, .kind = FIELD_COUNT, .offset = offsetof(struct keys, key),                   \
        .max = SIZE_MAX_KEY, .min_exclusive = true, .required = true                               \
    }

static const struct field keys_fields[] = {
    NEEDED(vocab_size),
    NEEDED(hidden_size),
    NEEDED(num_hidden_layers),
    NEEDED(num_attention_heads),
    KEY(num_key_value_heads),
    KEY(head_dim),
    KEY(intermediate_size),
    KEY(moe_intermediate_size),
    KEY(num_experts),
    KEY(num_local_experts),
    KEY(n_routed_experts),
    KEY(num_experts_per_tok),
    KEY(n_shared_experts),
    KEY(shared_expert_intermediate_size),
    KEY(decoder_sparse_step),
    KEY(moe_layer_freq),
    KEY(first_k_dense_replace),
    KEY(q_lora_rank),
    KEY(kv_lora_rank),
    KEY(qk_nope_head_dim),
    KEY(qk_rope_head_dim),
    KEY(v_head_dim),
    KEY(num_nextn_predict_layers),
    {.name = "tie_word_embeddings",
     .kind = FIELD_BOOL,
     .offset = offsetof(struct keys, tie_word_embeddings)},
    {.name = "attention_bias", .kind = FIELD_BOOL, .offset = offsetof(struct keys, attention_bias)},
    {.name = "topk_method", .kind = FIELD_TEXT, .offset = offsetof(struct keys, topk_method)},
    {.name = "mlp_only_layers",
     .kind = FIELD_CUSTOM,
     .offset = offsetof(struct keys, mlp_only),
     .custom = read_mlp_only},
};

enum { KEYS_FIELDS = sizeof keys_fields / sizeof keys_fields[0] };

/* Where a style has its number of experts, and their width. */
enum experts { DENSE, NUM_EXPERTS, NUM_LOCAL_EXPERTS, N_ROUTED_EXPERTS };

static const struct style {
    const char *model_type, *architecture;
    enum experts experts;
    bool wide_experts; /* as wide as intermediate_size says */
    enum transformer_qk_norm qk_norm;
    bool qkv_bias; /* whatever attention_bias says */
    bool shared_gate, latent;
} styles[] = {
    {"llama", "LlamaForCausalLM", DENSE, .qk_norm = TRANSFORMER_QK_NORM_NONE},
    {"mistral", "MistralForCausalLM", DENSE, .qk_norm = TRANSFORMER_QK_NORM_NONE},
    {"qwen2", "Qwen2ForCausalLM", DENSE, .qkv_bias = true},
    {"qwen3", "Qwen3ForCausalLM", DENSE, .qk_norm = TRANSFORMER_QK_NORM_HEAD},
    {"mixtral", "MixtralForCausalLM", NUM_LOCAL_EXPERTS, .wide_experts = true},
    {"qwen2_moe", "Qwen2MoeForCausalLM", NUM_EXPERTS, .qkv_bias = true, .shared_gate = true},
    {"qwen3_moe", "Qwen3MoeForCausalLM", NUM_EXPERTS, .qk_norm = TRANSFORMER_QK_NORM_HEAD},
    {"olmoe", "OlmoeForCausalLM", NUM_EXPERTS, .wide_experts = true,
     .qk_norm = TRANSFORMER_QK_NORM_FULL},
    {"deepseek", "DeepseekForCausalLM", N_ROUTED_EXPERTS, .qk_norm = TRANSFORMER_QK_NORM_NONE},
    {"deepseek_v2", "DeepseekV2ForCausalLM", N_ROUTED_EXPERTS, .latent = true},
    {"deepseek_v3", "DeepseekV3ForCausalLM", N_ROUTED_EXPERTS, .latent = true},
    {"kimi_k2", NULL, N_ROUTED_EXPERTS, .latent = true},
};

static bool other_key(void *ctx, const char *name, const struct json *value, const char *pointer,
                      struct err *err)
{
    (void)ctx;
    (void)name;
    (void)value;
    (void)pointer;
    (void)err;
    return true;
}

/* [0, 1, … k − 1] only: other places are not the counter's. */
static enum err_code read_mlp_only(const struct json *value, const char *pointer, void *target,
                                   struct arena *arena, struct err *err)
{
    size_t count = 0;

    (void)arena;
    if (json_kind(value) != JSON_ARRAY)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be an array, not %s",
                       json_kind_name(json_kind(value)));
    for (const struct json *at = json_first(value); at != NULL; at = json_next(at), count++)
        if (json_kind(at) != JSON_NUMBER || json_number(at) != (double)count)
            return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                           "only the first layers, ascending from 0, are read");
    *(size_t *)target = count;
    return ERR_OK;
}

static const struct style *find_style(const struct json *root, struct err *err)
{
    const struct json *type = json_member(root, "model_type");
    const struct json *list = json_member(root, "architectures");
    const struct json *name =
        list != NULL && json_kind(list) == JSON_ARRAY ? json_first(list) : NULL;

    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++) {
        if (type != NULL && json_kind(type) == JSON_TEXT &&
            strcmp(json_text(type), styles[i].model_type) == 0)
            return &styles[i];
        if (type == NULL && name != NULL && json_kind(name) == JSON_TEXT &&
            styles[i].architecture != NULL && strcmp(json_text(name), styles[i].architecture) == 0)
            return &styles[i];
    }
    err_add(err, ERR_INVALID, ERR_AT_POINTER, "/model_type", 0,
            "%s llama, mistral, qwen2, qwen3, mixtral, qwen2_moe, qwen3_moe, olmoe, deepseek, "
            "deepseek_v2, deepseek_v3, kimi_k2",
            type == NULL ? "is required:" : "must be one of");
    return NULL;
}

/* What a style needs beyond what all do. */
static double need(const char *pointer, double value, struct err *err)
{
    if (!(value > 0))
        err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "is required by this model_type");
    return value;
}

static double or_else(double value, double otherwise)
{
    return isnan(value) ? otherwise : value;
}

static void read_experts(const struct style *style, const struct keys *k, struct transformer *t,
                         struct err *err)
{
    static const char *const pointers[] = {[DENSE] = "",
                                           [NUM_EXPERTS] = "/num_experts",
                                           [NUM_LOCAL_EXPERTS] = "/num_local_experts",
                                           [N_ROUTED_EXPERTS] = "/n_routed_experts"};
    const double count[] = {[DENSE] = 0,
                            [NUM_EXPERTS] = k->num_experts,
                            [NUM_LOCAL_EXPERTS] = k->num_local_experts,
                            [N_ROUTED_EXPERTS] = k->n_routed_experts};

    if (style->experts == DENSE)
        return;
    t->experts = need(pointers[style->experts], count[style->experts], err);
    t->top_k = need("/num_experts_per_tok", k->num_experts_per_tok, err);
    t->expert_hidden = style->wide_experts
                           ? need("/intermediate_size", k->intermediate_size, err)
                           : need("/moe_intermediate_size", k->moe_intermediate_size, err);
    if (style->experts == N_ROUTED_EXPERTS)
        t->shared_hidden = or_else(k->n_shared_experts, 0) * t->expert_hidden;
    else if (style->shared_gate)
        t->shared_hidden = or_else(k->shared_expert_intermediate_size, 0);
    t->shared_gate = style->shared_gate && t->shared_hidden > 0;
    t->sparse_step = style->experts == N_ROUTED_EXPERTS ? or_else(k->moe_layer_freq, 1)
                                                        : or_else(k->decoder_sparse_step, 1);
    t->first_dense = style->experts == N_ROUTED_EXPERTS ? or_else(k->first_k_dense_replace, 0)
                                                        : (double)k->mlp_only;
    t->router_bias = k->topk_method != NULL && strcmp(k->topk_method, "noaux_tc") == 0;
    t->mtp_layers = or_else(k->num_nextn_predict_layers, 0);
}

static void read_attention(const struct style *style, const struct keys *k, struct transformer *t,
                           struct err *err)
{
    t->heads = k->num_attention_heads;
    t->kv_heads = or_else(k->num_key_value_heads, t->heads);
    t->head_dim = or_else(k->head_dim, t->d_model / t->heads);
    t->qkv_bias = style->qkv_bias || k->attention_bias;
    t->qk_norm = style->qk_norm;
    if (!style->latent)
        return;
    t->q_lora_rank = or_else(k->q_lora_rank, 0);
    t->kv_lora_rank = need("/kv_lora_rank", k->kv_lora_rank, err);
    t->qk_nope_head_dim = need("/qk_nope_head_dim", k->qk_nope_head_dim, err);
    t->qk_rope_head_dim = need("/qk_rope_head_dim", k->qk_rope_head_dim, err);
    t->v_head_dim = need("/v_head_dim", k->v_head_dim, err);
    t->head_dim = 0;
}

enum err_code config_read(const struct json *root, struct arena *arena, struct transformer *ret,
                          const char **ret_style, struct err *err)
{
    struct keys k;
    struct transformer t = {0};
    struct field_presence presence;
    const struct style *style;
    const char *fault;

    memset(&k, 0, sizeof k);
    for (size_t i = 0; i < KEYS_FIELDS; i++)
        if (keys_fields[i].kind == FIELD_COUNT)
            *(double *)(void *)((char *)&k + keys_fields[i].offset) = NAN;
    field_from_json(keys_fields, KEYS_FIELDS, root, "", other_key, NULL, &k, &presence, arena, err);
    style = json_kind(root) == JSON_OBJECT ? find_style(root, err) : NULL;
    if (err->code != ERR_OK)
        return err->code;
    t.vocabulary = k.vocab_size;
    t.d_model = k.hidden_size;
    t.layers = k.num_hidden_layers;
    t.tied_embeddings = k.tie_word_embeddings;
    t.dense_hidden = or_else(k.intermediate_size, 0);
    read_attention(style, &k, &t, err);
    read_experts(style, &k, &t, err);
    if ((t.experts == 0 || t.first_dense > 0 || t.sparse_step > 1) && t.dense_hidden == 0)
        need("/intermediate_size", k.intermediate_size, err);
    if (err->code != ERR_OK)
        return err->code;
    fault = transformer_check(&t);
    if (fault != NULL)
        return err_set(err, ERR_INVALID, "%s", fault);
    *ret = t;
    *ret_style = style->model_type;
    return ERR_OK;
}
