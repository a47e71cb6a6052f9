#include "server/site.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

/* The length of the name in "name:port", "[::1]:port" or "name". */
static size_t name_length(const char *host)
{
    const char *end = *host == '[' ? strchr(host, ']') : NULL;

    return end != NULL ? (size_t)(end - host) + 1 : strcspn(host, ":");
}

static bool is_port(const char *text)
{
    return *text == '\0' || (*text == ':' && strlen(text + 1) <= 5 &&
                             strspn(text + 1, "0123456789") == strlen(text + 1));
}

static bool same(const char *text, size_t length, const char *other, size_t other_length)
{
    return length == other_length && strncasecmp(text, other, length) == 0;
}

/* 127.x.y.z: the whole network is loopback. */
static bool is_loopback_address(const char *text, size_t length)
{
    return length >= strlen("127.0.0.1") && strncmp(text, "127.", 4) == 0 &&
           strspn(text, "0123456789.") == length;
}

bool site_is_local_host(const char *host, const char *allowed)
{
    size_t length = name_length(host);

    if (!is_port(host + length))
        return false;
    if (is_loopback_address(host, length) || same(host, length, "localhost", 9) ||
        same(host, length, "[::1]", 5))
        return true;
    while (allowed != NULL && *allowed != '\0') {
        size_t one = strcspn(allowed, ",");

        if (same(host, length, allowed, one))
            return true;
        allowed += one;
        allowed += *allowed == ',';
    }
    return false;
}

bool site_is_cross(const char *host, const char *origin, const char *fetch_site,
                   const char *allowed_origin)
{
    const char *authority;

    if (origin != NULL && allowed_origin != NULL && strcmp(origin, allowed_origin) == 0)
        return false;
    if (fetch_site != NULL && strcmp(fetch_site, "same-origin") != 0 &&
        strcmp(fetch_site, "none") != 0)
        return true;
    if (origin == NULL)
        return false;
    authority = strstr(origin, "://");
    return authority == NULL || host == NULL || strcasecmp(authority + 3, host) != 0;
}
