#include "server/field_value.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/instant.h"
#include "server/number.h"
#include "server/utf8.h"

enum { SHOWN_BYTES_MAX = 40, CHOICES_BYTES_MAX = 300 };

enum err_code field_fault(const struct field_site *site, const char *format, ...)
{
    char detail[ERR_DETAIL_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    err_add(site->err, ERR_INVALID, site->place, site->name, site->row, "%s", detail);
    return ERR_INVALID;
}

enum err_code field_no_memory(const struct field_site *site)
{
    return err_set(site->err, ERR_NO_MEMORY, "the request needs more memory than allowed");
}

/* How many bytes of a value a message repeats: whole characters, not too many. */
static int shown(const char *text, size_t length)
{
    size_t n = 0;
    for (;;) {
        size_t bytes = utf8_character(text + n, length - n);
        if (bytes == 0 || n + bytes > SHOWN_BYTES_MAX)
            return (int)n;
        n += bytes;
    }
}

/* Suffixes of query strings, case-sensitive: value·10^exponent10·factor. */
struct suffix {
    const char *text;
    int exponent10;
    double factor;
};

static const struct suffix count_suffixes[] = {
    {"K", 3, 1}, {"M", 6, 1}, {"B", 9, 1}, {"T", 12, 1}, {NULL, 0, 0}};
static const struct suffix byte_suffixes[] = {
    {"B", 0, 1},        {"kB", 3, 1},       {"MB", 6, 1},       {"GB", 9, 1},       {"TB", 12, 1},
    {"KiB", 0, 0x1p10}, {"MiB", 0, 0x1p20}, {"GiB", 0, 0x1p30}, {"TiB", 0, 0x1p40}, {NULL, 0, 0}};
static const struct suffix duration_suffixes[] = {{"s", 0, 1},     {"m", 0, 60},     {"h", 0, 3600},
                                                  {"d", 0, 86400}, {"w", 0, 604800}, {NULL, 0, 0}};

static const struct {
    const struct suffix *suffixes;
    const char *expected; /* in a query string */
} number_kinds[] = {
    [FIELD_NUMBER] = {NULL, "a number"},
    [FIELD_COUNT] = {count_suffixes, "a number, plain or with K, M, B or T"},
    [FIELD_BYTES] = {byte_suffixes,
                     "a number of bytes, plain or with B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"},
    [FIELD_DURATION] = {duration_suffixes, "a number of seconds, or one with s, m, h, d or w"},
    [FIELD_INTEGER] = {NULL, "a whole number"},
};

/* A number with one of the suffixes (NULL: none); may be infinite. False when it is not that. */
static bool read_number(const char *text, size_t length, const struct suffix *suffixes,
                        double *ret_value)
{
    if (suffixes == NULL)
        return number_read(text, length, ret_value);
    size_t digits = 0;
    while (digits < length && strchr("+-.0123456789eE", text[digits]) != NULL)
        digits++;
    if (digits == length)
        return number_read(text, length, ret_value);
    for (const struct suffix *suffix = suffixes; suffix->text != NULL; suffix++)
        if (strlen(suffix->text) == length - digits &&
            memcmp(suffix->text, text + digits, length - digits) == 0) {
            if (!number_read_scaled(text, digits, suffix->exponent10, ret_value))
                return false;
            *ret_value *= suffix->factor;
            return true;
        }
    return false;
}

struct field_limits field_limits(const struct field *field)
{
    struct field_limits limits = {field->min, field->max, field->min_exclusive};
    bool counts =
        field->kind == FIELD_COUNT || field->kind == FIELD_BYTES || field->kind == FIELD_DURATION;
    if (field->max == 0 && field->min >= 0)
        limits.upper = INFINITY;
    if (field->min == 0 && field->max == 0 && !field->min_exclusive && !counts)
        limits.lower = -INFINITY;
    return limits;
}

static enum err_code fault_of_range(const struct field_limits *limits,
                                    const struct field_site *site)
{
    char lower[NUMBER_BYTES], upper[NUMBER_BYTES];
    bool has_lower = isfinite(limits->lower), has_upper = isfinite(limits->upper);
    int lower_length = has_lower ? (int)number_write(limits->lower, lower) : 0;
    int upper_length = has_upper ? (int)number_write(limits->upper, upper) : 0;
    if (has_lower && has_upper && limits->exclusive)
        return field_fault(site, "must be greater than %.*s and at most %.*s", lower_length, lower,
                           upper_length, upper);
    if (has_lower && has_upper)
        return field_fault(site, "must be between %.*s and %.*s", lower_length, lower, upper_length,
                           upper);
    if (has_lower)
        return field_fault(site, "must be %s %.*s", limits->exclusive ? "greater than" : "at least",
                           lower_length, lower);
    return field_fault(site, "must be at most %.*s", upper_length, upper);
}

/* What every number must be, wherever it came from; limits: the field's. −0 becomes 0, which
 * compares and prints the same everywhere. */
static inline enum err_code check_number(const struct field *field,
                                         const struct field_limits *limits, double *value,
                                         const struct field_site *site)
{
    if (!isfinite(*value))
        return field_fault(site, "is too large for a number: at most 1.7976931348623157e308");
    if ((field->kind == FIELD_INTEGER || field->whole) && *value != trunc(*value))
        return field_fault(site, "must be a whole number");
    if (*value < limits->lower || *value > limits->upper ||
        (limits->exclusive && *value == limits->lower))
        return fault_of_range(limits, site);
    if (field->kind == FIELD_INTEGER && fabs(*value) >= 0x1p53)
        return field_fault(site, "must be less than 2^53 in size");
    if (*value == 0)
        *value = 0;
    return ERR_OK;
}

static enum err_code put_number(const struct field *field, double value, void *target,
                                const struct field_site *site)
{
    struct field_limits limits = field_limits(field);
    enum err_code code = check_number(field, &limits, &value, site);
    if (code != ERR_OK)
        return code;
    if (field->kind == FIELD_INTEGER)
        *(int64_t *)target = (int64_t)value;
    else
        *(double *)target = value;
    return ERR_OK;
}

static enum err_code put_number_text(const struct field *field, const char *text, size_t length,
                                     bool suffixes, void *target, const struct field_site *site)
{
    double value;
    if (!read_number(text, length, suffixes ? number_kinds[field->kind].suffixes : NULL, &value))
        return field_fault(site, "must be %s, not '%.*s'",
                           suffixes ? number_kinds[field->kind].expected : "a number",
                           shown(text, length), text);
    return put_number(field, value, target, site);
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* A list is a set; most come in order. */
static struct field_numbers sort_distinct(double *values, size_t count)
{
    size_t kept = 0, ordered = 1;
    while (ordered < count && values[ordered - 1] < values[ordered])
        ordered++;
    if (ordered == count)
        return (struct field_numbers){count, values};
    qsort(values, count, sizeof *values, compare_doubles);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || values[kept - 1] != values[i])
            values[kept++] = values[i];
    return (struct field_numbers){kept, values};
}

static enum err_code put_numbers_text(const struct field *field, const char *text, size_t length,
                                      bool suffixes, void *target, const struct field_site *site)
{
    size_t count = 1;
    for (size_t i = 0; i < length; i++)
        count += text[i] == ',';
    if (count > FIELD_NUMBERS_MAX)
        return field_fault(site, "must be at most %d numbers", FIELD_NUMBERS_MAX);
    const struct suffix *suffix_list = suffixes ? number_kinds[field->of].suffixes : NULL;
    struct field_limits limits = field_limits(field);
    double *values = arena_calloc(site->arena, count, sizeof *values);
    if (values == NULL)
        return field_no_memory(site);
    for (size_t i = 0; i < count; i++) {
        size_t part = 0;
        while (part < length && text[part] != ',')
            part++;
        if (!read_number(text, part, suffix_list, &values[i]))
            return field_fault(site, "must be numbers separated by commas: '%.*s' is not %s",
                               shown(text, part), text,
                               suffixes ? number_kinds[field->of].expected : "a number");
        enum err_code code = check_number(field, &limits, &values[i], site);
        if (code != ERR_OK)
            return code;
        text += part + 1;
        length -= part + (part < length);
    }
    *(struct field_numbers *)target = sort_distinct(values, count);
    return ERR_OK;
}

static enum err_code put_bool_text(const char *text, size_t length, void *target,
                                   const struct field_site *site)
{
    bool is_true = length == 4 && memcmp(text, "true", 4) == 0;
    if (!is_true && !(length == 5 && memcmp(text, "false", 5) == 0))
        return field_fault(site, "must be true or false, not '%.*s'", shown(text, length), text);
    *(bool *)target = is_true;
    return ERR_OK;
}

static enum err_code put_words(const struct field *field, const char *text, size_t length,
                               void *target, const struct field_site *site)
{
    if (field->max > 0 && (double)length > field->max)
        return field_fault(site, "must be at most %.0f bytes long", field->max);
    if ((double)length < field->min)
        return field_fault(site, length == 0 ? "must not be empty" : "is too short");
    const char *copy = arena_copy(site->arena, text, length);
    if (copy == NULL)
        return field_no_memory(site);
    *(const char **)target = copy;
    return ERR_OK;
}

static enum err_code put_choice(const struct field *field, const char *text, size_t length,
                                void *target, const struct field_site *site)
{
    char list[CHOICES_BYTES_MAX];
    size_t n = 0;
    for (int i = 0; field->choices[i] != NULL; i++) {
        const char *choice = field->choices[i];
        if (strlen(choice) == length && memcmp(choice, text, length) == 0) {
            *(int *)target = i;
            return ERR_OK;
        }
        int more = snprintf(list + n, sizeof list - n, "%s%s", n > 0 ? ", " : "", choice);
        if (more > 0 && (size_t)more < sizeof list - n)
            n += (size_t)more;
    }
    list[n] = '\0';
    return field_fault(site, "must be one of %s, not '%.*s'", list, shown(text, length), text);
}

static enum err_code put_time(const char *text, size_t length, void *target,
                              const struct field_site *site)
{
    if (!instant_read(text, length, target))
        return field_fault(site, "must be a time like 2026-01-31T23:59:59Z, not '%.*s'",
                           shown(text, length), text);
    return ERR_OK;
}

enum err_code field_put_text(const struct field *field, const char *text, size_t length,
                             bool suffixes, void *target, const struct field_site *site)
{
    switch (field->kind) {
    case FIELD_NUMBER:
    case FIELD_COUNT:
    case FIELD_BYTES:
    case FIELD_DURATION:
    case FIELD_INTEGER:
        return put_number_text(field, text, length, suffixes, target, site);
    case FIELD_NUMBERS:
        return put_numbers_text(field, text, length, suffixes, target, site);
    case FIELD_BOOL:
        return put_bool_text(text, length, target, site);
    case FIELD_TEXT:
    case FIELD_REFERENCE:
        return put_words(field, text, length, target, site);
    case FIELD_CHOICE:
        return put_choice(field, text, length, target, site);
    case FIELD_TIME:
        return put_time(text, length, target, site);
    case FIELD_CUSTOM:
        break;
    }
    return field_fault(site, "can be given in a JSON body only");
}

static enum err_code fault_of_kind(const char *expected, const struct json *value,
                                   const struct field_site *site)
{
    return field_fault(site, "must be %s, not %s", expected, json_kind_name(json_kind(value)));
}

static enum err_code put_numbers_json(const struct field *field, const struct json *value,
                                      void *target, const struct field_site *site)
{
    size_t count = 0;
    enum err_code code = ERR_OK;
    if (json_kind(value) != JSON_ARRAY)
        return fault_of_kind("an array of numbers", value, site);
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
        count++;
    if (count == 0 || count > FIELD_NUMBERS_MAX)
        return field_fault(site, "must hold between 1 and %d numbers", FIELD_NUMBERS_MAX);
    struct field_limits limits = field_limits(field);
    double *values = arena_calloc(site->arena, count, sizeof *values);
    if (values == NULL)
        return field_no_memory(site);
    size_t i = 0;
    for (const struct json *item = json_first(value); item != NULL; item = json_next(item), i++) {
        struct field_site at = *site;
        at.name = json_pointer_index(site->arena, site->name, i);
        if (at.name == NULL)
            return field_no_memory(site);
        enum err_code one = ERR_OK;
        if (json_kind(item) != JSON_NUMBER) {
            one = fault_of_kind("a number", item, &at);
        } else {
            values[i] = json_number(item);
            one = check_number(field, &limits, &values[i], &at);
        }
        code = one != ERR_OK ? one : code;
    }
    if (code == ERR_OK)
        *(struct field_numbers *)target = sort_distinct(values, count);
    return code;
}

/* What kind of JSON value each field takes. */
static const struct {
    enum json_kind kind;
    const char *name;
} json_kinds[] = {
    [FIELD_NUMBER] = {JSON_NUMBER, "a number"},
    [FIELD_COUNT] = {JSON_NUMBER, "a number"},
    [FIELD_BYTES] = {JSON_NUMBER, "a number of bytes"},
    [FIELD_DURATION] = {JSON_NUMBER, "a number of seconds"},
    [FIELD_INTEGER] = {JSON_NUMBER, "a whole number"},
    [FIELD_BOOL] = {JSON_BOOL, "true or false"},
    [FIELD_TEXT] = {JSON_TEXT, "a string"},
    [FIELD_REFERENCE] = {JSON_TEXT, "a name or an id"},
    [FIELD_CHOICE] = {JSON_TEXT, "a string"},
    [FIELD_TIME] = {JSON_TEXT, "a string holding a time"},
};

/* An id as JSON may write it: a positive whole number. */
static enum err_code put_id_json(const struct field *field, double id, void *target,
                                 const struct field_site *site)
{
    char text[NUMBER_BYTES];
    if (!(id >= 1 && id < 0x1p53) || id != trunc(id))
        return field_fault(site, "must be a name or an id");
    return put_words(field, text, number_write_integer((int64_t)id, text), target, site);
}

enum err_code field_put_json(const struct field *field, const struct json *value, void *target,
                             const struct field_site *site)
{
    if (field->kind == FIELD_CUSTOM)
        return field->custom(value, site->name, target, site->arena, site->err);
    if (field->kind == FIELD_NUMBERS)
        return put_numbers_json(field, value, target, site);
    if (field->kind == FIELD_REFERENCE && json_kind(value) == JSON_NUMBER)
        return put_id_json(field, json_number(value), target, site);
    if (json_kind(value) != json_kinds[field->kind].kind)
        return fault_of_kind(json_kinds[field->kind].name, value, site);
    switch (json_kinds[field->kind].kind) {
    case JSON_NUMBER:
        return put_number(field, json_number(value), target, site);
    case JSON_BOOL:
        *(bool *)target = json_bool(value);
        return ERR_OK;
    default:
        return field_put_text(field, json_text(value), strlen(json_text(value)), false, target,
                              site);
    }
}
