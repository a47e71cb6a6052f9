/* plan_line: many draws' losses along a line, ln N = ln_g + ratio·s, ln D = s − ln N, and bounds of
 * them over a stretch of it.
 *
 * Internal to plan_shortlist. Of losses L_i(s), each a sum of exponentials of s and so convex, the
 * fit's own L_0(s) is taken, which leaves their order. A function lies below its chord by at most
 * wide²/8 times the greatest its second derivative is, and above it as its opposite lies below.
 * L_i″, convex too, is greatest at an end of the stretch, and each of its terms least at one:
 *
 *     L_i − L_0 >= its lesser end − wide²/8·max(0, max L_i″ − min L_0″)
 *     L_i − L_0 <= its greater end + wide²/8·max(0, max L_0″ − min L_i″)
 *
 * with room for rounding, and for an x that is PLAN_LINE_OFF off the line. Memory from the arena.
 */
#ifndef MOEPLAN_CORE_PLAN_LINE_H
#define MOEPLAN_CORE_PLAN_LINE_H

#include <stdint.h>

#include "core/plan_draws.h"

#define PLAN_LINE_OFF 1e-9

/* A stretch is a step or a leap wide, in s. */
enum plan_line_stretch { PLAN_LINE_STEP, PLAN_LINE_LEAP, PLAN_LINE_STRETCHES };

/* Columns of count draws, and of the fit itself after them. */
struct plan_line {
    size_t count;
    double wide[PLAN_LINE_STRETCHES];
    /* The bounds over the stretch, of draws only. */
    double *least, *most;
    /* The floor; terms at both ends, by what they grow, and their second derivatives over them;
     * what they make. */
    double *c, *size[2], *data[2];
    double *size_growth[PLAN_LINE_STRETCHES], *data_growth[PLAN_LINE_STRETCHES];
    double *size_bend, *data_bend;
    double *loss[2], *bend_least, *bend_most;
};

/* Room for `most` draws. False when the arena is full. */
bool plan_line_init(struct plan_line *line, size_t most, struct arena *arena);

/* Of all draws and their fit's slice, at s. False for strange ones: a term or a floor below 0, a
 * term that changes too fast, more than two terms. */
bool plan_line_begin(struct plan_line *line, const struct plan_draws *draws,
                     const struct law_slice *own, const struct plan_closed_form *form, double s);

/* Of some draws of `from`, to go its last stretch again in steps. */
void plan_line_take(struct plan_line *line, const struct plan_line *from, const uint32_t *draw,
                    size_t count);

/* Goes on by a stretch; false where a loss along it is not finite. */
bool plan_line_go(struct plan_line *line, enum plan_line_stretch stretch);

#endif
