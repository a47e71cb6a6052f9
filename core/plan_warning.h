/* plan_warning: what an answer holds with, but its reader should know. Internal to the planner. */
#ifndef MOEPLAN_CORE_PLAN_WARNING_H
#define MOEPLAN_CORE_PLAN_WARNING_H

#include "core/plan.h"

/* One warning more, code a constant; beyond PLAN_WARNINGS_MAX none. */
__attribute__((format(printf, 3, 4))) void
plan_warning_add(struct plan_answer *answer, const char *code, const char *format, ...);

#endif
