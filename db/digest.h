/* digest: SHA-256 of bytes, values and texts. The only user of nettle.
 *
 * For names that are derived from content, fingerprints of data and ETags. Never fails, allocates
 * nothing. A digest belongs to one thread.
 */
#ifndef MOEPLAN_DB_DIGEST_H
#define MOEPLAN_DB_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { DIGEST_HEX_BYTES = 65 }; /* 64 hex digits and a NUL */

/* Nettle's context, its size hidden so that its header stays in digest.c. */
struct digest {
    uint64_t context[16];
};

void digest_init(struct digest *digest);
void digest_bytes(struct digest *digest, const void *bytes, size_t length);

/* Eight bytes, little-endian, whatever the machine. -0 counts as 0 and every NAN as one. */
void digest_real(struct digest *digest, double value);
void digest_integer(struct digest *digest, int64_t value);

/* Length first, so that ("ab", "c") and ("a", "bc") differ. NULL differs from "". */
void digest_text(struct digest *digest, const char *text);

/* The digest of all so far; the digest is empty again. */
void digest_finish(struct digest *digest, char ret_hex[DIGEST_HEX_BYTES]);

/* The digest of one buffer. */
void digest_hex(const void *bytes, size_t length, char ret_hex[DIGEST_HEX_BYTES]);

#endif
