/* fit_start: where the search begins: seeded points of the law's search box, the same in any units.
 *
 * The box is read as effects at the centre of the runs (fit_frame): an exponent of E with N drawn
 * as it stands would be sensible in parameters and absurd in billions.
 */
#ifndef MOEPLAN_CORE_FIT_START_H
#define MOEPLAN_CORE_FIT_START_H

#include "core/fit_problem.h"

/* Start number `number` of a seed: searched coordinates of ret_z are set, amplitudes are 0. Number
 * 0 is the middle of the box (and of the priors) whatever the seed. */
void fit_start_draw(const struct fit_problem *problem, uint64_t seed, size_t number, double *ret_z);

#endif
