/* Every code point there and back, and the edges of what RFC 3629 forbids. */
#include "tests/unit/check.h"

#include <string.h>

#include "server/utf8.h"

static void assert_first_fault(const char *text, size_t length, size_t want)
{
    size_t valid = utf8_valid(text, length);
    if (valid != want)
        fail_msg("%zu bytes are valid of '%.*s', want %zu", valid, (int)length, text, want);
}

static void every_character_is_one_and_only_whole(void **state)
{
    char text[4];
    (void)state;
    for (uint32_t c = 0; c <= 0x10FFFF; c++) {
        if (c >= 0xD800 && c <= 0xDFFF)
            continue;
        size_t length = utf8_write(c, text);
        size_t want = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        assert_int_equal(length, want);
        assert_int_equal(utf8_character(text, length), length);
        assert_int_equal(utf8_character(text, length - 1), 0);
        assert_int_equal(utf8_count(text, length), 1);
    }
}

static void known_encodings_are_written(void **state)
{
    char text[4];
    (void)state;
    assert_int_equal(utf8_write(0x20AC, text), 3);
    assert_memory_equal(text, "\xE2\x82\xAC", 3);
    assert_int_equal(utf8_write(0x1F600, text), 4);
    assert_memory_equal(text, "\xF0\x9F\x98\x80", 4);
}

static void what_is_not_utf8_is_refused(void **state)
{
    static const char *const bad[] = {
        "\x80",             /* a continuation alone */
        "\xBF",             /**/
        "\xC0\x80",         /* overlong NUL */
        "\xC1\xBF",         /* overlong DEL */
        "\xC2",             /* cut off */
        "\xC2\x41",         /* not continued */
        "\xE0\x9F\xBF",     /* overlong */
        "\xE1\x80",         /* cut off */
        "\xED\xA0\x80",     /* surrogate D800 */
        "\xED\xBF\xBF",     /* surrogate DFFF */
        "\xF0\x8F\xBF\xBF", /* overlong */
        "\xF0\x90\x80",     /* cut off */
        "\xF4\x90\x80\x80", /* U+110000 */
        "\xF5\x80\x80\x80", /**/
        "\xFE",             /**/
        "\xFF",             /**/
        "\xC2\xC2\xA0",     /* a lead where a continuation should be */
    };
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[40] = "0123456789abcdef";
        strncat(text, bad[i], 8);
        assert_first_fault(bad[i], strlen(bad[i]), 0);
        assert_first_fault(text, strlen(text), 16);
        memmove(text, text + 3, sizeof text - 3); /* not at a boundary of words */
        assert_first_fault(text, strlen(text), 13);
    }
}

static void the_edges_of_what_is_allowed_are_accepted(void **state)
{
    static const char *const good[] = {"",
                                       "\x7F",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_first_fault(good[i], strlen(good[i]), strlen(good[i]));
    assert_first_fault("a\0b", 3, 3);
}

static void characters_are_counted_not_bytes(void **state)
{
    static const char text[] = "h\xC3\xA9llo \xE2\x82\xAC \xF0\x9F\x98\x80";
    (void)state;
    assert_int_equal(utf8_count(text, strlen(text)), 9);
}

/* By the definition, byte by byte, at every place in and around a word of eight. */
static void plain_stops_at_every_special_byte_and_at_no_other(void **state)
{
    char text[24];
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        bool special = byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\';
        for (size_t at = 0; at < sizeof text; at++) {
            memset(text, 'x', sizeof text);
            text[at] = (char)byte;
            assert_int_equal(utf8_plain(text, sizeof text), special ? at : sizeof text);
            memset(text + at, byte, sizeof text - at);
            assert_int_equal(utf8_plain(text, sizeof text), special ? at : sizeof text);
        }
    }
}

/* Of texts of every length about a word of eight, with one special byte or none. */
static void what_is_plain_is_copied_and_no_byte_beyond_the_length_is_touched(void **state)
{
    static const char specials[] = {'"', '\\', '\n', 0, (char)0x80};
    char text[24], copy[sizeof text + 1];
    (void)state;
    for (size_t length = 0; length <= sizeof text; length++)
        for (size_t at = 0; at <= length; at++)
            for (size_t k = 0; k < sizeof specials; k++) {
                for (size_t i = 0; i < length; i++)
                    text[i] = (char)('a' + i);
                if (at < length)
                    text[at] = specials[k];
                memset(copy, '#', sizeof copy);
                assert_int_equal(utf8_copy_plain(text, length, copy), at);
                assert_memory_equal(copy, text, at);
                assert_int_equal(copy[length], '#');
                assert_int_equal(utf8_plain(text, length), at);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_character_is_one_and_only_whole),
        cmocka_unit_test(known_encodings_are_written),
        cmocka_unit_test(what_is_not_utf8_is_refused),
        cmocka_unit_test(the_edges_of_what_is_allowed_are_accepted),
        cmocka_unit_test(characters_are_counted_not_bytes),
        cmocka_unit_test(plain_stops_at_every_special_byte_and_at_no_other),
        cmocka_unit_test(what_is_plain_is_copied_and_no_byte_beyond_the_length_is_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
