#include "server/config.h"

#include <math.h>
#include <string.h>

#include "server/config_style.h"
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
    bool tie_word_embeddings, attention_bias, qkv_bias, mlp_bias, lm_head_bias, use_qk_norm;
    const char *topk_method;
    const struct json *mlp_only_layers; /* checked: an array of whole numbers; NULL without */
    struct counting counting;
};

enum { SIZE_MAX_KEY = 1000000000, MLP_ONLY_MAX = 1000 };

static enum err_code read_mlp_only(const struct json *value, const char *pointer, void *target,
                                   struct arena *arena, struct err *err);
static enum err_code read_counting(const struct json *value, const char *pointer, void *target,
                                   struct arena *arena, struct err *err);

#define KEY_FROM(key, least, needed)                                                               \
    {                                                                                              \
        .name = #key, .kind = FIELD_COUNT, .offset = offsetof(struct keys, key), .min = (least),   \
        .max = SIZE_MAX_KEY, .whole = true, .required = (needed)                                   \
    }
#define NEEDED(key) KEY_FROM(key, 1, true)
#define SIZE(key) KEY_FROM(key, 1, false)  /* of what there is */
#define COUNT(key) KEY_FROM(key, 0, false) /* of what there may be none of */

#define FLAG(key)                                                                                  \
    {                                                                                              \
        .name = #key, .kind = FIELD_BOOL, .offset = offsetof(struct keys, key)                     \
    }

static const struct field keys_fields[] = {
    NEEDED(vocab_size),
    NEEDED(hidden_size),
    NEEDED(num_hidden_layers),
    NEEDED(num_attention_heads),
    SIZE(num_key_value_heads),
    SIZE(head_dim),
    COUNT(intermediate_size),
    COUNT(moe_intermediate_size),
    COUNT(num_experts),
    COUNT(num_local_experts),
    COUNT(n_routed_experts),
    COUNT(num_experts_per_tok),
    COUNT(n_shared_experts),
    COUNT(shared_expert_intermediate_size),
    SIZE(decoder_sparse_step),
    SIZE(moe_layer_freq),
    COUNT(first_k_dense_replace),
    COUNT(q_lora_rank),
    COUNT(kv_lora_rank),
    COUNT(qk_nope_head_dim),
    COUNT(qk_rope_head_dim),
    COUNT(v_head_dim),
    COUNT(num_nextn_predict_layers),
    FLAG(tie_word_embeddings),
    FLAG(attention_bias),
    FLAG(qkv_bias),
    FLAG(mlp_bias),
    FLAG(lm_head_bias),
    FLAG(use_qk_norm),
    {.name = "topk_method", .kind = FIELD_TEXT, .offset = offsetof(struct keys, topk_method)},
    {.name = "mlp_only_layers",
     .kind = FIELD_CUSTOM,
     .offset = offsetof(struct keys, mlp_only_layers),
     .custom = read_mlp_only},
    {.name = CONFIG_COUNTING,
     .kind = FIELD_CUSTOM,
     .offset = offsetof(struct keys, counting),
     .custom = read_counting},
};

enum { KEYS_FIELDS = sizeof keys_fields / sizeof keys_fields[0] };

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

static enum err_code read_mlp_only(const struct json *value, const char *pointer, void *target,
                                   struct arena *arena, struct err *err)
{
    size_t count = 0;

    (void)arena;
    if (json_kind(value) != JSON_ARRAY)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be an array, not %s",
                       json_kind_name(json_kind(value)));
    for (const struct json *at = json_first(value); at != NULL; at = json_next(at))
        if (json_kind(at) != JSON_NUMBER || json_number(at) < 0 ||
            json_number(at) != floor(json_number(at)) || ++count > MLP_ONLY_MAX)
            return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
                           "must hold numbers of layers, from 0, at most %d of them", MLP_ONLY_MAX);
    *(const struct json **)target = value;
    return ERR_OK;
}

static enum err_code read_counting(const struct json *value, const char *pointer, void *target,
                                   struct arena *arena, struct err *err)
{
    static const struct field table[] = {
        {.name = "embedding",
         .kind = FIELD_CHOICE,
         .offset = offsetof(struct counting, embedding),
         .choices = counting_embeddings},
        {.name = "count",
         .kind = FIELD_CHOICE,
         .offset = offsetof(struct counting, count),
         .choices = counting_counts},
    };
    struct field_presence presence;

    return field_from_json(table, sizeof table / sizeof *table, value, pointer, other_key, NULL,
                           target, &presence, arena, err);
}

/* A configuration under way: where it stands, for the pointers of faults. */
struct reading {
    const char *pointer; /* "", or "/text_config" */
    struct arena *arena;
    struct err *err;
};

