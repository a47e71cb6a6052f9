#include "core/gpu.h"

#include <strings.h>

static const struct gpu gpus[] = {
    {"a10", "NVIDIA A10 24GB", 125e12, 24e9, 600e9, "NVIDIA A10 data sheet", NULL},
    {"a40", "NVIDIA A40 48GB", 149.7e12, 48e9, 696e9, "NVIDIA A40 data sheet", NULL},
    {"a100-80gb", "NVIDIA A100 SXM4 80GB", 312e12, 80e9, 2039e9, "NVIDIA A100 80GB data sheet",
     "a100"},
    {"a100-40gb", "NVIDIA A100 SXM4 40GB", 312e12, 40e9, 1555e9, "NVIDIA A100 data sheet", NULL},
    {"l4", "NVIDIA L4 24GB", 121e12, 24e9, 300e9, "NVIDIA L4 data sheet (242 TFLOPS with sparsity)",
     NULL},
    {"l40s", "NVIDIA L40S 48GB", 362.05e12, 48e9, 864e9, "NVIDIA L40S data sheet", NULL},
    {"h100-sxm", "NVIDIA H100 SXM5 80GB", 989.5e12, 80e9, 3350e9,
     "NVIDIA H100 data sheet (1979 TFLOPS with sparsity)", "h100"},
    {"h100-pcie", "NVIDIA H100 PCIe 80GB", 756.5e12, 80e9, 2000e9,
     "NVIDIA H100 data sheet (1513 TFLOPS with sparsity)", NULL},
    {"h200", "NVIDIA H200 SXM 141GB", 989.5e12, 141e9, 4800e9,
     "NVIDIA H200 data sheet (1979 TFLOPS with sparsity)", NULL},
    {"rtx-4090", "NVIDIA GeForce RTX 4090 24GB", 165.2e12, 24e9, 1008e9,
     "NVIDIA Ada GPU architecture white paper (dense, FP32 accumulate)", "rtx4090"},
    {"b200", "NVIDIA HGX B200 180GB", 2250e12, 180e9, 8000e9,
     "NVIDIA HGX B200 data sheet (4500 TFLOPS with sparsity)", NULL},
    {"gb200", "NVIDIA GB200 NVL72, per GPU", 2500e12, 186e9, 8000e9,
     "NVIDIA GB200 NVL72 data sheet (5000 TFLOPS with sparsity)", NULL},
    {"mi250x", "AMD Instinct MI250X 128GB", 383e12, 128e9, 3276.8e9, "AMD Instinct MI250X page",
     NULL},
    {"mi300x", "AMD Instinct MI300X 192GB", 1307.4e12, 192e9, 5300e9,
     "AMD Instinct MI300X data sheet", NULL},
    {"mi325x", "AMD Instinct MI325X 256GB", 1307.4e12, 256e9, 6000e9,
     "AMD Instinct MI325X data sheet", NULL},
    {"gaudi3", "Intel Gaudi 3 128GB", 1835e12, 128e9, 3700e9, "Intel Gaudi 3 white paper", NULL},
    {"tpu-v4", "Google TPU v4, per chip", 275e12, 32e9, 1200e9, "Google Cloud TPU v4 page", NULL},
    {"tpu-v5e", "Google TPU v5e, per chip", 197e12, 16e9, 819e9, "Google Cloud TPU v5e page", NULL},
    {"tpu-v5p", "Google TPU v5p, per chip", 459e12, 95e9, 2765e9, "Google Cloud TPU v5p page",
     NULL},
    {"tpu-v6e", "Google TPU v6e (Trillium), per chip", 918e12, 32e9, 1640e9,
     "Google Cloud TPU v6e page", NULL},
    {"trainium2", "AWS Trainium2, per chip", 667e12, 96e9, 2900e9, "AWS Trainium2 page", NULL},
};

size_t gpu_count(void)
{
    return sizeof gpus / sizeof gpus[0];
}

const struct gpu *gpu_at(size_t index)
{
    return &gpus[index];
}

bool gpu_is(const struct gpu *gpu, const char *name)
{
    return strcasecmp(gpu->id, name) == 0 || strcasecmp(gpu->name, name) == 0 ||
           (gpu->alias != NULL && strcasecmp(gpu->alias, name) == 0);
}

double gpu_compute_flops(const struct gpu *gpu, double devices, double seconds, double mfu)
{
    return gpu->peak_flops_per_s * devices * seconds * mfu;
}
