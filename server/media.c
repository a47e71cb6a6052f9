#include "server/media.h"

#include <string.h>
#include <strings.h>

enum { QUALITY_MAX = 1000 };

static const char *skip_blank(const char *text)
{
    return text + strspn(text, " \t");
}

/* The end of one element of a comma-separated list: commas inside quotes do not count. */
static const char *element_end(const char *text)
{
    bool quoted = false;

    for (; *text != '\0'; text++) {
        if (*text == '"')
            quoted = !quoted;
        else if (*text == '\\' && quoted && text[1] != '\0')
            text++;
        else if (*text == ',' && !quoted)
            break;
    }
    return text;
}

/* "0.8" as 800; a value out of range or unreadable counts as 1000, like none at all. */
static int quality_read(const char *text, const char *end)
{
    int value, scale = 100;

    if (text == end || (*text != '0' && *text != '1'))
        return QUALITY_MAX;
    value = (*text - '0') * QUALITY_MAX;
    text++;
    if (text < end && *text == '.')
        for (text++; text < end && *text >= '0' && *text <= '9' && scale > 0; text++, scale /= 10)
            value += (*text - '0') * scale;
    return value > QUALITY_MAX ? QUALITY_MAX : value;
}

/* The q of an element's parameters; q = 1000 without. */
static int element_quality(const char *text, const char *end)
{
    while ((text = memchr(text, ';', (size_t)(end - text))) != NULL) {
        text = skip_blank(text + 1);
        if (end - text > 2 && (*text == 'q' || *text == 'Q') && text[1] == '=')
            return quality_read(text + 2, end);
    }
    return QUALITY_MAX;
}

static size_t token_length(const char *text, const char *end)
{
    const char *stop = text;

    while (stop < end && *stop != ';' && *stop != ' ' && *stop != '\t')
        stop++;
    return (size_t)(stop - text);
}

static bool same_token(const char *text, size_t length, const char *other, size_t other_length)
{
    return length == other_length && strncasecmp(text, other, length) == 0;
}

/* Whether the parameters leave the body what it is taken for: characters in UTF-8 (or its subset),
 * a CSV with its header row. */
static bool parameters_suit(const char *parameters)
{
    while ((parameters = strchr(parameters, ';')) != NULL) {
        bool is_charset, is_header;
        const char *value;
        size_t length;

        parameters = skip_blank(parameters + 1);
        is_charset = strncasecmp(parameters, "charset=", 8) == 0;
        is_header = strncasecmp(parameters, "header=", 7) == 0;
        if (!is_charset && !is_header)
            continue;
        value = parameters + (is_charset ? 8 : 7);
        if (*value == '"')
            value++;
        length = strcspn(value, "\"; \t");
        if (is_charset && !same_token(value, length, "utf-8", 5) &&
            !same_token(value, length, "utf8", 4) && !same_token(value, length, "us-ascii", 8))
            return false;
        if (is_header && same_token(value, length, "absent", 6))
            return false;
    }
    return true;
}

bool media_is(const char *content_type, const char *type)
{
    size_t length;

    return media_find(content_type, type, &length) != NULL;
}

const char *media_find(const char *content_type, const char *types, size_t *ret_length)
{
    size_t length;

    if (content_type == NULL)
        return NULL;
    content_type = skip_blank(content_type);
    length = token_length(content_type, content_type + strlen(content_type));
    while (*types != '\0') {
        size_t type_length = strcspn(types, ",");

        if (same_token(content_type, length, types, type_length)) {
            *ret_length = type_length;
            return parameters_suit(content_type) ? types : NULL;
        }
        types += type_length;
        types += *types == ',';
    }
    return NULL;
}

/* How well a range fits: 0 not at all, 1 by the wildcard, 2 by "text/" and a star, 3 exactly. */
static int range_fit(const char *range, size_t range_length, const char *type, size_t type_length)
{
    if (same_token(range, range_length, type, type_length))
        return 3;
    if (same_token(range, range_length, "*/*", 3))
        return 1;
    if (range_length > 2 && range[range_length - 1] == '*' && range[range_length - 2] == '/' &&
        type_length >= range_length && strncasecmp(range, type, range_length - 1) == 0)
        return 2;
    return 0;
}

int media_quality(const char *accept, const char *type, size_t type_length)
{
    int best_fit = 0, quality = 0;

    if (accept == NULL || strcmp(accept, "*/*") == 0)
        return QUALITY_MAX;
    while (*accept != '\0') {
        const char *end = element_end(accept), *range = skip_blank(accept);
        int fit = range < end ? range_fit(range, token_length(range, end), type, type_length) : 0;

        if (fit > best_fit) {
            best_fit = fit;
            quality = element_quality(range, end);
        }
        accept = *end == ',' ? end + 1 : end;
    }
    return quality;
}

bool media_wants_gzip(const char *accept_encoding)
{
    int gzip = -1, star = -1, identity = -1;

    if (accept_encoding == NULL)
        return false;
    while (*accept_encoding != '\0') {
        const char *end = element_end(accept_encoding), *name = skip_blank(accept_encoding);
        size_t length = name < end ? token_length(name, end) : 0;
        int quality = name < end ? element_quality(name, end) : 0;

        if (same_token(name, length, "gzip", 4) || same_token(name, length, "x-gzip", 6))
            gzip = quality;
        else if (same_token(name, length, "identity", 8))
            identity = quality;
        else if (same_token(name, length, "*", 1))
            star = quality;
        accept_encoding = *end == ',' ? end + 1 : end;
    }
    if (gzip < 0)
        gzip = star;
    return gzip > 0 && gzip >= identity;
}

bool media_tag_listed(const char *list, const char *tag, bool weak)
{
    size_t tag_length = strlen(tag);

    if (list == NULL)
        return false;
    if (strcmp(skip_blank(list), "*") == 0)
        return true;
    while (*list != '\0') {
        const char *end = element_end(list), *item = skip_blank(list), *stop = end;

        if (weak && end - item > 2 && item[0] == 'W' && item[1] == '/')
            item += 2;
        while (stop > item && (stop[-1] == ' ' || stop[-1] == '\t'))
            stop--;
        if ((size_t)(stop - item) == tag_length && memcmp(item, tag, tag_length) == 0)
            return true;
        list = *end == ',' ? end + 1 : end;
    }
    return false;
}
