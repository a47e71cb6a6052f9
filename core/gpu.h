/* gpu: an open catalogue of accelerators, to turn devices and days into FLOPs and bytes.
 *
 * Const data, each row with its source. Peaks are dense bf16 with fp32 accumulation: data sheets
 * that print "with sparsity" are halved. Memory is what the maker calls it, in decimal bytes.
 */
#ifndef MOEPLAN_CORE_GPU_H
#define MOEPLAN_CORE_GPU_H

#include <stdbool.h>
#include <stddef.h>

struct gpu {
    const char *id;   /* "h100-sxm" */
    const char *name; /* "NVIDIA H100 SXM5 80GB" */
    double peak_flops_per_s, memory_bytes, bandwidth_bytes_per_s;
    const char *source;
    const char *alias; /* what people say when they mean this one of several: "h100"; may be NULL */
};

size_t gpu_count(void);
const struct gpu *gpu_at(size_t index);

/* Whether that is its id, its name or its alias, in any case. */
bool gpu_is(const struct gpu *gpu, const char *name);

/* FLOPs that `devices` of them do in `seconds` at model FLOPs utilisation mfu in (0, 1]. */
double gpu_compute_flops(const struct gpu *gpu, double devices, double seconds, double mfu);

#endif
