/* published: what presets say, for tests of the laws behind them. */
#ifndef MOEPLAN_TESTS_PUBLISHED_H
#define MOEPLAN_TESTS_PUBLISHED_H

#include "core/preset.h"

static inline double published_coefficient(const struct preset *preset, const char *name)
{
    return preset->coefficient[law_coefficient_index(law_find(preset->law), name)];
}

/* The loss at N parameters, whichever count the law reads. */
static inline double published_loss(const struct preset *preset, double n, double tokens,
                                    double experts, double granularity)
{
    struct obs obs = {n, n, tokens, experts, granularity, 1, 1, NAN};
    struct law_x x = law_x_from_obs(&obs);

    return law_loss(law_find(preset->law), preset->coefficient, &x);
}

#endif
