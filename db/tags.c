#include "db/tags.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

/* The bytes a text takes when written, quotes included. */
static size_t written_length(const char *text)
{
    size_t length = 2;

    for (; *text; text++)
        length += *text == '"' || *text == '\\' ? 2 : (unsigned char)*text < 0x20 ? 6 : 1;
    return length;
}

static char *write_string(char *at, const char *text)
{
    *at++ = '"';
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20) {
            memcpy(at, "\\u00", 4);
            at[4] = hex_digits[byte >> 4];
            at[5] = hex_digits[byte & 15];
            at += 6;
            continue;
        }
        if (byte == '"' || byte == '\\')
            *at++ = '\\';
        *at++ = *text;
    }
    *at++ = '"';
    return at;
}

bool tags_encode(const struct tag *tags, size_t count, struct arena *arena, const char **ret_text)
{
    size_t length = 2; /* braces; a colon and a comma (or the final NUL) for each */
    char *text, *at;

    *ret_text = NULL;
    if (count == 0)
        return true;
    for (size_t i = 0; i < count; i++) {
        assert(i == 0 || strcmp(tags[i - 1].name, tags[i].name) < 0);
        length += written_length(tags[i].name) + written_length(tags[i].value) + 2;
    }
    text = at = arena_alloc(arena, length);
    if (!text)
        return false;
    for (size_t i = 0; i < count; i++) {
        *at++ = i == 0 ? '{' : ',';
        at = write_string(at, tags[i].name);
        *at++ = ':';
        at = write_string(at, tags[i].value);
    }
    *at++ = '}';
    *at = '\0';
    *ret_text = text;
    return true;
}

/* Reads the string at *at in place: *ret_text is its content, terminated where the text stood. */
static bool read_string(char **at, const char **ret_text)
{
    char *from = *at, *to;

    if (*from++ != '"')
        return false;
    *ret_text = to = from;
    while (*from != '"') {
        if (*from == '\0')
            return false;
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        from++;
        if (*from == '"' || *from == '\\') {
            *to++ = *from++;
        } else if (strncmp(from, "u00", 3) == 0 && from[3] && from[4]) {
            const char *high = strchr(hex_digits, from[3]), *low = strchr(hex_digits, from[4]);

            if (!high || !low)
                return false;
            *to++ = (char)((high - hex_digits) * 16 + (low - hex_digits));
            from += 5;
        } else {
            return false;
        }
    }
    *at = from + 1; /* before the NUL: it may fall on the quote */
    *to = '\0';
    return true;
}

enum tags_answer tags_decode(const char *text, struct arena *arena, const struct tag **ret_tags,
                             size_t *ret_count)
{
    struct tag found[TAGS_MAX], *tags;
    size_t count = 0;
    char *at;

    *ret_tags = NULL;
    *ret_count = 0;
    if (!text)
        return TAGS_OK;
    at = arena_copy(arena, text, strlen(text));
    if (!at)
        return TAGS_NO_MEMORY;
    for (char before = '{'; *at == before; before = ',') {
        at++;
        if (count == TAGS_MAX || !read_string(&at, &found[count].name) || *at++ != ':' ||
            !read_string(&at, &found[count].value))
            return TAGS_DAMAGED;
        count++;
    }
    if (count == 0 || strcmp(at, "}") != 0)
        return TAGS_DAMAGED;
    tags = arena_alloc(arena, count * sizeof *tags);
    if (!tags)
        return TAGS_NO_MEMORY;
    memcpy(tags, found, count * sizeof *tags);
    *ret_tags = tags;
    *ret_count = count;
    return TAGS_OK;
}
