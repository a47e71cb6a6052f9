/* Any query string, read by a table of every kind with filters beside it: it is decoded, or refused
 * with a field; and the filters it meant come back from the JSON they are written as. */
#include <math.h>
#include <string.h>

#include "server/field.h"
#include "server/filters.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "query";

enum { ARENA_BYTES = 16 << 20 };

struct sample {
    double number, count, bytes, duration;
    int64_t integer, time;
    bool flag;
    const char *text;
    int choice;
    struct field_numbers numbers;
};

static const char *const choices[] = {"huber", "squared", NULL};

#define ROW(member, of_kind)                                                                       \
    .name = #member, .kind = of_kind, .offset = offsetof(struct sample, member)

static const struct field table[] = {
    {ROW(number, FIELD_NUMBER), .min = 0, .max = 1, .min_exclusive = true},
    {ROW(count, FIELD_COUNT)},
    {ROW(bytes, FIELD_BYTES), .min = 1},
    {ROW(duration, FIELD_DURATION), .min = 0, .max = INFINITY},
    {ROW(integer, FIELD_INTEGER)},
    {ROW(time, FIELD_TIME)},
    {ROW(flag, FIELD_BOOL)},
    {ROW(text, FIELD_TEXT), .max = 8},
    {ROW(choice, FIELD_CHOICE), .choices = choices},
    {ROW(numbers, FIELD_NUMBERS), .min = 1},
};
enum { ROWS = sizeof table / sizeof table[0] };

static void check_sample(const struct sample *sample, const struct field_presence *presence)
{
    fuzz_require(presence->nulls == 0);
    fuzz_require(isfinite(sample->number) && isfinite(sample->count) && isfinite(sample->bytes));
    fuzz_require(sample->number > 0 && sample->number <= 1 && sample->bytes >= 1);
    fuzz_require(sample->duration >= 0 && isfinite(sample->duration));
    fuzz_require(sample->integer < INT64_C(1) << 53 && sample->integer > -(INT64_C(1) << 53));
    fuzz_require(strlen(sample->text) <= 8);
    fuzz_require(sample->choice == 0 || sample->choice == 1);
    for (size_t i = 0; i < sample->numbers.count; i++)
        fuzz_require(sample->numbers.values[i] >= 1);
}

static const char *write_filter(const struct filter *filter, struct arena *arena, struct err *err)
{
    struct out out;
    const char *text = NULL;
    size_t length;
    out_init(&out, arena);
    filters_write(&out, NULL, filter);
    fuzz_require(out_finish(&out, &text, &length, err) == ERR_OK);
    return text;
}

static void check_filter(const struct filter *filter, struct arena *arena, struct err *err)
{
    static struct filter again;
    struct json *root;
    const char *text = write_filter(filter, arena, err);
    memset(&again, 0, sizeof again);
    fuzz_require(json_parse(text, strlen(text), &root, err) == ERR_OK);
    fuzz_require(filters_custom(root, "/where", &again, arena, err) == ERR_OK);
    json_release(root);
    fuzz_require(strcmp(text, write_filter(&again, arena, err)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct filter filter;
    struct sample sample = {.number = 1, .bytes = 1, .text = ""};
    struct field_presence presence;
    struct arena arena;
    struct err err;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    memset(&filter, 0, sizeof filter);
    struct filters filters = {&filter, &arena};
    char *query = arena_copy(&arena, (const char *)data, size);
    fuzz_require(query != NULL);
    enum err_code code = field_from_query(table, ROWS, query, filters_query, &filters, &sample,
                                          &presence, &arena, &err);
    if (code == ERR_OK) {
        fuzz_require(err.n_fields == 0);
        check_sample(&sample, &presence);
        check_filter(&filter, &arena, &err);
    } else {
        fuzz_require(code == ERR_INVALID && err.n_fields > 0);
    }
    arena_release(&arena);
    return 0;
}
