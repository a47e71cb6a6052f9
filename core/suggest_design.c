#include "core/suggest_design.h"

#include <math.h>
#include <string.h>

enum { ROUNDS_MAX = 10 };

/* An exchange for less than this, relative, is not worth another round. */
static const double least_gain = 1e-6;

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

static void set_targets(const struct suggest_design *design, struct suggest_known *known)
{
    size_t rank = design->space->rank, n = design->question->n_targets;

    known->variance = 0;
    for (size_t t = 0; t < n; t++) {
        for (size_t i = 0; i < rank; i++)
            known->target[t][i] = dot(known->covariance[i], design->target[t], rank);
        known->variance += dot(known->target[t], design->target[t], rank) / (double)n;
    }
}

static void observe(const struct suggest_design *design, const double *feature,
                    struct suggest_known *known)
{
    size_t rank = design->space->rank;
    double noise = design->spread, across[SUGGEST_RANK_MAX] = {0}, variance;

    for (size_t i = 0; i < rank; i++)
        across[i] = dot(known->covariance[i], feature, rank);
    variance = dot(across, feature, rank) + noise * noise;
    for (size_t i = 0; i < rank; i++)
        for (size_t j = 0; j < rank; j++)
            known->covariance[i][j] -= across[i] * across[j] / variance;
}

void suggest_known_of(const struct suggest_design *design, const struct suggest_list *list,
                      size_t except, size_t except_too, struct suggest_known *ret)
{
    memset(ret->covariance, 0, sizeof ret->covariance);
    for (size_t i = 0; i < design->space->rank; i++)
        ret->covariance[i][i] = 1;
    for (size_t i = 0; i < list->count; i++)
        if (i != except && i != except_too)
            observe(design, list->trial[i].feature, ret);
    set_targets(design, ret);
}

void suggest_known_add(const struct suggest_design *design, const double *feature,
                       struct suggest_known *known)
{
    observe(design, feature, known);
    set_targets(design, known);
}

double suggest_reduction(const struct suggest_design *design, const struct suggest_known *known,
                         const double *feature)
{
    size_t rank = design->space->rank, n = design->question->n_targets;
    double noise = design->spread, variance = noise * noise, sum = 0;

    for (size_t i = 0; i < rank; i++)
        variance += feature[i] * dot(known->covariance[i], feature, rank);
    for (size_t t = 0; t < n; t++) {
        double covariance = dot(known->target[t], feature, rank);

        sum += covariance * covariance;
    }
    return sum / (variance * (double)n);
}

/* The best affordable candidate, or NULL. */
static const struct suggest_trial *best_candidate(const struct suggest_design *design,
                                                  const struct suggest_known *known,
                                                  enum suggest_strategy strategy, double most_flops)
{
    const struct suggest_trial *ret = NULL;
    double best = 0;

    for (size_t k = 0; k < design->n_candidates; k++) {
        const struct suggest_trial *trial = &design->candidate[k];
        double gain;

        if (trial->run.train_flops > most_flops)
            continue;
        gain = suggest_reduction(design, known, trial->feature);
        if (strategy == SUGGEST_BY_REDUCTION_PER_FLOP)
            gain /= trial->run.train_flops;
        if (gain > best) {
            best = gain;
            ret = trial;
        }
    }
    return ret;
}

void suggest_grow(const struct suggest_design *design, enum suggest_strategy strategy,
                  struct suggest_list *ret)
{
    const struct suggest_question *question = design->question;
    struct suggest_known known;

    ret->count = 0;
    ret->flops = 0;
    suggest_known_of(design, ret, 0, 0, &known);
    while (ret->count < question->runs) {
        double share = strategy == SUGGEST_EVENLY ? (double)(question->runs - ret->count) : 1;
        const struct suggest_trial *trial =
            best_candidate(design, &known, strategy, (question->budget_flops - ret->flops) / share);

        if (trial == NULL)
            break;
        suggest_known_add(design, trial->feature, &known);
        ret->trial[ret->count++] = *trial;
        ret->flops += trial->run.train_flops;
    }
    ret->variance = known.variance;
}

void suggest_exchange(const struct suggest_design *design, struct suggest_list *list)
{
    bool better = list->count > 0;

    for (int round = 0; round < ROUNDS_MAX && better; round++) {
        better = false;
        for (size_t i = 0; i < list->count; i++) {
            double own = list->trial[i].run.train_flops, gain;
            const struct suggest_trial *trial;
            struct suggest_known known;

            suggest_known_of(design, list, i, i, &known);
            trial = best_candidate(design, &known, SUGGEST_BY_REDUCTION,
                                   design->question->budget_flops - (list->flops - own));
            if (trial == NULL)
                continue;
            gain = suggest_reduction(design, &known, trial->feature);
            if (known.variance - gain < list->variance * (1 - least_gain)) {
                list->flops += trial->run.train_flops - own;
                list->trial[i] = *trial;
                list->variance = known.variance - gain;
                better = true;
            }
        }
    }
}
