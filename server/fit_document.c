#include "server/fit_document.h"

#include <math.h>
#include <string.h>

#include "server/number.h"

/* Past the string that opens at `at`. */
static const char *skip_string(const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* Past the value at `at`. */
static const char *skip_value(const char *at, const char *end)
{
    int depth = 0;

    while (at < end) {
        if (*at == '"') {
            at = skip_string(at, end);
            continue;
        }
        if ((*at == ',' || *at == '}' || *at == ']') && depth == 0)
            return at;
        depth += *at == '{' || *at == '[';
        depth -= *at == '}' || *at == ']';
        at++;
    }
    return end;
}

bool fit_document_next(const struct fit_record *record, size_t *at, const char **ret_name,
                       size_t *ret_name_length, const char **ret_value, size_t *ret_length)
{
    const char *end = record->document + record->document_length, *name, *value, *stop;

    if (record->document == NULL || *at + 2 >= record->document_length)
        return false;
    name = record->document + *at + 1; /* past the brace or the comma */
    stop = skip_string(name, end);
    if (*name != '"' || stop >= end || *stop != ':')
        return false;
    *ret_name = name + 1;
    *ret_name_length = (size_t)(stop - name) - 2;
    value = stop + 1;
    stop = skip_value(value, end);
    *ret_value = value;
    *ret_length = (size_t)(stop - value);
    *at = (size_t)(stop - record->document);
    return true;
}

bool fit_document_member(const struct fit_record *record, const char *name, const char **ret_value,
                         size_t *ret_length)
{
    const char *member;
    size_t at = 0, length;

    while (fit_document_next(record, &at, &member, &length, ret_value, ret_length))
        if (length == strlen(name) && memcmp(member, name, length) == 0)
            return true;
    return false;
}

double fit_document_number(const struct fit_record *record, const char *name)
{
    const char *value;
    size_t length;
    double number;

    return fit_document_member(record, name, &value, &length) && number_read(value, length, &number)
               ? number
               : NAN;
}

bool fit_document_warning(const struct fit_record *record, const char *code, const char **ret_text,
                          size_t *ret_length)
{
    static const char opening[] = "{\"code\":\"";
    const char *at, *end;
    size_t length;

    if (!fit_document_member(record, "warnings", &at, &length))
        return false;
    for (end = at + length; at < end && *at != ']'; at += *ret_length) {
        at++; /* past the bracket or the comma */
        *ret_text = at;
        *ret_length = (size_t)(skip_value(at, end) - at);
        if (*ret_length > sizeof opening + strlen(code) &&
            memcmp(at, opening, sizeof opening - 1) == 0 &&
            strncmp(at + sizeof opening - 1, code, strlen(code)) == 0 &&
            at[sizeof opening - 1 + strlen(code)] == '"')
            return true;
    }
    return false;
}
