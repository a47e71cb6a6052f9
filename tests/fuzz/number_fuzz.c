/* Any text: number_read agrees with strtod where it accepts. Any eight bytes: what number_write
 * writes reads back to the same bits. */
#include <math.h>
#include <string.h>

#include "server/number.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "number";

static int same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

static void check_write(double value)
{
    char text[NUMBER_BYTES];
    double back;
    size_t length = number_write(value, text);
    fuzz_require(length < NUMBER_BYTES);
    fuzz_require(number_read(text, length, &back));
    fuzz_require(same_bits(back, value));
}

static void check_read(const uint8_t *data, size_t size)
{
    double value, scaled;
    char *text = malloc(size + 1), *end;
    fuzz_require(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (number_read((const char *)data, size, &value)) {
        fuzz_require(same_bits(value, strtod(text, &end)));
        fuzz_require(end == text + size);
        fuzz_require(number_read_scaled((const char *)data, size, 0, &scaled));
        fuzz_require(same_bits(value, scaled));
        if (isfinite(value))
            check_write(value);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    double value;
    check_read(data, size);
    if (size >= sizeof value) {
        memcpy(&value, data, sizeof value);
        if (isfinite(value))
            check_write(value);
    }
    return 0;
}
