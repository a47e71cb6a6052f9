#include "server/assets.h"

#include <string.h>

#include "server/handlers.h"

/* Made by tools/embed. */
extern const struct asset assets[];
extern const uint64_t assets_count;

const struct asset *asset_find(const char *path)
{
    for (size_t i = 0; i < assets_count; i++)
        if (strcmp(assets[i].path, path) == 0)
            return &assets[i];
    return NULL;
}

const char *asset_content_type(const char *path)
{
    static const struct {
        const char *ending, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".csv", "text/csv; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".woff2", "font/woff2"},
    };
    const char *ending = strrchr(path, '.');

    for (size_t i = 0; ending != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    return "text/plain; charset=utf-8";
}

static enum err_code reply_asset(struct call *call, const char *path)
{
    /* Scripts and data from here alone; no frame may hold the page. */
    static const char policy[] =
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'";
    const struct asset *asset = path != NULL ? asset_find(path) : NULL;

    if (path == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory for a path");
    if (asset == NULL)
        return err_set(&call->err, ERR_NOT_FOUND, "there is nothing at '%.200s'",
                       call->request.path);
    reply_text(call, 200, asset_content_type(path), asset->data, asset->length);
    call->reply.etag = asset->etag;
    call->reply.gzip = asset->gzip;
    call->reply.gzip_length = asset->gzip_length;
    reply_header(call, "Cache-Control", "no-cache");
    if (strncmp(call->reply.content_type, "text/html", 9) == 0) {
        reply_header(call, "Content-Security-Policy", policy);
        reply_header(call, "Referrer-Policy", "no-referrer");
    }
    return ERR_OK;
}

enum err_code assets_page(struct call *call)
{
    return reply_asset(call, "static/index.html");
}

enum err_code assets_static(struct call *call)
{
    return reply_asset(call, arena_printf(&call->arena, "static/%s", call->path_param[0]));
}

enum err_code assets_example(struct call *call)
{
    return reply_asset(call, arena_printf(&call->arena, "examples/%s", call->path_param[0]));
}
