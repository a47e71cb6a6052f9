/* alloc: malloc that fails when told to. Test binaries only.
 *
 * How to use it: #include "tests/fault/alloc.c" in the ONE test file that needs it (it replaces
 * malloc, calloc, realloc and free of the whole binary, glibc only), then
 *
 *     for (size_t k = 1; ; k++) {
 *         alloc_fail_at(k);            // the k-th allocation of this thread from here on fails
 *         code = the_call_under_test();
 *         if (!alloc_failed()) { alloc_never_fail(); break; }   // it needs fewer than k
 *         alloc_never_fail();
 *         assert_int_equal(code, ERR_NO_MEMORY);
 *     }
 *
 * alloc_fail_from(k) fails the k-th and every later one. Under a sanitizer, which owns malloc,
 * ALLOC_CAN_FAIL is 0 and nothing ever fails: skip() then. Counting is per thread, but for
 * alloc_fail_anywhere, which counts the allocations of all threads together.
 */
#ifndef MOEPLAN_TESTS_FAULT_ALLOC_H
#define MOEPLAN_TESTS_FAULT_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ALLOC_CAN_FAIL 0
#else
#define ALLOC_CAN_FAIL 1
#endif

void alloc_fail_at(size_t number);
void alloc_fail_from(size_t number);
void alloc_fail_anywhere(size_t number);
void alloc_never_fail(void);

/* Whether an allocation was failed since the last of the above, by this thread or anywhere. */
bool alloc_failed(void);

/* Allocations counted since then. */
size_t alloc_count(void);

/* Allocations of this thread not freed yet; meant for differences. Always 0 under a sanitizer. */
size_t alloc_live(void);

#endif
