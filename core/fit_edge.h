/* fit_edge: along the edge of numbers.
 *
 * Where runs would have an exponent run off, the amplitude that makes up for it leaves the range of
 * a double (FIT_TERM_MOST). The best point that can be told then lies on that edge, a bound that is
 * no box: steps across it are refused, and a descent stops where it first met the edge instead of
 * sliding along. Here amplitudes that came near are held there by a prior on their logarithm, a row
 * as any other, which lets everything else move.
 * Scratch from the caller's arena once, in fit_edge_init.
 */
#ifndef MOEPLAN_CORE_FIT_EDGE_H
#define MOEPLAN_CORE_FIT_EDGE_H

#include "core/fit_polish.h"

struct fit_edge {
    const struct fit_problem *problem;
    struct fit_problem held; /* the same with room for a prior on every amplitude */
    struct fit_polish polish;
};

/* problem outlives it. ERR_NO_MEMORY. */
enum err_code fit_edge_init(struct fit_edge *edge, const struct fit_problem *problem,
                            struct arena *arena, struct err *err);

/* Whether an amplitude is so near the edge at z that a descent may have been stopped by it. */
bool fit_edge_reached(const struct fit_problem *problem, const double *z);

/* Down from z with coordinates j of held[j] where they are. */
struct fit_polished fit_edge_hold(struct fit_edge *edge, const struct fit_polish_goal *goal,
                                  const bool *held, double *z);

/* Slides z down along the edge, closer to it in turns. Amplitudes held end a little inside: a
 * descent of the problem itself has the last word. */
void fit_edge_walk(struct fit_edge *edge, const struct fit_polish_goal *goal, double *z);

/* Along a valley without an end, from one of its points through another: by ever doubled strides as
 * long as they descend; factors in proportion, as they follow exponents. Moves z and returns the
 * objective there. */
double fit_edge_stride(struct fit_polish *polish, const struct fit_polish_goal *goal,
                       const double *from, double *z);

/* Of nearly the same Ê up to a factor, which amplitudes and exponents make up for. */
enum fit_edge_turn {
    FIT_EDGE_DENSE,   /* with E_start 1, where amplitudes are those of dense runs */
    FIT_EDGE_LINEAR,  /* with E_start 1 and E_max all but there: Ê as good as linear in E */
    FIT_EDGE_ENDLESS, /* with no E_max */
    FIT_EDGE_TURNS
};

/* Whether E_start and E_max are both free. */
bool fit_edge_turns(const struct fit_problem *problem);

/* Where they are: moves z to others, and down from there with E_start held. */
void fit_edge_turn(struct fit_edge *edge, const struct fit_polish_goal *goal,
                   enum fit_edge_turn turn, double *z);

#endif
