/* law_joint_near: losses of `joint` and `joint-granular` in single precision, of many sets of
 * coefficients at many x, with a bound on what that costs. law.losses_near of both.
 *
 * Private to law_joint*.c.
 */
#ifndef MOEPLAN_CORE_LAW_JOINT_NEAR_H
#define MOEPLAN_CORE_LAW_JOINT_NEAR_H

#include "core/law.h"

bool law_joint_near(const double *columns, size_t count, const struct law_x *x, size_t n_x,
                    size_t stride, float *ret_near, double *ret_error);
bool law_joint_granular_near(const double *columns, size_t count, const struct law_x *x, size_t n_x,
                             size_t stride, float *ret_near, double *ret_error);

#endif
