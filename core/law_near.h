/* law_near: many sets of a law's coefficients made ready to be asked nearly, in single precision,
 * for who then asks a few of them exactly.
 *
 * Made once for a fit's draws, asked at any x. The floats are the caller's and must outlive it.
 */
#ifndef MOEPLAN_CORE_LAW_NEAR_H
#define MOEPLAN_CORE_LAW_NEAR_H

#include "core/law.h"

struct law_near {
    size_t count, stride; /* sets; room for them: a multiple of NEAR_LANES */
    const float *blocks;  /* of NEAR_LANES sets, row by row; the last set fills up its block */
    /* What the law found of all sets: the largest size of each row; E_start and E_max where these
     * are the same for all, else NAN. */
    double most[LAW_MAX_COEFFICIENTS], e_start, e_max;
};

/* How a law does it. */
struct law_near_form {
    size_t rows; /* of a block */

    /* Fills blocks from count sets, one after another; false where `losses` could not promise
     * anything of them. */
    bool (*make)(const double *sets, struct law_near *near, float *ret_blocks);

    /* ret_near[k·stride + i] is within *ret_error of the loss of set i at x[k], relative, and
     * INFINITY from count to stride. False where that cannot be promised. */
    bool (*losses)(const struct law_near *near, const struct law_x *x, size_t n_x, float *ret_near,
                   double *ret_error);
};

/* How many floats law_near_init wants; 0 for a law that has no such form. */
size_t law_near_room(const struct law *law, size_t count);

/* False where the law has no such form, or not for these sets. */
bool law_near_init(struct law_near *near, const struct law *law, const double *sets, size_t count,
                   float *room);

#endif
