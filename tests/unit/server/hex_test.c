#include "tests/unit/check.h"

#include <stdio.h>
#include <string.h>

#include "core/rng.h"
#include "server/hex.h"

enum { TRIALS = 100000 };

static void words_are_written_as_printf_does(void **state)
{
    struct rng rng = rng_stream(7, 0);
    char want[HEX_DIGITS + 1], got[HEX_DIGITS + 1] = "";

    (void)state;
    for (int i = 0; i < TRIALS; i++) {
        uint64_t word = rng_next(&rng);

        snprintf(want, sizeof want, "%016llx", (unsigned long long)word);
        hex_write(word, got);
        assert_string_equal(got, want);
    }
}

static void every_digit_stands_at_every_place(void **state)
{
    (void)state;
    for (unsigned digit = 0; digit < 16; digit++)
        for (unsigned at = 0; at < HEX_DIGITS; at++) {
            char got[HEX_DIGITS];

            hex_write((uint64_t)digit << (60 - 4 * at), got);
            for (unsigned i = 0; i < HEX_DIGITS; i++)
                assert_int_equal(got[i], i == at ? "0123456789abcdef"[digit] : '0');
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_written_as_printf_does),
        cmocka_unit_test(every_digit_stands_at_every_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
