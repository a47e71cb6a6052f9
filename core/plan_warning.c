#include "core/plan_warning.h"

#include <stdarg.h>
#include <stdio.h>

void plan_warning_add(struct plan_answer *answer, const char *code, const char *format, ...)
{
    struct plan_warning *warning;
    va_list args;

    if (answer->n_warnings == PLAN_WARNINGS_MAX)
        return;
    warning = &answer->warnings[answer->n_warnings++];
    warning->code = code;
    va_start(args, format);
    vsnprintf(warning->detail, sizeof warning->detail, format, args);
    va_end(args);
}
