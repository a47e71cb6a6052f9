#include "server/query.h"

#include <string.h>

#include "server/percent.h"

/* A decoded copy of text[length]; the raw copy where the encoding is bad. NULL: no memory. */
static char *decode(const char *text, size_t length, struct arena *arena, bool *ret_valid)
{
    char *copy = arena_copy(arena, text, length);
    if (copy == NULL)
        return NULL;
    *ret_valid = percent_valid(copy);
    if (*ret_valid) {
        for (char *c = copy; *c != '\0'; c++)
            if (*c == '+')
                *c = ' ';
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
