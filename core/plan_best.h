/* plan_best: the best buildable size tried so far, and what it takes to beat it.
 *
 * Internal to plan_build. Values, no allocation; what it points to must outlive it.
 */
#ifndef MOEPLAN_CORE_PLAN_BEST_H
#define MOEPLAN_CORE_PLAN_BEST_H

#include "core/plan_trial.h"

struct plan_best {
    const struct plan_site *site;
    double cost, loss; /* of the continuous optimum: what is to be least, and its loss */
    bool unbeaten;     /* nothing built costs less than it */
    bool nearest;      /* see plan_best_restart */
    double penalty;    /* of the best so far, INFINITY without one, which is: */
    double d_model, expert_hidden;
    struct plan_trial trial;
    double depth_most; /* beyond this ratio of depths, or its inverse, depth alone costs more */
};

/* A ratio of losses within which a build is good. */
extern const double plan_best_most_loss;

/* None yet. The penalty of a trial is what it costs beyond the continuous optimum, and its depth
 * beside the shape's. */
struct plan_best plan_best_init(const struct plan_site *site,
                                const struct plan_configuration *configuration);

/* From here on, where loss is to be least, all good builds cost alike and the nearest to the shape
 * wins, in depth and in the width of experts; of those that are not good the one that loses least.
 * What was best before is judged anew. */
void plan_best_restart(struct plan_best *best);

/* Tries so many groups of a frame. */
void plan_best_try(struct plan_best *best, const struct plan_frame *frame, double groups);

/* Whether a build of so many times the shape's layers may win: false where depth alone costs more
 * than the best, as far as that can be told: what is built may cost less than the continuous
 * optimum. */
bool plan_best_allows(const struct plan_best *best, double depth);

/* The law's loss of the best; and whether it is good, for other objectives whether there is one. */
double plan_best_loss(const struct plan_best *best);
bool plan_best_good(const struct plan_best *best);

#endif
