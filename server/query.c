#include "server/query.h"

#include <string.h>

#include "server/percent.h"
#include "server/utf8.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Whether the '+' at text[i] means itself: in an exponent, as most programs print 1e+22, and before
 * the offset of a time, as in 23:59:59+02:00. No word holds either with a space in its place. */
static bool is_plus(const char *text, size_t i)
{
    bool exponent = i >= 2 && (text[i - 1] == 'e' || text[i - 1] == 'E') &&
                    (is_digit(text[i - 2]) || text[i - 2] == '.') && is_digit(text[i + 1]);
    bool offset = i >= 1 && is_digit(text[i - 1]) && is_digit(text[i + 1]) &&
                  is_digit(text[i + 2]) && text[i + 3] == ':';

    return exponent || offset;
}

/* Most texts do. */
static bool stands_for_itself(const char *text, size_t length)
{
    return utf8_plain(text, length) == length && memchr(text, '%', length) == NULL &&
           memchr(text, '+', length) == NULL;
}

/* A decoded copy of text[length]; the raw copy where the encoding is bad. NULL: no memory. */
static char *decode(const char *text, size_t length, struct arena *arena, bool *ret_valid)
{
    char *copy = arena_copy(arena, text, length);
    if (copy == NULL)
        return NULL;
    *ret_valid = stands_for_itself(copy, length);
    if (*ret_valid)
        return copy;
    *ret_valid = percent_valid(copy);
    if (*ret_valid) {
        for (size_t i = 0; copy[i] != '\0'; i++)
            if (copy[i] == '+' && !is_plus(copy, i))
                copy[i] = ' ';
        percent_decode(copy);
    }
    return copy;
}

bool query_next(const char **at, struct arena *arena, struct query_pair *ret_pair)
{
    if (*at == NULL)
        return false;
    const char *start = *at + strspn(*at, "&");
    if (*start == '\0') {
        *at = NULL;
        return false;
    }
    size_t length = strcspn(start, "&");
    const char *equals = memchr(start, '=', length);
    size_t name_length = equals != NULL ? (size_t)(equals - start) : length;
    bool name_valid, value_valid = true;
    struct query_pair pair = {.name = decode(start, name_length, arena, &name_valid)};
    if (pair.name == NULL)
        return false;
    if (equals != NULL) {
        pair.value = decode(equals + 1, length - name_length - 1, arena, &value_valid);
        if (pair.value == NULL)
            return false;
    }
    if (!name_valid || !value_valid)
        pair.fault = "must be UTF-8 without NUL, percent-encoded as %XX";
    *ret_pair = pair;
    *at = start + length;
    return true;
}
