/* law_joint_near: losses of `joint` and `joint-granular` in single precision, of many sets of
 * coefficients at many x, with a bound on what that costs.
 *
 * Private to law_joint*.c.
 */
#ifndef MOEPLAN_CORE_LAW_JOINT_NEAR_H
#define MOEPLAN_CORE_LAW_JOINT_NEAR_H

#include "core/law_near.h"

extern const struct law_near_form law_joint_near, law_joint_granular_near;

#endif
