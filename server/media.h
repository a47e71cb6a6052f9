/* media: what a client sends and accepts: media types, encodings, entity tags. Pure functions of
 * header values (RFC 9110); a NULL value is a header that was not sent.
 */
#ifndef MOEPLAN_SERVER_MEDIA_H
#define MOEPLAN_SERVER_MEDIA_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a Content-Type names the media type (parameters aside, but charset, which must be UTF-8
 * when given, and header, which must not be absent (RFC 4180)). */
bool media_is(const char *content_type, const char *type);

/* The first of `types` (comma-separated) that content_type names, as media_is has it: its length
 * and where it starts; NULL when none. */
const char *media_find(const char *content_type, const char *types, size_t *ret_length);

/* The quality 0–1000 that an Accept header gives a media type: the most specific range counts. */
int media_quality(const char *accept, const char *type, size_t type_length);

/* Whether gzip is wanted: named with q > 0 at least as good as identity, or by "*". */
bool media_wants_gzip(const char *accept_encoding);

/* Whether the list of an If-None-Match (weak comparison) or If-Match (strong) has the tag, given
 * with its quotes, or is "*". */
bool media_tag_listed(const char *list, const char *tag, bool weak);

#endif
