#include "db/values.h"

static const char *const loss_units[] = {
    [LOSS_NATS_PER_TOKEN] = "nats_per_token",
    [LOSS_BITS_PER_BYTE] = "bits_per_byte",
};

static const char *const parameter_conventions[] = {
    [PARAMETERS_WITH_EMBEDDING] = "with_embedding",
    [PARAMETERS_NON_EMBEDDING] = "non_embedding",
};

static const char *const fit_statuses[] = {
    [FIT_RUNNING] = "running",     [FIT_FINISHED] = "finished",       [FIT_FAILED] = "failed",
    [FIT_CANCELLED] = "cancelled", [FIT_INTERRUPTED] = "interrupted",
};

static const char *name_at(const char *const *names, size_t count, size_t index)
{
    return index < count ? names[index] : NULL;
}

const char *loss_unit_name(enum loss_unit unit)
{
    return name_at(loss_units, sizeof loss_units / sizeof loss_units[0], (size_t)unit);
}

const char *parameter_convention_name(enum parameter_convention convention)
{
    return name_at(parameter_conventions,
                   sizeof parameter_conventions / sizeof parameter_conventions[0],
                   (size_t)convention);
}

const char *fit_status_name(enum fit_status status)
{
    return name_at(fit_statuses, sizeof fit_statuses / sizeof fit_statuses[0], (size_t)status);
}
