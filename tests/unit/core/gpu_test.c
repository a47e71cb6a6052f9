#include "core/gpu.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct gpu *find(const char *name)
{
    for (size_t i = 0; i < gpu_count(); i++)
        if (gpu_is(gpu_at(i), name))
            return gpu_at(i);
    return NULL;
}

static void every_accelerator_is_found_by_its_own_id(void **state)
{
    (void)state;
    assert_true(gpu_count() >= 15);
    for (size_t i = 0; i < gpu_count(); i++) {
        const struct gpu *gpu = gpu_at(i);

        assert_ptr_equal(find(gpu->id), gpu);
        assert_true(strlen(gpu->source) > 0 && strlen(gpu->name) > 0);
        /* between a workstation's card and a rack's */
        assert_true(gpu->peak_flops_per_s > 5e13 && gpu->peak_flops_per_s < 1e16);
        assert_true(gpu->memory_bytes >= 8e9 && gpu->memory_bytes < 1e12);
        assert_true(gpu->bandwidth_bytes_per_s > 1e11 && gpu->bandwidth_bytes_per_s < 1e14);
    }
    assert_null(find("abacus"));
    assert_null(find(""));
}

static void what_people_say_is_understood(void **state)
{
    (void)state;
    assert_string_equal(find("H100")->id, "h100-sxm");
    assert_string_equal(find("H100-PCIe")->id, "h100-pcie");
    assert_string_equal(find("a100")->id, "a100-80gb");
    assert_string_equal(find("RTX4090")->id, "rtx-4090");
    assert_string_equal(find("nvidia l40s 48gb")->id, "l40s");
    for (size_t i = 0; i < gpu_count(); i++)
        for (size_t j = 0; j < i; j++)
            assert_false(gpu_is(gpu_at(j), gpu_at(i)->id));
}

/* 512 H100 for 30 days at 40 %: 989.5e12 · 512 · 2 592 000 · 0.4 */
static void devices_and_days_become_flops(void **state)
{
    (void)state;
    assert_near(gpu_compute_flops(find("h100-sxm"), 512, 30 * 86400., 0.4), 5.2527e23, 1e-4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_accelerator_is_found_by_its_own_id),
        cmocka_unit_test(what_people_say_is_understood),
        cmocka_unit_test(devices_and_days_become_flops),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
