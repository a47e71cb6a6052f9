#include "server/route.h"

#include <string.h>

#include "server/percent.h"

static const char *const method_names[] = {
    [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
    [METHOD_OPTIONS] = "OPTIONS",
};

enum { METHODS_KNOWN = sizeof method_names / sizeof method_names[0] };

const char *method_name(enum method method)
{
    return (size_t)method < METHODS_KNOWN ? method_names[method] : "";
}

enum method method_find(const char *name)
{
    for (size_t i = 0; i < METHODS_KNOWN; i++)
        if (strcmp(name, method_names[i]) == 0)
            return (enum method)i;
    return METHOD_OTHER;
}

size_t route_index(const struct route *route)
{
    return route == NULL ? route_count() : (size_t)(route - route_at(0));
}

/* One segment of a path: the bytes up to the next '/' or the end. */
struct segment {
    const char *text;
    size_t length;
};

/* Whether path fits the pattern; the segments that stand for parameters in ret. Most rows differ
 * within a few bytes: nothing is looked at twice. */
static bool path_fits(const char *pattern, const char *path, struct segment *ret, size_t *ret_count)
{
    size_t count = 0;

    while (*pattern != '\0') {
        char byte = *path;
        size_t at = 0;

        if (*pattern == '{') {
            size_t length = strcspn(path, "/");

            if (length == 0 || count == CALL_PATH_PARAMS_MAX)
                return false;
            ret[count++] = (struct segment){path, length};
            path += length;
            pattern = strchr(pattern, '}') + 1;
            continue;
        }
        if (byte == *pattern) {
            path++;
        } else {
            /* A literal may come percent-encoded; a '/' may not: it would be another path. */
            if (byte != '%' || *pattern == '/' || !percent_next(path, 3, &at, &byte) ||
                byte != *pattern)
                return false;
            path += at;
        }
        pattern++;
    }
    *ret_count = count;
    return *path == '\0';
}

/* Behind the version most rows differ in a byte. */
static bool is_versioned(const char *path)
{
    return path[0] == '/' && path[1] == 'v' && path[2] == '1' && path[3] == '/';
}

/* "GET, HEAD, POST, OPTIONS": what the bits of `methods` allow. */
static const char *allow_text(unsigned methods, struct arena *arena)
{
    const char *text = "";

    for (unsigned i = 0; i < METHODS_KNOWN && text != NULL; i++)
        if (methods & 1u << i)
            text = arena_printf(arena, "%s%s%s", text, *text == '\0' ? "" : ", ", method_names[i]);
    return text;
}

static bool decode(struct arena *arena, const struct segment *segments, size_t count,
                   const char **ret_params)
{
    for (size_t i = 0; i < count; i++) {
        char *text = arena_copy(arena, segments[i].text, segments[i].length);

        if (text == NULL)
            return false;
        percent_decode(text);
        ret_params[i] = text;
    }
    return true;
}

const struct route *route_find(enum method method, const char *path, struct arena *arena,
                               const char **ret_params, size_t *ret_n_params,
                               const char **ret_allow)
{
    enum method wanted = method == METHOD_HEAD ? METHOD_GET : method;
    struct segment segments[CALL_PATH_PARAMS_MAX];
    const struct route *routes = route_at(0);
    size_t count = 0, rows = route_count();
    unsigned methods = 0;
    const char *first = NULL;
    /* What a row must have behind the version; any, where that may be an escape. */
    char versioned = is_versioned(path) && path[4] != '%' ? path[4] : '\0';

    *ret_allow = NULL;
    for (size_t i = 0; i < rows; i++) {
        const struct route *route = &routes[i];

        /* A row's path that begins with "/v" is versioned: route_test holds the table to it. */
        if (versioned != '\0' && route->path[1] == 'v' && route->path[4] != versioned)
            continue;
        /* Another pattern that fits too ("/static/{file}" after a literal) is not the same place.
         */
        if (first != NULL && strcmp(route->path, first) != 0)
            continue;
        if (!path_fits(route->path, path, segments, &count))
            continue;
        if (route->method == wanted)
            return decode(arena, segments, count, ret_params) ? (*ret_n_params = count, route)
                                                              : NULL;
        first = route->path;
        methods |= 1u << route->method;
    }
    if (methods != 0) {
        if (methods & 1u << METHOD_GET)
            methods |= 1u << METHOD_HEAD;
        *ret_allow = allow_text(methods | 1u << METHOD_OPTIONS, arena);
    }
    return NULL;
}
