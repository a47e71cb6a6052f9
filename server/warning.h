/* warning: every code that stands in a `warnings` member, once: what it means and what to do; and
 * such a member.
 *
 * The table is the list /docs prints; tests hold every answer against it. The sentences in answers
 * have the figures and are made where these are known (core/fit_diagnose.h first of all).
 */
#ifndef MOEPLAN_SERVER_WARNING_H
#define MOEPLAN_SERVER_WARNING_H

#include <stddef.h>

#include "server/out.h"

struct warning {
    const char *code;    /* stable */
    const char *of;      /* whose: "fits", "plans", … */
    const char *meaning; /* a sentence without a full stop */
    const char *remedy;  /* likewise, what to do */
};

size_t warning_count(void);
const struct warning *warning_at(size_t index);

/* {"code":…,"detail":…} into an open array. */
void warning_write(struct out *out, const char *code, const char *detail);

#endif