static void fault(const struct reading *reading, const char *key, const char *detail)
{
    const char *pointer = arena_printf(reading->arena, "%s/%s", reading->pointer, key);

    err_add(reading->err, ERR_INVALID, ERR_AT_POINTER, pointer != NULL ? pointer : reading->pointer,
            0, "%s", detail);
}

static const char *text_of(const struct json *value)
{
    return value != NULL && json_kind(value) == JSON_TEXT ? json_text(value) : NULL;
}

static const struct config_style *find_style(const struct reading *reading, const struct json *root)
{
    const struct json *type = json_member(root, "model_type");
    const struct json *list = json_member(root, "architectures");
    bool is_list = list != NULL && json_kind(list) == JSON_ARRAY;
    const struct config_style *style =
        type == NULL ? config_style_find(NULL, is_list ? text_of(json_first(list)) : NULL)
        : text_of(type) != NULL ? config_style_find(text_of(type), NULL)
                                : NULL;

    if (style == NULL)
        fault(reading, "model_type",
              type == NULL ? "is required: " CONFIG_STYLES : "must be one of " CONFIG_STYLES);
    return style;
}

/* What a style needs beyond what all do. */
static double need(const struct reading *reading, const char *key, double value)
{
    if (!(value > 0))
        fault(reading, key,
              isnan(value) ? "is required by this model_type"
                           : "must be at least 1 in this model_type");
    return value;
}

static double or_else(double value, double otherwise)
{
    return isnan(value) ? otherwise : value;
}

/* Of layers 0, 1, …: Qwen's have experts where the number behind theirs is a multiple of the step,
 * but for those listed; DeepSeek's where their own is one, but for the first ones. */
static double count_moe_layers(const struct config_style *style, const struct keys *k)
{
    double layers = k->num_hidden_layers, step, count;
    const struct json *first = k->mlp_only_layers != NULL ? json_first(k->mlp_only_layers) : NULL;

    if (style->experts == N_ROUTED_EXPERTS) {
        step = or_else(k->moe_layer_freq, 1);
        return ceil(layers / step) -
               ceil(fmin(layers, or_else(k->first_k_dense_replace, 0)) / step);
    }
    step = or_else(k->decoder_sparse_step, 1);
    count = floor(layers / step);
    for (const struct json *at = first; at != NULL; at = json_next(at)) {
        bool again = false;

        for (const struct json *other = first; other != at; other = json_next(other))
            again |= json_number(other) == json_number(at);
        if (!again && fmod(json_number(at) + 1, step) == 0)
            count--;
    }
    return count;
}

/* What is of the wrong size beside another key. */
static void check_experts(const struct reading *reading, const struct config_style *style,
                          const struct keys *k, const struct transformer *t)
{
    const struct json *first = k->mlp_only_layers != NULL ? json_first(k->mlp_only_layers) : NULL;

    if (t->experts > 0 && t->top_k > t->experts)
        fault(reading, "num_experts_per_tok", "must be at most the number of experts");
    if (t->shared_hidden > SIZE_MAX_KEY)
        fault(reading, "n_shared_experts", "makes them wider than 1e9 together");
    if (style->experts == N_ROUTED_EXPERTS && k->first_k_dense_replace > k->num_hidden_layers)
        fault(reading, "first_k_dense_replace", "must be at most num_hidden_layers");
    for (const struct json *at = first; at != NULL; at = json_next(at))
        if (json_number(at) >= k->num_hidden_layers) {
            fault(reading, "mlp_only_layers", "must hold layers below num_hidden_layers");
            break;
        }
}

static void read_experts(const struct reading *reading, const struct config_style *style,
                         const struct keys *k, struct transformer *t)
{
    static const char *const names[] = {[NUM_EXPERTS] = "num_experts",
                                        [NUM_LOCAL_EXPERTS] = "num_local_experts",
                                        [N_ROUTED_EXPERTS] = "n_routed_experts"};
    const double count[] = {[NUM_EXPERTS] = k->num_experts,
                            [NUM_LOCAL_EXPERTS] = k->num_local_experts,
                            [N_ROUTED_EXPERTS] = k->n_routed_experts};

    if (style->experts == DENSE)
        return;
    t->experts = need(reading, names[style->experts], count[style->experts]);
    t->top_k = need(reading, "num_experts_per_tok", k->num_experts_per_tok);
    t->expert_hidden = style->wide_experts
                           ? need(reading, "intermediate_size", k->intermediate_size)
                           : need(reading, "moe_intermediate_size", k->moe_intermediate_size);
    if (style->experts == N_ROUTED_EXPERTS)
        t->shared_hidden = or_else(k->n_shared_experts, 0) * t->expert_hidden;
    else if (style->shared_gate)
        t->shared_hidden = or_else(k->shared_expert_intermediate_size, 0);
    check_experts(reading, style, k, t);
    t->shared_gate = style->shared_gate && t->shared_hidden > 0;
    t->moe_layers = count_moe_layers(style, k);
    t->router_bias = k->topk_method != NULL && style->latent
                         ? strcmp(k->topk_method, "noaux_tc") == 0
                         : style->router_bias;
    t->expert_bias = style->expert_bias;
    t->mtp_layers = or_else(k->num_nextn_predict_layers, 0);
}

