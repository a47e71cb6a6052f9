#include "server/footprint.h"

#include <math.h>

#include "core/transformer.h"

const char *const footprint_optimizers[] = {"adam-bf16", "adam-bf16-fp32-grads", "adam-fp32",
                                            "adam-8bit", "sgd-momentum-bf16",    NULL};

struct footprint_query footprint_default(void)
{
    return (struct footprint_query){
        .data_parallel = NAN, .sequence = FOOTPRINT_SEQUENCE, .micro_batch = 1};
}

static const struct memory_recipe *recipe_of(const struct footprint_query *query)
{
    return memory_recipe_find(footprint_optimizers[query->optimizer]);
}

double footprint_bytes_per_param(const struct footprint_query *query)
{
    const struct memory_recipe *recipe = recipe_of(query);

    return recipe->weights + recipe->gradients + recipe->states;
}

/* The buckets as a list, with their sum as the member `total`. */
static void write_buckets(struct out *out, const struct memory_bucket *bucket, size_t count)
{
    double total = 0;

    out_array_begin(out, "buckets");
    for (size_t i = 0; i < count; i++) {
        out_object_begin(out, NULL);
        out_constant(out, "name", bucket[i].name);
        out_number(out, "bytes", bucket[i].bytes);
        out_constant(out, "formula", bucket[i].formula);
        out_constant(out, "source", bucket[i].source);
        out_object_end(out);
        total += bucket[i].bytes;
    }
    out_array_end(out);
    out_number(out, "total", total);
}

void footprint_write(struct out *out, const struct footprint_query *query, double gpus,
                     double bytes_per_param, double kv_tokens,
                     const struct transformer *transformer, double n_total)
{
    static const struct transformer_convention all = {true, true};
    const struct memory_training training = {
        .recipe = recipe_of(query),
        .ranks = !isnan(query->data_parallel) ? query->data_parallel
                 : isnan(gpus)                ? 1
                                              : gpus,
        .zero_stage = (int)query->zero_stage,
        .sequence = query->sequence,
        .batch = query->micro_batch,
        .recompute = query->recompute,
    };
    struct memory_bucket serving[MEMORY_SERVING_BUCKETS], device[MEMORY_TRAINING_BUCKETS];
    struct transformer_count count = transformer_count(transformer, &all);

    count.n_total = n_total;
    memory_serving(&count, bytes_per_param, kv_tokens, bytes_per_param, serving);
    memory_train(transformer, &count, &training, device);
    out_object_begin(out, "memory");
    out_object_begin(out, "serving");
    write_buckets(out, serving, MEMORY_SERVING_BUCKETS);
    out_object_end(out);
    out_object_begin(out, "training_device");
    out_text(out, "optimizer", training.recipe->id);
    out_integer(out, "zero_stage", training.zero_stage);
    out_number(out, "data_parallel", training.ranks);
    out_number(out, "sequence", training.sequence);
    out_number(out, "micro_batch", training.batch);
    out_bool(out, "recompute", training.recompute);
    write_buckets(out, device, MEMORY_TRAINING_BUCKETS);
    out_object_end(out);
    out_object_end(out);
}
