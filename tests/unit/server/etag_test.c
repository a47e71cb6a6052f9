#include "tests/unit/check.h"

#include <string.h>

#include "server/etag.h"

/* Vectors of the reference implementation, MurmurHash3_x64_128 with seed 0, as published with its
 * ports: both halves in order. */
static void hashes_are_those_of_the_reference(void **state)
{
    static const struct {
        const char *text;
        uint64_t low, high;
    } vectors[] = {
        {"", 0, 0},
        {"hello", 0xCBD8A7B341BD9B02, 0x5B1E906A48AE1D19},
        {"hello, world", 0x342FAC623A5EBC8E, 0x4CDCBC079642414D},
        {"19 Jan 2038 at 3:14:07 AM", 0xB89E5988B737AFFC, 0x664FC2950231B2CB},
        {"The quick brown fox jumps over the lazy dog.", 0xCD99481F9EE902C9, 0x695DA1A38987B6E7},
    };

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        uint64_t hash[2];

        etag_hash(vectors[i].text, strlen(vectors[i].text), hash);
        assert_true(hash[0] == vectors[i].low && hash[1] == vectors[i].high);
    }
}

static void every_byte_and_the_length_change_the_hash(void **state)
{
    unsigned char bytes[40] = {0};
    uint64_t plain[2], other[2];

    (void)state;
    for (size_t length = 1; length <= sizeof bytes; length++) {
        etag_hash(bytes, length, plain);
        for (size_t i = 0; i < length; i++) {
            bytes[i] ^= 1;
            etag_hash(bytes, length, other);
            bytes[i] ^= 1;
            assert_memory_not_equal(plain, other, sizeof plain);
        }
        etag_hash(bytes, length - 1, other);
        assert_memory_not_equal(plain, other, sizeof plain);
    }
}

static void a_tag_is_quoted_hex(void **state)
{
    char tag[ETAG_BYTES];

    (void)state;
    etag_write("hello", 5, tag);
    assert_string_equal(tag, "\"cbd8a7b341bd9b025b1e906a48ae1d19\"");
}

static void the_compressed_form_has_a_tag_of_its_own(void **state)
{
    char tag[ETAG_BYTES], zipped[ETAG_BYTES];

    (void)state;
    etag_write("hello", 5, tag);
    etag_of_gzip(tag, zipped);
    assert_string_equal(zipped, "\"cbd8a7b341bd9b025b1e906a48ae1d19-gzip\"");
    etag_of_gzip(tag, tag);
    assert_string_equal(tag, zipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_reference),
        cmocka_unit_test(every_byte_and_the_length_change_the_hash),
        cmocka_unit_test(a_tag_is_quoted_hex),
        cmocka_unit_test(the_compressed_form_has_a_tag_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
