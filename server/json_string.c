#include "server/json_string.h"

#include <stdint.h>
#include <string.h>

#include "server/utf8.h"

static const char escape_letters[] = "\"\\/bfnrt", escape_bytes[] = "\"\\/\b\f\n\r\t";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The UTF-16 unit that "\uXXXX" at `at` names; -1 when that is not there. */
static int32_t escaped_unit(const char *at, const char *end)
{
    int32_t unit = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = hex_digit(at[i]);
        if (digit < 0)
            return -1;
        unit = unit * 16 + digit;
    }
    return unit;
}

static bool is_high_surrogate(int32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(int32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

size_t json_string_escape(const char *at, const char *end, const char **ret_fault)
{
    if (end - at >= 2 && at[1] != '\0' && strchr(escape_letters, at[1]) != NULL)
        return 2;
    if (end - at < 2 || at[1] != 'u') {
        *ret_fault = "a backslash in a string must start an escape of JSON";
        return 0;
    }
    int32_t unit = escaped_unit(at, end);
    if (unit < 0)
        *ret_fault = "\\u must be followed by four hexadecimal digits";
    else if (unit == 0)
        *ret_fault = "a string cannot hold the character \\u0000";
    else if (is_high_surrogate(unit) && is_low_surrogate(escaped_unit(at + 6, end)))
        return 12;
    else if (is_high_surrogate(unit) || is_low_surrogate(unit))
        *ret_fault = "half of a surrogate pair";
    else
        return 6;
    return 0;
}

size_t json_string_unescape(const char *string, size_t length, char *ret_text)
{
    const char *at = string, *end = string + length;
    size_t n = 0;
    while (at < end) {
        if (*at != '\\') {
            ret_text[n++] = *at++;
        } else if (at[1] != 'u') {
            ret_text[n++] = escape_bytes[strchr(escape_letters, at[1]) - escape_letters];
            at += 2;
        } else {
            int32_t unit = escaped_unit(at, end);
            at += 6;
            if (is_high_surrogate(unit)) {
                unit = 0x10000 + (unit - 0xD800) * 0x400 + (escaped_unit(at, end) - 0xDC00);
                at += 6;
            }
            n += utf8_write((uint32_t)unit, ret_text + n);
        }
    }
    return n;
}

bool json_pointer_append(char *pointer, size_t room, size_t *length, const char *token,
                         size_t token_length)
{
    size_t n = *length;
    if (token_length > room / 2 || n + 2 + 2 * token_length > room)
        return false;
    pointer[n++] = '/';
    for (size_t i = 0; i < token_length; i++) {
        if (token[i] == '~' || token[i] == '/') {
            pointer[n++] = '~';
            pointer[n++] = token[i] == '~' ? '0' : '1';
        } else {
            pointer[n++] = token[i];
        }
    }
    *length = n;
    return true;
}

const char *json_skip_space(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++)
        at += *at == '\\'; /* whatever follows is not the end */
    return at + 1;
}

const char *json_skip_value(const char *at, const char *end)
{
    int depth = 0;
    do {
        at = json_skip_space(at, end);
        if (*at == '"') {
            at = skip_string(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (*at == '}' || *at == ']') {
            depth--;
            at++;
        } else if (*at == ',' || *at == ':') {
            at++;
        } else { /* a number or a literal */
            while (at < end && !strchr(" \n\r\t,:]}", *at))
                at++;
        }
    } while (depth > 0);
    return at;
}