static void read_attention(const struct reading *reading, const struct config_style *style,
                           const struct keys *k, struct transformer *t)
{
    bool by_key = style->bias == BIAS_QKV || style->bias == BIAS_ALL;

    t->heads = k->num_attention_heads;
    t->kv_heads = or_else(k->num_key_value_heads, t->heads);
    t->head_dim = or_else(k->head_dim, t->d_model / t->heads);
    t->qkv_bias = style->bias == BIAS_QKV_ALWAYS || (by_key && k->attention_bias) ||
                  (style->bias == BIAS_QKV_UNLESS && k->qkv_bias);
    t->output_bias = style->bias == BIAS_ALL && k->attention_bias;
    t->sinks = style->sinks;
    t->qk_norm =
        style->qk_norm_by_key && !k->use_qk_norm ? TRANSFORMER_QK_NORM_NONE : style->qk_norm;
    if (!style->latent) {
        if (fmod(t->heads, t->kv_heads) != 0)
            fault(reading, "num_key_value_heads", "must divide num_attention_heads");
        if (t->head_dim != floor(t->head_dim))
            fault(reading, "hidden_size",
                  "must be a multiple of num_attention_heads where head_dim is not given");
        return;
    }
    t->q_lora_rank = or_else(k->q_lora_rank, 0);
    t->kv_lora_rank = need(reading, "kv_lora_rank", k->kv_lora_rank);
    t->qk_nope_head_dim = need(reading, "qk_nope_head_dim", k->qk_nope_head_dim);
    t->qk_rope_head_dim = need(reading, "qk_rope_head_dim", k->qk_rope_head_dim);
    t->v_head_dim = need(reading, "v_head_dim", k->v_head_dim);
    t->head_dim = 0;
}

/* Models that see or hear keep the language model's part in text_config. */
static const struct json *text_part(const struct json *root, struct reading *reading)
{
    const struct json *text = NULL;

    if (json_kind(root) == JSON_OBJECT && json_member(root, "hidden_size") == NULL)
        text = json_member(root, "text_config");
    if (text == NULL || json_kind(text) != JSON_OBJECT)
        return root;
    reading->pointer = "/text_config";
    return text;
}

static enum err_code read_keys(const struct json *root, const struct reading *reading,
                               struct keys *ret)
{
    struct field_presence presence;

    memset(ret, 0, sizeof *ret);
    ret->qkv_bias = true;
    ret->counting = (struct counting){COUNTING_UNSTATED, COUNTING_UNSTATED};
    for (size_t i = 0; i < KEYS_FIELDS; i++)
        if (keys_fields[i].kind == FIELD_COUNT)
            *(double *)(void *)((char *)ret + keys_fields[i].offset) = NAN;
    return field_from_json(keys_fields, KEYS_FIELDS, root, reading->pointer, other_key, NULL, ret,
                           &presence, reading->arena, reading->err);
}

enum err_code config_read(const struct json *root, struct arena *arena, struct config *ret,
                          struct err *err)
{
    struct reading reading = {.pointer = "", .arena = arena, .err = err};
    const struct json *text = text_part(root, &reading);
    const struct config_style *style;
    struct transformer t = {0};
    struct keys k;
    const char *wrong;

    read_keys(text, &reading, &k);
    style = json_kind(text) == JSON_OBJECT ? find_style(&reading, text) : NULL;
    if (err->code != ERR_OK || style == NULL)
        return err->code;
    t.vocabulary = k.vocab_size;
    t.d_model = k.hidden_size;
    t.layers = k.num_hidden_layers;
    t.tied_embeddings = k.tie_word_embeddings;
    t.dense_hidden = or_else(k.intermediate_size, 0);
    t.ffn_bias = k.mlp_bias;
    t.head_bias = k.lm_head_bias;
    t.norm_bias = style->norm_bias;
    read_attention(&reading, style, &k, &t);
    read_experts(&reading, style, &k, &t);
    if ((t.experts == 0 || t.moe_layers < t.layers) && t.dense_hidden == 0)
        need(&reading, "intermediate_size", k.intermediate_size);
    if (err->code != ERR_OK)
        return err->code;
    wrong = transformer_check(&t);
    if (wrong != NULL)
        return err_set(err, ERR_INVALID, "%s", wrong);
    *ret = (struct config){t, style->model_type, k.counting};
    return ERR_OK;
}
