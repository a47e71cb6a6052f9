/* gzip: bodies compressed for clients that ask for it. The only user of zlib.
 *
 * Scratch comes from malloc and goes on return; results are the arena's.
 */
#ifndef MOEPLAN_SERVER_GZIP_H
#define MOEPLAN_SERVER_GZIP_H

#include <stdbool.h>
#include <stddef.h>

#include "core/arena.h"
#include "server/call.h"

enum { GZIP_MIN_BYTES = 1024 }; /* below this it does not pay */

/* Whether a media type gains from compression: text, JSON, SVG. */
bool gzip_suits(const char *content_type);

/* The body compressed, in the arena. False when memory is short or the result would be no smaller:
 * then it is sent as it is. */
bool gzip_body(const char *body, size_t length, struct arena *arena, const char **ret_body,
               size_t *ret_length);

/* The same for a stream: a stream in the arena that reads from inner, and closes it. NULL when
 * memory is short. */
struct reply_stream *gzip_stream(struct reply_stream *inner, struct arena *arena);

#endif
