#include "core/predict.h"

#include <math.h>

#include "core/plan_draws.h"

double predict_normal_quantile(double p)
{
    const double root_half = 0.70710678118654752440, root_two_pi = 2.50662827463100050242;
    bool upper = p > 0.5;
    double tail = upper ? 1 - p : p, z = 0;

    /* Newton on Φ(z) = tail from 0, on the side where Φ is convex: it falls to the root without
     * passing it. Far tails take a step of about 1/|z| each, so they take more of them. */
    for (int i = 0; i < 400; i++) {
        double step = (0.5 * erfc(-z * root_half) - tail) * root_two_pi * exp(z * z / 2);

        z -= step;
        if (fabs(step) <= 1e-13 * (1 + fabs(z)))
            break;
    }
    return upper ? -z : z;
}

static enum err_code intervals(const struct plan_model *model, const struct law_x *x, double level,
                               double scatter_log, struct arena *arena, struct prediction *ret,
                               struct err *err)
{
    double *loss = arena_alloc(arena, model->n_draws * sizeof *loss);
    double scatter = scatter_log * predict_normal_quantile((1 + level) / 2);

    if (!loss)
        return err_set(err, ERR_NO_MEMORY, "no room for the losses of %zu draws", model->n_draws);
    for (size_t i = 0; i < model->n_draws; i++)
        loss[i] = law_loss(model->law, model->draws + i * model->law->n_coefficients, x);
    plan_draws_quantiles(loss, model->n_draws, level, ret->interval);
    if (!(scatter_log > 0) || isnan(ret->interval[0]))
        return ERR_OK;
    for (int end = 0; end < 2; end++) {
        double sign = end == 0 ? -1 : 1;
        double mean = sign * log(ret->interval[end] / ret->loss);

        /* Draws may lie wholly to one side of the estimate; then that side has the scatter only. */
        ret->run_interval[end] = ret->loss * exp(sign * hypot(fmax(mean, 0), scatter));
    }
    return ERR_OK;
}

enum err_code predict_loss(const struct plan_model *model, const struct obs *run, double level,
                           double scatter_log, struct arena *arena, struct prediction *ret,
                           struct err *err)
{
    const struct law_x x = law_x_from_obs(run);
    struct prediction prediction = {
        .loss = law_loss(model->law, model->coefficient, &x),
        .interval = {NAN, NAN},
        .run_interval = {NAN, NAN},
    };
    enum err_code code = ERR_OK;

    if (!isfinite(prediction.loss) || prediction.loss <= 0)
        return err_set(err, ERR_UNSUPPORTED, "law '%s' has no finite loss there", model->law->name);
    if (model->n_draws > 0)
        code = intervals(model, &x, level, scatter_log, arena, &prediction, err);
    if (code != ERR_OK)
        return code;
    prediction.n_extrapolates = plan_extrapolates(model->range,
                                                  (const double[LAW_VARIABLE_COUNT]){
                                                      [LAW_N_ACTIVE] = run->n_active,
                                                      [LAW_N_TOTAL] = run->n_total,
                                                      [LAW_TOKENS] = run->tokens,
                                                      [LAW_EXPERTS] = run->experts,
                                                      [LAW_GRANULARITY] = run->granularity,
                                                  },
                                                  prediction.extrapolates);
    *ret = prediction;
    return ERR_OK;
}
