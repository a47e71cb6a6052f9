/* fit_jump: a jump away from a search's best point, and down from there.
 *
 * The robust objective is nearly a sum of absolute values, so there are shallow optima all along
 * the valleys of a law, which every start from the box shares, and others where a term serves other
 * runs or changes place with another. Private to fit_jump.c and fit_chain.c.
 */
#ifndef MOEPLAN_CORE_FIT_JUMP_H
#define MOEPLAN_CORE_FIT_JUMP_H

#include "core/fit_bowl.h"
#include "core/fit_edge.h"
#include "core/fit_search_parts.h"

struct fit_jumps {
    struct search *search; /* its found is the best point */
    struct fit_polish_goal goal, glance;
    struct fit_bowl bowl; /* of the best point */
    bool has_bowl;
    struct fit_edge edge;
    size_t walks;   /* along the edge that brought nothing better */
    double *weight; /* n_rows */
};

/* Scratch from the arena. ERR_NO_MEMORY. */
enum err_code fit_jump_init(struct fit_jumps *jumps, struct search *search, struct arena *arena,
                            struct err *err);

/* About what search->found now is. */
void fit_jump_begin(struct fit_jumps *jumps);

/* Steps of all descents so far. */
size_t fit_jump_steps(const struct fit_jumps *jumps);

/* Moves z, the best point, away. The number says how, and seeds what is random. */
void fit_jump_leave(struct fit_jumps *jumps, uint64_t number, double *z);

/* Descends from z, which is moved, and keeps what is better: whether it is. */
bool fit_jump_down(struct fit_jumps *jumps, double *z);

/* Whether the best point does without a term: another might do better with it, elsewhere. */
bool fit_jump_lacks_a_term(const struct search *search);

#endif
