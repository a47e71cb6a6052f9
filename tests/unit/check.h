/* check: what every unit test includes: cmocka and a comparison for doubles. */
#ifndef MOEPLAN_TESTS_CHECK_H
#define MOEPLAN_TESTS_CHECK_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Fails unless |a − b| <= tolerance·max(1e-300, |b|); NANs are never near. */
#define assert_near(a, b, tolerance) check_near((a), (b), (tolerance), #a, __FILE__, __LINE__)

static inline void check_near(double a, double b, double tolerance, const char *what,
                              const char *file, int line)
{
    if (fabs(a - b) <= tolerance * fmax(1e-300, fabs(b)))
        return;
    print_error("%s is %.17g, want %.17g (relative %.3g)\n", what, a, b, fabs(a - b) / fabs(b));
    _fail(file, line);
}

#endif
