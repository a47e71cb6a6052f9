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

/* Decodes terminated text in place, where its encoding is good; else leaves it as it is. */
static bool decode(char *text, size_t *length)
{
    if (!percent_valid(text))
        return false;
    for (size_t i = 0; text[i] != '\0'; i++)
        if (text[i] == '+' && !is_plus(text, i))
            text[i] = ' ';
    *length = percent_decode(text);
    return true;
}

bool query_begin(const char *text, struct arena *arena, struct query *ret)
{
    size_t length = text != NULL ? strlen(text) : 0;
    char *copy = arena_copy(arena, text, length);
    if (copy == NULL)
        return false;
    *ret = (struct query){
        .at = copy,
        .end = copy + length,
        .plain = memchr(copy, '%', length) == NULL && memchr(copy, '+', length) == NULL &&
                 utf8_valid(copy, length) == length,
    };
    return true;
}

bool query_next(struct query *query, struct query_pair *ret_pair)
{
    char *name = query->at, *end, *equals;
    while (*name == '&')
        name++;
    if (name == query->end)
        return false;
    end = memchr(name, '&', (size_t)(query->end - name));
    if (end == NULL)
        end = query->end;
    equals = memchr(name, '=', (size_t)(end - name));
    query->at = end + (end < query->end);
    *end = '\0';
    *ret_pair = (struct query_pair){
        .name = name,
        .name_length = (size_t)((equals != NULL ? equals : end) - name),
    };
    bool valid = true;
    if (equals != NULL) {
        *equals = '\0';
        ret_pair->value = equals + 1;
        ret_pair->value_length = (size_t)(end - equals - 1);
        valid = query->plain || decode(equals + 1, &ret_pair->value_length);
    }
    if (!(query->plain || decode(name, &ret_pair->name_length)) || !valid)
        ret_pair->fault = "must be UTF-8 without NUL, percent-encoded as %XX";
    return true;
}
