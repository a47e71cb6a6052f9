/* plan_best: the best buildable size tried so far, and what it takes to beat it.
 *
 * Internal to plan_build. Values, no allocation; what it points to must outlive it.
 */
#ifndef MOEPLAN_CORE_PLAN_BEST_H
#define MOEPLAN_CORE_PLAN_BEST_H

#include "core/plan_trial.h"

struct plan_best {
    const struct plan_site *site;
    double cost, loss;   /* of the continuous optimum: what is to be least, and its loss */
    double cost_penalty; /* of one more of what is to be least */
    bool unbeaten;       /* nothing built costs less than the continuous optimum */
    bool nearest;        /* see plan_best_restart */
    double penalty;      /* of the best so far, INFINITY without one, which is: */
    double d_model, expert_hidden, shape_groups;
    struct plan_trial trial;
};

/* None yet. The penalty of a trial is what it costs beyond the continuous optimum, and its depth
 * beside the shape's. */
void plan_best_init(struct plan_best *best, const struct plan_site *site,
                    const struct plan_configuration *configuration);

/* From here on, where loss is to be least, all good builds (0.25 % above the optimum's loss, at
 * most) cost alike and the nearest to the shape wins, in depth and in the width of experts; of
 * those that are not good the one that loses least. What was best before is judged anew. */
void plan_best_restart(struct plan_best *best);

/* Tries so many groups of a frame. */
void plan_best_try(struct plan_best *best, const struct plan_frame *frame, double groups);

/* Whether a build of so many layers, where the shape has shape_layers, may win: false where depth
 * alone costs more than the best, unless what is built may cost less than the continuous optimum.
 */
bool plan_best_allows(const struct plan_best *best, double layers, double shape_layers);

/* The law's loss of the best, INFINITY without one; and whether it is good, for other objectives
 * whether there is one. */
double plan_best_loss(const struct plan_best *best);
bool plan_best_good(const struct plan_best *best, double loss);

#endif
