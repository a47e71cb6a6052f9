/* plan_trial: one buildable size of a cell: its counts, whether it keeps the limits, its tokens.
 *
 * Internal to plan_build. Limits are kept by two counts: the law's, and the checkpoint's, which has
 * norms and routers too (architecture_parts.uncounted), in memory, in training and active. Values,
 * no allocation.
 */
#ifndef MOEPLAN_CORE_PLAN_TRIAL_H
#define MOEPLAN_CORE_PLAN_TRIAL_H

#include "core/plan_cell.h"

/* fmin and fmax of numbers, none of them NAN: instructions, not calls. */
static inline double plan_lesser(double a, double b)
{
    return a < b ? a : b;
}

static inline double plan_greater(double a, double b)
{
    return a > b ? a : b;
}

/* Where trials are made. */
struct plan_site {
    const struct plan_question *question;
    const struct plan_model *model;
    const struct plan_cell *cell;
    /* max_n_active, inference and min_tokens_per_param are held to the law's n_active alone */
    bool law_active;
};

/* Integers but the number of layers. They come in groups, one layer of each with experts;
 * everything countable is linear in the groups. */
struct plan_frame {
    double d_model, expert_hidden;
    double group; /* layers */
    struct architecture_parts count;
    double cache_group;  /* elements of the KV cache */
    double router_group; /* training FLOPs of a token beyond 6·n_active */
};
struct plan_frame plan_frame_make(const struct plan_site *site, double d_model,
                                  double expert_hidden);

/* The most groups, with a fraction, that limits on memory and n_active allow; and those with which
 * the checkpoint (with law_active the law) counts as much as `size` of what the law reads. */
double plan_frame_most(const struct plan_site *site, const struct plan_frame *frame);
double plan_frame_groups(const struct plan_site *site, const struct plan_frame *frame, double size);

/* What the law reads of so many groups. */
double plan_frame_size(const struct plan_site *site, const struct plan_frame *frame, double groups);

struct plan_trial {
    double layers, n_active, n_total;
    double uncounted; /* parameters beside both */
    double size;      /* the N the law reads */
    double cache;     /* elements */
    double per_token; /* training FLOPs of a token by the law's count */
    double tokens;    /* those of the objective, within the limits by both counts */
    double cost;      /* what is to be least, by the law's count alone */
};

/* False where a limit or the target loss is missed. Where min_tokens_per_param and
 * max_tokens_per_param are nearer to each other than the counts, the law's decides. */
bool plan_trial_make(const struct plan_site *site, const struct plan_frame *frame, double groups,
                     struct plan_trial *ret);

#endif
