#include "server/observed.h"

#include <math.h>

#include "core/shape.h"
#include "server/fitted.h"

enum column { ID, EXPERTS, GRANULARITY, N_ACTIVE, N_TOTAL, TOKENS, LOSS, FLOPS, COLUMNS };

static const char *const names[COLUMNS] = {
    [ID] = "id",
    [EXPERTS] = "experts",
    [GRANULARITY] = "granularity",
    [N_ACTIVE] = "n_active",
    [N_TOTAL] = "n_total",
    [TOKENS] = "tokens",
    [LOSS] = "loss",
    [FLOPS] = "flops",
};

struct observed {
    size_t seen, step, count; /* every step-th of those seen is kept */
    double *value;            /* COLUMNS of OBSERVED_RUNS_MAX */
};

static bool take_run(void *ctx, const struct experiment *run)
{
    struct observed *observed = ctx;
    double flops = run->obs.train_flops;

    if (observed->seen++ % observed->step != 0)
        return true;
    if (!(flops > 0))
        flops = SHAPE_TRAIN_FLOPS_PER_PARAM * run->obs.n_active * run->obs.tokens;
    const double value[COLUMNS] = {
        [ID] = (double)run->id,
        [EXPERTS] = run->obs.experts,
        [GRANULARITY] = run->obs.granularity,
        [N_ACTIVE] = run->obs.n_active,
        [N_TOTAL] = run->obs.n_total,
        [TOKENS] = run->obs.tokens,
        [LOSS] = run->obs.loss,
        [FLOPS] = flops,
    };
    for (size_t k = 0; k < COLUMNS; k++)
        observed->value[k * OBSERVED_RUNS_MAX + observed->count] = value[k];
    return ++observed->count < OBSERVED_RUNS_MAX;
}

enum err_code observed_write(struct call *call, const struct model_choice *choice, struct out *out)
{
    struct observed observed = {.count = 0};
    enum err_code code;

    if (choice->record == NULL) {
        out_null(out, "runs");
        return ERR_OK;
    }
    observed.step = choice->record->n_runs / OBSERVED_RUNS_MAX + 1;
    observed.value = arena_alloc(&call->arena, COLUMNS * OBSERVED_RUNS_MAX * sizeof(double));
    if (observed.value == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    code = fitted_each(call, choice->record, take_run, &observed);
    if (code != ERR_OK)
        return code;
    out_object_begin(out, "runs");
    out_integer(out, "count", (int64_t)choice->record->n_runs);
    out_object_begin(out, "columns");
    for (size_t k = 0; k < COLUMNS; k++)
        out_numbers(out, names[k], observed.value + k * OBSERVED_RUNS_MAX, observed.count);
    out_object_end(out);
    out_object_end(out);
    return ERR_OK;
}
