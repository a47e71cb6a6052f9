/* share: one piece of work made by several threads.
 *
 * Threads take chunks by an atomic counter until none is left or one fails. They are made for the
 * work and gone after it: work worth sharing takes milliseconds. They inherit the niceness of the
 * thread that shares, which takes part.
 */
#ifndef MOEPLAN_SERVER_SHARE_H
#define MOEPLAN_SERVER_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/fit.h"

struct share {
    size_t threads; /* at most, >= 1 */
    /* Called by the sharing thread between its chunks; false cancels. May be NULL. */
    bool (*progress)(void *ctx, size_t done, size_t count);
    void *progress_ctx;
};

/* A fit_share; share_ctx is a struct share. Where threads cannot be had it goes on with those it
 * has. */
enum err_code share_run(void *share_ctx, size_t count, fit_part *part, void *ctx, struct err *err);

#endif
