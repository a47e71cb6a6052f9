#include "tests/unit/check.h"

#include <string.h>

#include "db/digest.h"

/* FIPS 180-4 and NIST's examples. */
static void known_answers_come_out(void **state)
{
    static const struct {
        const char *text, *hex;
    } known[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    char hex[DIGEST_HEX_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        digest_hex(known[i].text, strlen(known[i].text), hex);
        assert_string_equal(hex, known[i].hex);
    }
    digest_hex(NULL, 0, hex);
    assert_string_equal(hex, known[0].hex);
}

static void parts_give_the_digest_of_the_whole(void **state)
{
    struct digest digest;
    char parts[DIGEST_HEX_BYTES], whole[DIGEST_HEX_BYTES];

    (void)state;
    digest_init(&digest);
    digest_bytes(&digest, "moe", 3);
    digest_bytes(&digest, "plan", 4);
    digest_finish(&digest, parts);
    digest_hex("moeplan", 7, whole);
    assert_string_equal(parts, whole);
}

static void a_finished_digest_starts_again(void **state)
{
    struct digest digest;
    char first[DIGEST_HEX_BYTES], second[DIGEST_HEX_BYTES];

    (void)state;
    digest_init(&digest);
    for (int i = 0; i < 2; i++) {
        digest_bytes(&digest, "a", 1);
        digest_finish(&digest, i ? second : first);
    }
    assert_string_equal(first, second);
}

static void numbers_are_eight_little_endian_bytes(void **state)
{
    struct digest digest;
    char hex[DIGEST_HEX_BYTES], bytes[DIGEST_HEX_BYTES];

    (void)state;
    digest_init(&digest);
    digest_integer(&digest, 0x0102);
    digest_real(&digest, 1.0);
    digest_finish(&digest, hex);
    digest_hex("\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0\xf0\x3f", 16, bytes);
    assert_string_equal(hex, bytes);
}

static void of_real(double value, char ret_hex[DIGEST_HEX_BYTES])
{
    struct digest digest;

    digest_init(&digest);
    digest_real(&digest, value);
    digest_finish(&digest, ret_hex);
}

static void zeros_are_one_and_nans_are_one(void **state)
{
    char a[DIGEST_HEX_BYTES], b[DIGEST_HEX_BYTES];

    (void)state;
    of_real(0.0, a);
    of_real(-0.0, b);
    assert_string_equal(a, b);
    of_real(NAN, a);
    of_real(-NAN, b);
    assert_string_equal(a, b);
    of_real(INFINITY, b);
    assert_string_not_equal(a, b);
}

static void texts_do_not_run_together(void **state)
{
    static const char *const pairs[][2] = {{"ab", "c"}, {"a", "bc"}, {"abc", ""}, {"abc", NULL}};
    char hex[4][DIGEST_HEX_BYTES];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct digest digest;

        digest_init(&digest);
        digest_text(&digest, pairs[i][0]);
        digest_text(&digest, pairs[i][1]);
        digest_finish(&digest, hex[i]);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(hex[i], hex[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers_come_out),
        cmocka_unit_test(parts_give_the_digest_of_the_whole),
        cmocka_unit_test(a_finished_digest_starts_again),
        cmocka_unit_test(numbers_are_eight_little_endian_bytes),
        cmocka_unit_test(zeros_are_one_and_nans_are_one),
        cmocka_unit_test(texts_do_not_run_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
