#include "core/plan_slice.h"

#include <math.h>

struct plan_slices plan_slices_make(const struct law *law, const double *coefficient)
{
    struct plan_slices slices = {.coefficient = NULL};

    if (!law->slice || law_reads(law, LAW_GRANULARITY))
        return slices;
    for (int i = 0; i < PLAN_SLICES; i++) {
        law->slice(coefficient, ldexp(1, i), 1, &slices.slice[i]);
        slices.has_closed_form[i] =
            plan_closed_form_prepare(&slices.slice[i], &slices.closed_form[i]);
    }
    slices.coefficient = coefficient;
    return slices;
}

/* Which of the model's slices is that of E, or −1. */
static int find(const struct plan_model *model, double experts)
{
    const struct plan_slices *slices = model->slices;
    unsigned whole;

    if (!slices || slices->coefficient != model->coefficient ||
        !(experts >= 1 && experts <= 1 << (PLAN_SLICES - 1)))
        return -1;
    whole = (unsigned)experts;
    return whole == experts && (whole & (whole - 1)) == 0 ? __builtin_ctz(whole) : -1;
}

void plan_slice(const struct plan_model *model, double experts, double granularity,
                struct law_slice *ret_slice)
{
    int ready = find(model, experts);

    if (ready >= 0)
        *ret_slice = model->slices->slice[ready];
    else
        model->law->slice(model->coefficient, experts, granularity, ret_slice);
}

const struct plan_closed_form *plan_slice_closed_form(const struct plan_model *model,
                                                      double experts)
{
    int ready = find(model, experts);

    return ready >= 0 && model->slices->has_closed_form[ready] ? &model->slices->closed_form[ready]
                                                               : NULL;
}
