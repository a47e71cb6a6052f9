/* field: one table for what a request may carry, read alike from a query string, a JSON object or a
 * CSV row.
 *
 * A handler declares a struct and a const table of rows (name, kind, offset, range, help); decoding
 * fills the struct, reports *every* bad field with its pointer, parameter or cell, and refuses the
 * unknown, the repeated and the missing. The OpenAPI document is written from the same tables, so
 * it cannot disagree. Query strings alone take suffixes (80GB, 1.5T, 14d); see the contract.
 */
#ifndef MOEPLAN_SERVER_FIELD_H
#define MOEPLAN_SERVER_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/json.h"

enum field_kind {
    FIELD_NUMBER,    /* double */
    FIELD_COUNT,     /* double; query suffixes K M B T */
    FIELD_BYTES,     /* double; query suffixes B kB MB GB TB KiB MiB GiB TiB */
    FIELD_DURATION,  /* double seconds; query suffixes s m h d w */
    FIELD_INTEGER,   /* int64_t; below 2^53 in magnitude */
    FIELD_BOOL,      /* bool */
    FIELD_TEXT,      /* const char *, in the arena */
    FIELD_CHOICE,    /* int: index into choices */
    FIELD_NUMBERS,   /* struct field_numbers: "1,2,4" or [1,2,4]; ranges hold for each. A set:
                        ascending, each once; `of` is their kind */
    FIELD_TIME,      /* int64_t microseconds since 1970; RFC 3339 text */
    FIELD_REFERENCE, /* const char *: a name, or an id, which JSON may write as a number */
    FIELD_CUSTOM,    /* `custom` decodes; JSON only */
};

enum {
    FIELD_NUMBERS_MAX = 64,     /* in one FIELD_NUMBERS */
    FIELD_PARAMETERS_MAX = 200, /* in one query string */
};

struct field_numbers {
    size_t count;
    double *values;
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t offset;      /* of the target in the struct */
    enum field_kind of; /* FIELD_NUMBERS: what each is */
    bool required;
    /* Inclusive; INFINITY for none. max 0 over a min >= 0: no upper limit. Both 0: any finite
     * value, but counts, bytes and durations are at least 0. For texts: bytes, max 0 for no limit.
     */
    double min, max;
    bool min_exclusive;
    bool whole;                 /* numbers: no fraction, as FIELD_INTEGER has none */
    const char *const *choices; /* NULL-terminated */
    const char *unit;           /* "FLOPs", "bytes", …, or NULL */
    const char *fallback;       /* the default as text, for the document; NULL when there is none */
    const char *help;           /* one sentence */
    const char *schema;         /* FIELD_CUSTOM: name of its schema in openapi components */
    /* FIELD_CUSTOM: decode value into target (the struct's address + offset). */
    enum err_code (*custom)(const struct json *value, const char *pointer, void *target,
                            struct arena *arena, struct err *err);
};

/* Which rows a request carried: bit i is row i of the table. Tables hold at most 64 rows. */
struct field_presence {
    uint64_t given; /* with a value */
    uint64_t nulls; /* JSON null, or an empty CSV cell */
};

/* Handles names the table does not have (filters: tag.NAME, experts_min). Returns false for an
 * unknown name, which is then an error; problems with the value are added to err. An empty value
 * is an error without the handler's doing. */
typedef bool field_other_query(void *ctx, const char *name, const char *value, struct err *err);
typedef bool field_other_json(void *ctx, const char *name, const struct json *value,
                              const char *pointer, struct err *err);

/* All decoders: target must hold the defaults already; after an error it holds some of the values.
 * Errors are ERR_INVALID with every bad field in err, or ERR_NO_MEMORY. A name that is not in the
 * table but near one is answered with a guess. */

/* query: the raw query string ("a=1&b=2", percent-encoded; NULL for none). Bad encoding, a repeated
 * name, and an empty value are errors. */
enum err_code field_from_query(const struct field *table, size_t rows, const char *query,
                               field_other_query *other, void *ctx, void *target,
                               struct field_presence *ret_presence, struct arena *arena,
                               struct err *err);

/* base: the object's own JSON pointer, "" at the top. null counts as absent but sets `nulls`. */
enum err_code field_from_json(const struct field *table, size_t rows, const struct json *object,
                              const char *base, field_other_json *other, void *ctx, void *target,
                              struct field_presence *ret_presence, struct arena *arena,
                              struct err *err);

/* A merge patch of such an object: nothing is required. */
enum err_code field_from_patch(const struct field *table, size_t rows, const struct json *object,
                               void *target, struct field_presence *ret_presence,
                               struct arena *arena, struct err *err);

/* One CSV cell of the row-th data row (1 is the first). Plain numbers, no suffixes; lists as in a
 * query string. target: the struct. An empty cell is absent: ERR_OK, target untouched. */
enum err_code field_from_cell(const struct field *field, const char *cell, size_t length,
                              uint64_t row, void *target, struct arena *arena, struct err *err);

/* The limits of a number as min and max mean them; ±INFINITY where there is none. */
struct field_limits {
    double lower, upper;
    bool exclusive; /* of lower */
};
struct field_limits field_limits(const struct field *field);

/* The table's row of that name, or rows. */
size_t field_find(const struct field *table, size_t rows, const char *name, size_t name_length);

#endif
