#include "tests/unit/check.h"

#include <string.h>

#include "server/etag.h"

/* Vectors of the header's formula in another language, with whole numbers of any size. */
static void hashes_are_those_of_the_formula(void **state)
{
    static const struct {
        const char *text;
        uint64_t low, high;
    } vectors[] = {
        {"", 0xFDE74CE3436999A0, 0xFDE74CE3436999A0},
        {"hello", 0x85E555F013803900, 0x6B1E9FE0873E4703},
        {"hello, world", 0x8B7E1E2617838F10, 0xF3FEE1EEAD360F7A},
        {"The quick brown fox jumps over the lazy dog.", 0x4072D6210AB1A15F, 0xCEF69EED10D92F18},
        {"0123456789012345678901234567890123456789012345678901234567890123", 0x3E6D0A2B1BBE8BD4,
         0xC1C95C530E316689},
        {"0123456789012345678901234567890123456789012345678901234567890123"
         "The quick brown fox jumps over the lazy dog.",
         0x429689D17C279350, 0x21E9CE34D8084FC4},
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
    unsigned char bytes[200] = {0};
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
    assert_string_equal(tag, "\"85e555f0138039006b1e9fe0873e4703\"");
}

static void the_compressed_form_has_a_tag_of_its_own(void **state)
{
    char tag[ETAG_BYTES], zipped[ETAG_BYTES];

    (void)state;
    etag_write("hello", 5, tag);
    etag_of_gzip(tag, zipped);
    assert_string_equal(zipped, "\"85e555f0138039006b1e9fe0873e4703-gzip\"");
    etag_of_gzip(tag, tag);
    assert_string_equal(tag, zipped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_those_of_the_formula),
        cmocka_unit_test(every_byte_and_the_length_change_the_hash),
        cmocka_unit_test(a_tag_is_quoted_hex),
        cmocka_unit_test(the_compressed_form_has_a_tag_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
