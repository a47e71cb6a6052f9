/* err: what went wrong, as a stable code, a sentence, and the list of every field at fault.
 *
 * A function that can fail returns enum err_code and fills a struct err given last; on success the
 * struct is untouched. Callers may put words before a message (err_prefix) but never replace it.
 * Fields live in the arena given to err_init; an err without an arena keeps code and detail only.
 * Thread rule: an err belongs to one thread.
 */
#ifndef MOEPLAN_CORE_ERR_H
#define MOEPLAN_CORE_ERR_H

#include <stddef.h>
#include <stdint.h>

#include "core/arena.h"

/* One row each in err.c: the stable name clients see and a title. */
enum err_code {
    ERR_OK = 0,
    ERR_INVALID,   /* the request itself is wrong; fields say where */
    ERR_UNBOUNDED, /* a question whose answer would be infinite */
    ERR_UNAUTHORIZED,
    ERR_FORBIDDEN,
    ERR_NOT_FOUND,
    ERR_STUDY_NOT_FOUND,
    ERR_EXPERIMENT_NOT_FOUND,
    ERR_FIT_NOT_FOUND,
    ERR_LAW_NOT_FOUND,
    ERR_METHOD_NOT_ALLOWED,
    ERR_NOT_ACCEPTABLE,
    ERR_TIMEOUT,
    ERR_CONFLICT,
    ERR_STUDY_NOT_EMPTY,
    ERR_FIT_IN_USE,
    ERR_READ_ONLY, /* presets and the default study cannot be changed so */
    ERR_PRECONDITION_FAILED,
    ERR_TOO_LARGE,
    ERR_UNSUPPORTED_MEDIA_TYPE,
    ERR_INFEASIBLE, /* no configuration keeps the limits */
    ERR_TOO_FEW_EXPERIMENTS,
    ERR_NOT_IDENTIFIABLE, /* the runs cannot determine a coefficient */
    ERR_UNSUPPORTED,      /* this law cannot answer this question */
    ERR_CANCELLED,
    ERR_TOO_MANY_REQUESTS,
    ERR_UNAVAILABLE,
    ERR_STORAGE_FULL,
    ERR_NO_MEMORY,
    ERR_INTERNAL,
    ERR_CODE_COUNT
};

enum { ERR_DETAIL_BYTES = 512, ERR_FIELDS_MAX = 1000 };

enum err_place { ERR_AT_POINTER, ERR_AT_PARAMETER, ERR_AT_CELL };

struct err_field {
    struct err_field *next;
    enum err_place place;
    const char *name; /* JSON pointer, parameter name, or column name ("" for a whole row) */
    uint64_t row;     /* ERR_AT_CELL: 1 is the first row after the header */
    const char *detail;
};

struct err {
    enum err_code code;
    char detail[ERR_DETAIL_BYTES];
    struct arena *arena; /* may be NULL */
    struct err_field *first, *last;
    size_t n_fields;  /* kept, at most ERR_FIELDS_MAX */
    size_t n_dropped; /* beyond that, counted */
};

void err_init(struct err *err, struct arena *arena);

/* The stable snake_case name ("infeasible") and a short title ("No configuration fits"). */
const char *err_name(enum err_code code);
const char *err_title(enum err_code code);

/* Sets code and detail and returns code, so that callers can `return err_set(…)`. */
enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((cold, format(printf, 3, 4)));

/* Puts words before the detail: "study marin: " + "no such fit". */
void err_prefix(struct err *err, const char *format, ...)
    __attribute__((cold, format(printf, 2, 3)));

/* Adds one bad field; sets code if none is set yet, and a detail if there is none. */
enum err_code err_add(struct err *err, enum err_code code, enum err_place place, const char *name,
                      uint64_t row, const char *format, ...)
    __attribute__((cold, format(printf, 6, 7)));

#endif
