/* etag: entity tags from bodies. Pure.
 *
 * 128 bits of MurmurHash3 (x64): some 0.2 ns a byte, where a cryptographic digest would cost as
 * much as the answer itself. A tag only has to tell two states of one resource apart; nothing is
 * trusted because of it.
 */
#ifndef MOEPLAN_SERVER_ETAG_H
#define MOEPLAN_SERVER_ETAG_H

#include <stddef.h>
#include <stdint.h>

enum { ETAG_BYTES = 48 };

/* 128 bits of the body, low half first. */
void etag_hash(const void *bytes, size_t length, uint64_t ret_hash[2]);

/* The tag of a body with its quotes, terminated: "32 hex digits". */
void etag_write(const void *bytes, size_t length, char ret_tag[ETAG_BYTES]);

/* The tag of the same body sent with gzip: "…-gzip". tag has quotes and at most ETAG_BYTES − 6
 * bytes; ret may be tag. */
void etag_of_gzip(const char *tag, char ret_tag[ETAG_BYTES]);

#endif
