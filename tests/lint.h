/* Put before every file by tests/lint.py. Analysers look at one file at a time and cannot know that
 * `return err_set(…, ERR_INVALID, …)` never returns ERR_OK: here it is said. */
#ifndef MOEPLAN_TESTS_LINT_H
#define MOEPLAN_TESTS_LINT_H

#include "core/err.h"

#define err_set(err, code, ...) (err_set((err), (code), __VA_ARGS__), (code))
#define err_add(err, code, ...) (err_add((err), (code), __VA_ARGS__), (code))

#endif
