#include "db/digest.h"

#include <math.h>
#include <nettle/base16.h>
#include <nettle/sha2.h>
#include <string.h>

_Static_assert(sizeof(struct sha256_ctx) <= sizeof(struct digest), "room for nettle's context");
_Static_assert(BASE16_ENCODE_LENGTH(SHA256_DIGEST_SIZE) + 1 == DIGEST_HEX_BYTES, "64 digits, NUL");

static struct sha256_ctx *context(struct digest *digest)
{
    return (struct sha256_ctx *)(void *)digest->context;
}

void digest_init(struct digest *digest)
{
    *digest = (struct digest){{0}};
    sha256_init(context(digest));
}

void digest_bytes(struct digest *digest, const void *bytes, size_t length)
{
    if (length > 0) /* bytes may be NULL then */
        sha256_update(context(digest), length, bytes);
}

static void put_uint64(struct digest *digest, uint64_t value)
{
    unsigned char bytes[8];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    digest_bytes(digest, bytes, sizeof bytes);
}

void digest_real(struct digest *digest, double value)
{
    static const uint64_t quiet_nan = 0x7ff8000000000000;
    uint64_t bits = quiet_nan;

    if (!isnan(value)) {
        value += 0.0; /* -0 becomes 0 */
        memcpy(&bits, &value, sizeof bits);
    }
    put_uint64(digest, bits);
}

void digest_integer(struct digest *digest, int64_t value)
{
    put_uint64(digest, (uint64_t)value);
}

void digest_text(struct digest *digest, const char *text)
{
    size_t length = text ? strlen(text) : 0;

    digest_integer(digest, text ? (int64_t)length : -1);
    digest_bytes(digest, text, length);
}

void digest_finish(struct digest *digest, char ret_hex[DIGEST_HEX_BYTES])
{
    uint8_t bytes[SHA256_DIGEST_SIZE];

    sha256_digest(context(digest), sizeof bytes, bytes);
    base16_encode_update(ret_hex, sizeof bytes, bytes);
    ret_hex[DIGEST_HEX_BYTES - 1] = '\0';
}

void digest_hex(const void *bytes, size_t length, char ret_hex[DIGEST_HEX_BYTES])
{
    struct digest digest;

    digest_init(&digest);
    digest_bytes(&digest, bytes, length);
    digest_finish(&digest, ret_hex);
}
