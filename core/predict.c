#include "core/predict.h"

#include <math.h>

#include "core/fit_interval.h"

enum err_code predict_loss(const struct plan_model *model, const struct obs *run, double level,
                           double noise_log, double *scratch, struct prediction *ret,
                           struct err *err)
{
    const struct law_x x = law_x_from_obs(run);
    struct prediction prediction = {
        .loss = law_loss(model->law, model->coefficient, &x),
        .interval = {NAN, NAN},
        .run_interval = {NAN, NAN},
    };

    if (!isfinite(prediction.loss) || prediction.loss <= 0)
        return err_set(err, ERR_UNSUPPORTED, "law '%s' has no finite loss there", model->law->name);
    if (model->n_draws > 0)
        fit_interval_loss(model->law, model->coefficient, model->draws, model->n_draws, &x,
                          noise_log, level, scratch, prediction.interval, prediction.run_interval);
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
