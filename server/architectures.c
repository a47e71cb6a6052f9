/* architectures: the handler of POST /v1/architecture: a published configuration, counted. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/transformer.h"
#include "server/answer.h"
#include "server/config.h"
#include "server/footprint.h"
#include "server/handlers.h"
#include "server/model.h"
#include "server/question.h"
#include "server/warning.h"

static const char *const architecture_members[] = {"style",
                                                   "convention",
                                                   "experts",
                                                   "granularity",
                                                   "n_active",
                                                   "n_total",
                                                   "n_non_embedding",
                                                   "train_flops_per_token",
                                                   "inference_flops_per_token",
                                                   "routing_flops_per_token",
                                                   "kv_cache_bytes_per_token",
                                                   "moe_layers",
                                                   "dense_layers",
                                                   "breakdown",
                                                   "mtp",
                                                   "memory",
                                                   "warnings",
                                                   NULL};

struct architecture_query {
    struct counting counting;
    double bytes_per_param, kv_tokens;
    struct footprint_query footprint;
    const char *fields;
};

#define AT(member) offsetof(struct architecture_query, member)

const struct field architecture_fields[] = {
    {.name = "embedding",
     .kind = FIELD_CHOICE,
     .offset = AT(counting.embedding),
     .choices = counting_embeddings,
     .help =
         "Which embeddings n_active counts: both, that of the output, or none; one matrix where "
         "they are tied. n_total counts both. By default as a configuration exported here says "
         "(moeplan.embedding), else both."},
    {.name = "count",
     .kind = FIELD_CHOICE,
     .offset = AT(counting.count),
     .choices = counting_counts,
     .help =
         "all: every parameter of the checkpoint; laws: as the laws count, without norms, "
         "biases and routers. By default as a configuration exported here says (moeplan.count), "
         "else all."},
    {.name = "bytes_per_param",
     .kind = FIELD_NUMBER,
     .offset = AT(bytes_per_param),
     .min_exclusive = true,
     .max = 1e6,
     .unit = "bytes",
     .fallback = "2",
     .help = "Bytes of a parameter, and of a cache element, when serving."},
    {.name = "kv_tokens",
     .kind = FIELD_COUNT,
     .offset = AT(kv_tokens),
     .max = 1e30,
     .unit = "tokens",
     .fallback = "0",
     .help = "Tokens held in the KV cache."},
    FOOTPRINT_FIELDS(struct architecture_query, footprint),
    SELECT_FIELD(struct architecture_query, fields),
};
TABLE_IS(architecture_fields, ARCHITECTURE_FIELDS);

static void write_breakdown(struct out *out, const struct transformer_count *count)
{
    out_object_begin(out, "breakdown");
    out_number(out, "input_embedding", count->input_embedding);
    out_number(out, "output_embedding", count->output_embedding);
    out_number(out, "attention", count->attention);
    out_number(out, "dense_ffn", count->dense_ffn);
    out_number(out, "router", count->router);
    out_number(out, "experts", count->experts);
    out_number(out, "shared_experts", count->shared_experts);
    out_number(out, "norms", count->norms);
    out_object_end(out);
}

static void write_warnings(struct out *out, const struct config *config)
{
    const char *others = config->other_parts;
    char detail[1200];

    out_array_begin(out, "warnings");
    if (config->defaults != NULL) {
        snprintf(detail, sizeof detail, "left out, and taken as transformers has them for '%s': %s",
                 config->style, config->defaults);
        warning_write(out, "class_defaults", detail);
    }
    if (config->inner || others != NULL) {
        snprintf(detail, sizeof detail,
                 "the language model%s is counted; %s%s in none of the numbers",
                 config->inner ? " of text_config" : "",
                 others != NULL ? others : "what else the model has",
                 others != NULL ? ", and what joins it on, are" : " is");
        warning_write(out, "language_model_only", detail);
    }
    out_array_end(out);
}

/* The request's word counts first, then the configuration's own. */
static int first_stated(int asked, int configured, int otherwise)
{
    return asked != COUNTING_UNSTATED        ? asked
           : configured != COUNTING_UNSTATED ? configured
                                             : otherwise;
}

static void write_architecture(struct out *out, const struct architecture_query *query,
                               const struct config *config)
{
    const struct transformer *transformer = &config->transformer;
    int embedding =
        first_stated(query->counting.embedding, config->counting.embedding, COUNTING_BOTH);
    int counted = first_stated(query->counting.count, config->counting.count, COUNTING_ALL);
    const struct transformer_convention convention = {
        .input_embedding = embedding == COUNTING_BOTH,
        .output_embedding = embedding != COUNTING_NONE,
    };
    struct transformer_count count = transformer_count(transformer, &convention);
    double left_out = counted == COUNTING_LAWS ? count.norms + count.router : 0;

    count.n_active -= counted == COUNTING_LAWS ? left_out - count.idle_biases : 0;
    count.n_total -= left_out;
    count.n_non_embedding -= left_out;
    out_object_begin(out, NULL);
    out_text(out, "style", config->style);
    out_object_begin(out, "convention");
    out_text(out, "embedding", counting_embeddings[embedding]);
    out_text(out, "count", counting_counts[counted]);
    out_object_end(out);
    out_number(out, "experts", count.expansion);
    out_number(out, "granularity", count.granularity);
    out_number(out, "n_active", count.n_active);
    out_number(out, "n_total", count.n_total);
    out_number(out, "n_non_embedding", count.n_non_embedding);
    out_number(out, "train_flops_per_token", SHAPE_TRAIN_FLOPS_PER_PARAM * count.n_active);
    out_number(out, "inference_flops_per_token", SHAPE_INFERENCE_FLOPS_PER_PARAM * count.n_active);
    out_number(out, "routing_flops_per_token", count.routing_flops);
    out_number(out, "kv_cache_bytes_per_token", count.kv_cache_elements * query->bytes_per_param);
    out_number(out, "moe_layers", count.moe_layers);
    out_number(out, "dense_layers", count.dense_layers);
    write_breakdown(out, &count);
    out_number(out, "mtp", count.mtp);
    footprint_write(out, &query->footprint, NAN, query->bytes_per_param, query->kv_tokens,
                    transformer, count.n_total);
    write_warnings(out, config);
    out_object_end(out);
}

enum err_code architectures_post(struct call *call)
{
    struct architecture_query query = {.counting = {COUNTING_UNSTATED, COUNTING_UNSTATED},
                                       .bytes_per_param = 2,
                                       .footprint = footprint_default()};
    struct config config = {.counting = {COUNTING_UNSTATED, COUNTING_UNSTATED}};
    struct field_presence presence;
    struct json *root = NULL;
    struct out out;

    answer_query(call, NULL, NULL, &query, &presence);
    answer_select(call, &out, query.fields, architecture_members);
    if (json_parse(call->request.body, call->request.body_length, &root, &call->err) == ERR_OK)
        config_read(root, &call->arena, &config, &call->err);
    json_release(root);
    if (call->err.code != ERR_OK)
        return call->err.code;
    write_architecture(&out, &query, &config);
    return answer_out(call, 200, &out);
}
