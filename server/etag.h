/* etag: entity tags from bodies. Pure.
 *
 * Four lanes of multiply and fold, as wyhash does: some 0.03 ns a byte, where a cryptographic
 * digest would cost as much as the answer itself. A tag only has to tell two states of one resource
 * apart, which it fails to do about once in 2^64; nothing is trusted because of it.
 */
#ifndef MOEPLAN_SERVER_ETAG_H
#define MOEPLAN_SERVER_ETAG_H

#include <stddef.h>
#include <stdint.h>

enum { ETAG_BYTES = 48 };

/* 128 bits of the body, low half first. With fold(a, b) the exclusive or of both halves of a·b,
 * keys k and states s, s_i at first k_(3−i): for each 64 bytes, the last filled up with zeros, of
 * words w_0 to w_7, s_i = fold(w_2i ^ k_i, w_(2i+1) ^ s_i); then l = fold(s_0 ^ k_0, s_1 ^ length),
 * h = fold(s_2 ^ k_1, s_3 ^ length), and l + h and l + 2h through MurmurHash3's finish. */
void etag_hash(const void *bytes, size_t length, uint64_t ret_hash[2]);

/* The tag of a body with its quotes, terminated: "32 hex digits". */
void etag_write(const void *bytes, size_t length, char ret_tag[ETAG_BYTES]);

/* The tag of the same body sent with gzip: "…-gzip". tag has quotes and at most ETAG_BYTES − 6
 * bytes; ret may be tag. */
void etag_of_gzip(const char *tag, char ret_tag[ETAG_BYTES]);

#endif
