#include "core/plan_slice.h"

#include <math.h>

struct plan_slices plan_slices_make(const struct law *law, const double *coefficient)
{
    struct plan_slices slices = {.coefficient = NULL};

    if (!law->slice || law_reads(law, LAW_GRANULARITY))
        return slices;
    for (int i = 0; i < PLAN_SLICES; i++)
        law->slice(coefficient, ldexp(1, i), 1, &slices.slice[i]);
    slices.coefficient = coefficient;
    return slices;
}

void plan_slice(const struct plan_model *model, double experts, double granularity,
                struct law_slice *ret_slice)
{
    const struct plan_slices *slices = model->slices;
    int power = slices && slices->coefficient == model->coefficient ? ilogb(experts) : -1;

    if (power >= 0 && power < PLAN_SLICES && experts == (double)(1 << power))
        *ret_slice = slices->slice[power];
    else
        model->law->slice(model->coefficient, experts, granularity, ret_slice);
}
