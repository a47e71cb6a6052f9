#include "server/gzip.h"

#define ZLIB_CONST /* next_in is const */

#include <limits.h>
#include <string.h>
#include <zlib.h>

enum {
    LEVEL = 5,
    GZIP_FORMAT = 16, /* added to the window bits: a gzip header, not zlib's */
    WINDOW_BITS_MIN = 9,
    WINDOW_BITS_MAX = 15,
    STREAM_BYTES = 32 * 1024,
};

bool gzip_suits(const char *content_type)
{
    static const char *const prefixes[] = {"text/",
                                           "application/json",
                                           "application/problem+json",
                                           "application/x-ndjson",
                                           "application/openmetrics-text",
                                           "image/svg+xml",
                                           "application/javascript"};

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
        if (strncmp(content_type, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

/* A window no larger than the text and a hash table to match: small answers then need some 30 KB
 * of scratch, which malloc has at hand, instead of 268 KB, which it maps and unmaps each time. */
static bool start(z_stream *z, size_t length)
{
    int bits = WINDOW_BITS_MIN;

    while (bits < WINDOW_BITS_MAX && (size_t)1 << bits < length)
        bits++;
    *z = (z_stream){.zalloc = Z_NULL};
    return deflateInit2(z, LEVEL, Z_DEFLATED, bits + GZIP_FORMAT, bits - 7, Z_DEFAULT_STRATEGY) ==
           Z_OK;
}

bool gzip_body(const char *body, size_t length, struct arena *arena, const char **ret_body,
               size_t *ret_length)
{
    z_stream z;
    unsigned char *text = NULL;
    bool done = false;

    if (length < 2 || length > UINT_MAX || !start(&z, length))
        return false;
    text = arena_alloc(arena, length);
    if (text == NULL)
        goto done;
    z.next_in = (const unsigned char *)body;
    z.avail_in = (uInt)length;
    z.next_out = text;
    z.avail_out = (uInt)(length - 1); /* no room for one that is not smaller */
    done = deflate(&z, Z_FINISH) == Z_STREAM_END;
    if (done) {
        *ret_body = (const char *)text;
        *ret_length = z.total_out;
    }
done:
    deflateEnd(&z);
    return done;
}

struct gzip {
    z_stream z;
    struct reply_stream *inner;
    bool ended; /* inner has no more */
    char plain[STREAM_BYTES];
};

/* Compresses what inner gives until there is something to send. */
static long gzip_read(struct call *call, void *ctx, char *buffer, size_t room)
{
    struct gzip *gzip = ctx;
    z_stream *z = &gzip->z;
    int flush = Z_NO_FLUSH;

    z->next_out = (unsigned char *)buffer;
    z->avail_out = (uInt)room;
    while (z->avail_out == room) {
        int status;

        if (z->avail_in == 0 && !gzip->ended && flush == Z_NO_FLUSH) {
            long length =
                gzip->inner->read(call, gzip->inner->ctx, gzip->plain, sizeof gzip->plain);

            if (length == REPLY_STREAM_FAILED)
                return REPLY_STREAM_FAILED;
            if (length == REPLY_STREAM_LATER)
                flush = Z_SYNC_FLUSH; /* what is there must not wait for what is not */
            gzip->ended = length == REPLY_STREAM_END;
            z->next_in = (const unsigned char *)gzip->plain;
            z->avail_in = length > 0 ? (uInt)length : 0;
        }
        status = deflate(z, gzip->ended ? Z_FINISH : flush);
        if (status == Z_STREAM_END)
            break;
        if (status != Z_OK && status != Z_BUF_ERROR)
            return REPLY_STREAM_FAILED;
        if (flush == Z_SYNC_FLUSH && z->avail_out == room)
            return REPLY_STREAM_LATER;
    }
    return (long)(room - z->avail_out); /* 0 is the end */
}

static void gzip_close(void *ctx)
{
    struct gzip *gzip = ctx;

    deflateEnd(&gzip->z);
    if (gzip->inner->close != NULL)
        gzip->inner->close(gzip->inner->ctx);
}

struct reply_stream *gzip_stream(struct reply_stream *inner, struct arena *arena)
{
    struct gzip *gzip = arena_alloc(arena, sizeof *gzip);
    struct reply_stream *stream = arena_alloc(arena, sizeof *stream);

    if (gzip == NULL || stream == NULL || !start(&gzip->z, SIZE_MAX))
        return NULL;
    gzip->inner = inner;
    gzip->ended = false;
    *stream = (struct reply_stream){.read = gzip_read, .close = gzip_close, .ctx = gzip};
    return stream;
}
