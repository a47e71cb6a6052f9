/* fuzz: what every fuzz target has: a name, one input at a time, and claims that must hold.
 *
 * Linked with libFuzzer (`make fuzz`) a target searches; linked with replay.c it runs its corpus,
 * and mutations of it, as a test.
 */
#ifndef MOEPLAN_TESTS_FUZZ_H
#define MOEPLAN_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* The folder of its corpus below tests/fuzz/corpus. */
extern const char fuzz_name[];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_require(claim) fuzz_check((claim), #claim, __FILE__, __LINE__)

static inline void fuzz_check(int holds, const char *claim, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
    abort();
}

#endif
