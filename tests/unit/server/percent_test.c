#include "tests/unit/check.h"

#include <string.h>

#include "server/percent.h"

static void escapes_become_their_bytes(void **state)
{
    char text[] = "a%20b%2F%c3%A4+%25";

    (void)state;
    assert_int_equal(percent_decode(text), strlen("a b/\xC3\xA4+%"));
    assert_string_equal(text, "a b/\xC3\xA4+%");
}

static void what_is_not_two_hex_digits_is_not_valid(void **state)
{
    static const char *const bad[] = {"%", "%2", "%g0", "%0g", "a%", "% 20", "%-1"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(percent_valid(bad[i]));
    assert_true(percent_valid(""));
    assert_true(percent_valid("/v1/%7Ea"));
}

static void nul_is_not_valid(void **state)
{
    (void)state;
    assert_false(percent_valid("a%00b"));
    assert_false(percent_valid("%00"));
}

static void what_is_meant_must_be_utf_8(void **state)
{
    (void)state;
    assert_true(percent_valid("%E2%82%AC"));
    assert_true(percent_valid("%f0%9f%98%80"));
    assert_false(percent_valid("%ff"));
    assert_false(percent_valid("%c0%80"));
    assert_false(percent_valid("%E2%82"));
    assert_false(percent_valid("%ed%a0%80"));
    assert_false(percent_valid("\xff"));
}

/* Wherever the window of the check ends, a character across it is seen whole, and a fault too. */
static void characters_across_any_boundary_are_seen(void **state)
{
    (void)state;
    for (size_t before = 0; before < 200; before++) {
        char good[256], bad[256];

        memset(good, 'a', before);
        strcpy(good + before, "%F0%9F%98%80b");
        assert_true(percent_valid(good));
        memset(bad, 'a', before);
        strcpy(bad + before, "%F0%9F%98bb");
        assert_false(percent_valid(bad));
    }
}

/* Every byte at every place, against the two ends and the one exception. */
static void clean_is_visible_ascii_but_the_hash(void **state)
{
    (void)state;
    assert_true(percent_clean("", 0));
    for (int byte = 0; byte < 256; byte++)
        for (size_t at = 0; at < 20; at++) {
            char text[20];

            memset(text, byte % 2 ? '~' : '!', sizeof text);
            text[at] = (char)byte;
            assert_int_equal(percent_clean(text, sizeof text),
                             byte >= '!' && byte <= '~' && byte != '#');
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_become_their_bytes),
        cmocka_unit_test(what_is_not_two_hex_digits_is_not_valid),
        cmocka_unit_test(nul_is_not_valid),
        cmocka_unit_test(what_is_meant_must_be_utf_8),
        cmocka_unit_test(characters_across_any_boundary_are_seen),
        cmocka_unit_test(clean_is_visible_ascii_but_the_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
