#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *title;
} err_table[] = {
    [ERR_OK] = {"ok", "No error"},
    [ERR_INVALID] = {"invalid", "The request is not valid"},
    [ERR_UNBOUNDED] = {"unbounded", "The question has no finite answer"},
    [ERR_UNAUTHORIZED] = {"unauthorized", "A valid token is required"},
    [ERR_FORBIDDEN] = {"forbidden", "This is not allowed"},
    [ERR_NOT_FOUND] = {"not_found", "No such resource"},
    [ERR_STUDY_NOT_FOUND] = {"study_not_found", "No such study"},
    [ERR_EXPERIMENT_NOT_FOUND] = {"experiment_not_found", "No such experiment"},
    [ERR_FIT_NOT_FOUND] = {"fit_not_found", "No such fit"},
    [ERR_LAW_NOT_FOUND] = {"law_not_found", "No such law"},
    [ERR_METHOD_NOT_ALLOWED] = {"method_not_allowed", "The resource does not have this method"},
    [ERR_NOT_ACCEPTABLE] = {"not_acceptable", "No acceptable form of the answer"},
    [ERR_TIMEOUT] = {"timeout", "The request took too long to arrive"},
    [ERR_CONFLICT] = {"conflict", "The request conflicts with what is stored"},
    [ERR_STUDY_NOT_EMPTY] = {"study_not_empty", "The study holds experiments"},
    [ERR_FIT_IN_USE] = {"fit_in_use", "The fit is a study's default"},
    [ERR_READ_ONLY] = {"read_only", "This cannot be changed"},
    [ERR_PRECONDITION_FAILED] = {"precondition_failed", "The precondition does not hold"},
    [ERR_TOO_LARGE] = {"too_large", "The request is too large"},
    [ERR_UNSUPPORTED_MEDIA_TYPE] = {"unsupported_media_type", "The content type is not supported"},
    [ERR_INFEASIBLE] = {"infeasible", "No configuration keeps the limits"},
    [ERR_TOO_FEW_EXPERIMENTS] = {"too_few_experiments", "Too few experiments for this law"},
    [ERR_NOT_IDENTIFIABLE] = {"not_identifiable", "The experiments cannot determine the law"},
    [ERR_UNSUPPORTED] = {"unsupported", "The law cannot answer this question"},
    [ERR_CANCELLED] = {"cancelled", "The work was cancelled"},
    [ERR_TOO_MANY_REQUESTS] = {"too_many_requests", "Too many requests"},
    [ERR_UNAVAILABLE] = {"unavailable", "The service cannot answer now"},
    [ERR_STORAGE_FULL] = {"storage_full", "The storage is full"},
    [ERR_NO_MEMORY] = {"no_memory", "The answer needs more memory than allowed"},
    [ERR_INTERNAL] = {"internal", "An unexpected error in the service"},
};
_Static_assert(sizeof err_table / sizeof err_table[0] == ERR_CODE_COUNT, "one row per err_code");

void err_init(struct err *err, struct arena *arena)
{
    err->code = ERR_OK;
    err->detail[0] = '\0'; /* most requests have none: the rest need not be cleared */
    err->arena = arena;
    err->first = err->last = NULL;
    err->n_fields = err->n_dropped = 0;
}

const char *err_name(enum err_code code)
{
    return err_table[code].name;
}

const char *err_title(enum err_code code)
{
    return err_table[code].title;
}

/* How many of the first `length` bytes hold only whole UTF-8 characters: a character cut off at the
 * end goes as a whole, so that a shortened message is still valid text. */
static size_t whole_characters(const char *text, size_t length)
{
    size_t start = length;

    while (start > 0 && length - start < 4) {
        unsigned char byte = (unsigned char)text[--start];
        size_t needs = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;

        if ((byte & 0xC0) != 0x80) /* the first byte of the last character */
            return length - start < needs ? start : length;
    }
    return length;
}

/* Formats into text[size], which is always terminated, shortened between characters. */
__attribute__((format(printf, 3, 0))) static void format_into(char *text, size_t size,
                                                              const char *format, va_list args)
{
    int length = vsnprintf(text, size, format, args);

    if (length < 0)
        text[0] = '\0';
    else if ((size_t)length >= size)
        text[whole_characters(text, size - 1)] = '\0';
}

/* Puts the words after what text[size] holds. */
__attribute__((format(printf, 3, 4))) static void append(char *text, size_t size,
                                                         const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;

    va_start(args, format);
    format_into(text + used, size - used, format, args);
    va_end(args);
}

enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;

    err->code = code;
    va_start(args, format);
    format_into(err->detail, sizeof err->detail, format, args);
    va_end(args);
    return code;
}

void err_prefix(struct err *err, const char *format, ...)
{
    char old[ERR_DETAIL_BYTES];
    va_list args;

    memcpy(old, err->detail, sizeof old);
    va_start(args, format);
    format_into(err->detail, sizeof err->detail, format, args);
    va_end(args);
    append(err->detail, sizeof err->detail, "%s", old);
}

/* A copy of the field in the err's arena; NULL when there is no arena or no room in it. */
static struct err_field *keep_field(const struct err *err, const char *name, const char *detail)
{
    struct err_field *field;

    if (!err->arena || err->n_fields >= ERR_FIELDS_MAX)
        return NULL;
    field = arena_calloc(err->arena, 1, sizeof *field);
    if (!field)
        return NULL;
    field->name = arena_copy(err->arena, name, strlen(name));
    field->detail = arena_copy(err->arena, detail, strlen(detail));
    return field->name && field->detail ? field : NULL;
}

enum err_code err_add(struct err *err, enum err_code code, enum err_place place, const char *name,
                      uint64_t row, const char *format, ...)
{
    char detail[ERR_DETAIL_BYTES];
    struct err_field *field;
    va_list args;

    va_start(args, format);
    format_into(detail, sizeof detail, format, args);
    va_end(args);

    if (err->code == ERR_OK)
        err->code = code;
    if (err->detail[0] == '\0') /* the first field speaks for all, also where none is kept */
        append(err->detail, sizeof err->detail, "%s%s%s", name, name[0] ? ": " : "", detail);

    field = keep_field(err, name, detail);
    if (!field) {
        err->n_dropped++;
        return err->code;
    }
    field->place = place;
    field->row = row;
    if (err->last)
        err->last->next = field;
    else
        err->first = field;
    err->last = field;
    err->n_fields++;
    return err->code;
}
