/* One table read three ways: what each kind takes, what it refuses, and that every fault is told at
 * its place. */
#include "tests/unit/server/faults.h"

#include <stdlib.h>

#include "server/field.h"

enum { ARENA_BYTES = 1 << 20 };

struct sample {
    double number, count, bytes, duration;
    int64_t integer, time;
    bool flag;
    const char *text;
    int choice;
    struct field_numbers numbers;
    double custom;
    const char *reference;
};

static const char *const choices[] = {"huber", "squared", NULL};

/* Takes {"half": x} as x/2. */
static enum err_code take_half(const struct json *value, const char *pointer, void *target,
                               struct arena *arena, struct err *err)
{
    (void)arena;
    const struct json *half = json_kind(value) == JSON_OBJECT ? json_member(value, "half") : NULL;
    if (half == NULL)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "needs a half");
    *(double *)target = json_number(half) / 2;
    return ERR_OK;
}

#define ROW(member, of_kind)                                                                       \
    .name = #member, .kind = of_kind, .offset = offsetof(struct sample, member)

static const struct field table[] = {
    {ROW(number, FIELD_NUMBER), .min = 0, .max = 1, .min_exclusive = true},
    {ROW(count, FIELD_COUNT), .min = 0, .max = INFINITY, .min_exclusive = true},
    {ROW(bytes, FIELD_BYTES), .min = 1},
    {ROW(duration, FIELD_DURATION), .min = 0, .max = INFINITY},
    {ROW(integer, FIELD_INTEGER), .min = 1, .max = 1000},
    {ROW(time, FIELD_TIME)},
    {ROW(flag, FIELD_BOOL)},
    {ROW(text, FIELD_TEXT), .min = 1, .max = 8},
    {ROW(choice, FIELD_CHOICE), .choices = choices},
    {ROW(numbers, FIELD_NUMBERS), .min = 1, .max = INFINITY},
    {ROW(custom, FIELD_CUSTOM), .custom = take_half},
    {ROW(reference, FIELD_REFERENCE), .min = 1, .max = 20},
};
enum { ROWS = sizeof table / sizeof table[0] };

static const struct field required_table[] = {
    {ROW(number, FIELD_NUMBER), .required = true},
    {ROW(integer, FIELD_INTEGER), .required = true},
    {ROW(text, FIELD_TEXT)},
};

static const struct field free_table[] = {
    {ROW(number, FIELD_NUMBER)},
    {ROW(integer, FIELD_INTEGER)},
    {ROW(count, FIELD_COUNT), .min = -5, .max = -1},
    {ROW(bytes, FIELD_NUMBER), .min = -INFINITY, .max = 5},
    {ROW(duration, FIELD_NUMBER), .min = -1, .max = 0},
};

static struct arena arena;
static struct err err;
static struct sample sample;
static struct field_presence presence;

static int setup(void **state)
{
    (void)state;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    sample = (struct sample){.number = -7, .integer = -7};
    presence = (struct field_presence){99, 99};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static enum err_code from_query(const char *query)
{
    err_init(&err, &arena);
    return field_from_query(table, ROWS, query, NULL, NULL, &sample, &presence, &arena, &err);
}

/* Released by the caller. */
static struct json *parse(const char *text)
{
    struct json *root = NULL;
    err_init(&err, &arena);
    assert_int_equal(json_parse(text, strlen(text), &root, &err), ERR_OK);
    return root;
}

static enum err_code from_json_as(const struct field *rows, size_t count, const char *text)
{
    struct json *root = parse(text);
    enum err_code code =
        field_from_json(rows, count, root, "/at", NULL, NULL, &sample, &presence, &arena, &err);
    json_release(root);
    return code;
}

static enum err_code from_json(const char *text)
{
    return from_json_as(table, ROWS, text);
}

static enum err_code from_cell(const char *name, const char *cell)
{
    err_init(&err, &arena);
    return field_from_cell(&table[field_find(table, ROWS, name, strlen(name))], cell, strlen(cell),
                           3, &sample, &arena, &err);
}

static void assert_query(const char *query)
{
    if (from_query(query) != ERR_OK)
        fail_msg("%s is refused: %s", query != NULL ? query : "none", err.detail);
    assert_int_equal(err.n_fields, 0);
}

static void assert_json(const char *text)
{
    if (from_json(text) != ERR_OK)
        fail_msg("%s is refused: %s", text, err.detail);
    assert_int_equal(err.n_fields, 0);
}

static void assert_bad_query(const char *query, const char *parameter, const char *part)
{
    if (from_query(query) != ERR_INVALID)
        fail_msg("%s is accepted", query);
    assert_int_equal(err.n_fields, 1);
    assert_fault(&err, ERR_AT_PARAMETER, parameter, part);
}

static void assert_bad_json(const char *text, const char *pointer, const char *part)
{
    if (from_json(text) != ERR_INVALID)
        fail_msg("%s is accepted", text);
    assert_int_equal(err.n_fields, 1);
    assert_fault(&err, ERR_AT_POINTER, pointer, part);
}

static void a_query_fills_every_kind(void **state)
{
    (void)state;
    assert_query("number=0.5&count=7B&bytes=80GB&duration=2w&integer=1000&"
                 "time=2023-11-14T22:13:20Z&flag=true&text=a+b%26&choice=squared&numbers=1,2,4.5");
    assert_true(sample.number == 0.5 && sample.count == 7e9 && sample.bytes == 80e9);
    assert_true(sample.duration == 14 * 86400);
    assert_int_equal(sample.integer, 1000);
    assert_true(sample.time == INT64_C(1700000000000000));
    assert_true(sample.flag);
    assert_string_equal(sample.text, "a b&");
    assert_int_equal(sample.choice, 1);
    assert_int_equal(sample.numbers.count, 3);
    assert_true(sample.numbers.values[0] == 1 && sample.numbers.values[2] == 4.5);
    assert_int_equal(presence.given, (1 << 10) - 1);
    assert_int_equal(presence.nulls, 0);
}

static void json_fills_every_kind(void **state)
{
    (void)state;
    assert_json("{\"number\":1,\"count\":7e9,\"bytes\":80e9,\"duration\":0,\"integer\":5.0,"
                "\"time\":\"2023-11-14T23:13:20+01:00\",\"flag\":false,\"text\":\"\\u00e9\","
                "\"choice\":\"huber\",\"numbers\":[1],\"custom\":{\"half\":9},"
                "\"reference\":\"joint-2025\"}");
    assert_true(sample.number == 1 && sample.count == 7e9 && sample.duration == 0);
    assert_int_equal(sample.integer, 5);
    assert_true(sample.time == INT64_C(1700000000000000));
    assert_false(sample.flag);
    assert_string_equal(sample.text, "\xC3\xA9");
    assert_int_equal(sample.choice, 0);
    assert_int_equal(sample.numbers.count, 1);
    assert_true(sample.custom == 4.5);
    assert_int_equal(presence.given, (1 << ROWS) - 1);
}

static void cells_fill_every_kind(void **state)
{
    (void)state;
    assert_int_equal(from_cell("number", "1e-3"), ERR_OK);
    assert_int_equal(from_cell("count", "7e9"), ERR_OK);
    assert_int_equal(from_cell("integer", "7"), ERR_OK);
    assert_int_equal(from_cell("flag", "true"), ERR_OK);
    assert_int_equal(from_cell("text", "x,y"), ERR_OK);
    assert_int_equal(from_cell("numbers", "1,2"), ERR_OK);
    assert_int_equal(from_cell("time", "1970-01-01T00:00:01Z"), ERR_OK);
    assert_true(sample.number == 1e-3 && sample.count == 7e9 && sample.integer == 7 && sample.flag);
    assert_string_equal(sample.text, "x,y");
    assert_int_equal(sample.numbers.count, 2);
    assert_int_equal(sample.time, 1000000);
}

static void what_is_not_given_keeps_its_default(void **state)
{
    (void)state;
    assert_query(NULL);
    assert_query("");
    assert_query("&flag=true&");
    assert_json("{\"flag\":true}");
    assert_json("{\"number\":null,\"flag\":true}");
    assert_true(sample.number == -7 && sample.integer == -7);
    assert_int_equal(presence.given, 1 << 6);
    assert_int_equal(presence.nulls, 1 << 0);
    assert_int_equal(from_cell("number", ""), ERR_OK);
    assert_true(sample.number == -7);
}

static void suffixes_scale_exactly(void **state)
{
    static const struct {
        const char *query;
        double count, bytes, duration;
    } rows[] = {
        {"count=7K", 7e3, 0, 0},         {"count=1.5M", 1.5e6, 0, 0},
        {"count=80.3B", 80.3e9, 0, 0},   {"count=1.1T", 1.1e12, 0, 0},
        {"count=1e2B", 1e11, 0, 0},      {"count=123", 123, 0, 0},
        {"bytes=1B", 0, 1, 0},           {"bytes=2kB", 0, 2000, 0},
        {"bytes=24.7GB", 0, 24.7e9, 0},  {"bytes=1.1TB", 0, 1.1e12, 0},
        {"bytes=3MB", 0, 3e6, 0},        {"bytes=1KiB", 0, 1024, 0},
        {"bytes=1.5MiB", 0, 1572864, 0}, {"bytes=80GiB", 0, 85899345920.0, 0},
        {"bytes=1TiB", 0, 0x1p40, 0},    {"bytes=5e9", 0, 5e9, 0},
        {"duration=90s", 0, 0, 90},      {"duration=1.5m", 0, 0, 90},
        {"duration=2h", 0, 0, 7200},     {"duration=14d", 0, 0, 1209600},
        {"duration=2w", 0, 0, 1209600},  {"duration=60", 0, 0, 60},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sample = (struct sample){.number = 0};
        assert_query(rows[i].query);
        assert_true(sample.count == rows[i].count && sample.bytes == rows[i].bytes &&
                    sample.duration == rows[i].duration);
    }
}

static void other_suffixes_are_refused(void **state)
{
    static const char *const queries[] = {"count=7b",  "count=7k",  "count=7G",
                                          "count=7KB", "count=7 B", "count=B",
                                          "count=7BB", "count=7e",  "count=7.B"};
    static const char *const byte_queries[] = {"bytes=80G",   "bytes=80K",  "bytes=80KB",
                                               "bytes=80gb",  "bytes=80B0", "bytes=80Gb",
                                               "bytes=80kiB", "bytes=80Gi"};
    (void)state;
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        assert_bad_query(queries[i], "count", "must be a number, plain or with K, M, B or T");
    for (size_t i = 0; i < sizeof byte_queries / sizeof byte_queries[0]; i++)
        assert_bad_query(byte_queries[i], "bytes", "plain or with B, kB, MB, GB, TB, KiB");
    assert_bad_query("duration=3y", "duration", "one with s, m, h, d or w, not '3y'");
    assert_bad_query("duration=3D", "duration", "not '3D'");
    assert_bad_query("number=1K", "number", "must be a number, not '1K'");
    assert_bad_query("integer=1K", "integer", "must be a whole number, not '1K'");
}

static void suffixes_belong_to_queries_alone(void **state)
{
    (void)state;
    assert_bad_json("{\"count\":\"7B\"}", "/at/count", "must be a number, not a string");
    assert_int_equal(from_cell("count", "7B"), ERR_INVALID);
    assert_fault(&err, ERR_AT_CELL, "count", "must be a number, not '7B'");
    assert_int_equal(err.first->row, 3);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const texts[] = {"abc", "inf", "-inf", "nan",  "NaN", "0x10",
                                        "1e",  ".5",  "5.",   "%2B5", "+5",  "1%205",
                                        "1,5", "--1", "0b1",  "1_0"};
    char query[40];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(query, sizeof query, "number=%s", texts[i]);
        assert_bad_query(query, "number", "must be a number, not '");
    }
    assert_bad_json("{\"number\":true}", "/at/number", "must be a number, not a boolean");
    assert_bad_json("{\"number\":[1]}", "/at/number", "must be a number, not an array");
    assert_bad_json("{\"bytes\":\"1\"}", "/at/bytes", "must be a number of bytes, not a string");
}

static void what_is_not_finite_is_refused(void **state)
{
    (void)state;
    assert_bad_query("count=1e400", "count", "too large");
    assert_bad_query("count=1e308T", "count", "too large");
    assert_bad_query("bytes=1e308TiB", "bytes", "too large");
    assert_bad_json("{\"count\":1e400}", "/at/count", "too large");
    assert_bad_json("{\"numbers\":[1,1e999]}", "/at/numbers/1", "too large");
    assert_query("count=1.7976931348623157e308");
}

static void ranges_hold_on_both_sides(void **state)
{
    (void)state;
    assert_bad_query("number=0", "number", "must be greater than 0 and at most 1");
    assert_bad_query("number=-0", "number", "must be greater than 0 and at most 1");
    assert_bad_query("number=1.0000000000000002", "number", "must be greater than 0 and at most 1");
    assert_query("number=5e-324");
    assert_query("number=1");
    assert_bad_query("count=0", "count", "must be greater than 0");
    assert_bad_query("count=-1", "count", "must be greater than 0");
    assert_bad_query("bytes=0.999", "bytes", "must be at least 1");
    assert_query("bytes=1");
    assert_bad_query("integer=0", "integer", "must be between 1 and 1000");
    assert_bad_query("integer=1001", "integer", "must be between 1 and 1000");
    assert_query("integer=1");
    assert_bad_query("duration=-1s", "duration", "must be at least 0");
    assert_bad_json("{\"number\":1.5}", "/at/number", "must be greater than 0 and at most 1");
    assert_int_equal(from_cell("integer", "0"), ERR_INVALID);
    assert_fault(&err, ERR_AT_CELL, "integer", "must be between 1 and 1000");
}

static void ranges_may_be_open_or_negative(void **state)
{
    enum { FREE_ROWS = sizeof free_table / sizeof free_table[0] };
    (void)state;
    assert_int_equal(from_json_as(free_table, FREE_ROWS,
                                  "{\"number\":-1e300,\"count\":-5,\"bytes\":-1e300,"
                                  "\"duration\":0}"),
                     ERR_OK);
    assert_true(sample.number == -1e300 && sample.count == -5);
    assert_int_equal(
        from_json_as(free_table, FREE_ROWS, "{\"count\":0,\"bytes\":6,\"duration\":0.5}"),
        ERR_INVALID);
    assert_fault(&err, ERR_AT_POINTER, "/at/count", "must be between -5 and -1");
    assert_fault(&err, ERR_AT_POINTER, "/at/bytes", "must be at most 5");
    assert_fault(&err, ERR_AT_POINTER, "/at/duration", "must be between -1 and 0");
}

static void counts_bytes_and_durations_are_never_negative_by_default(void **state)
{
    static const struct field rows[] = {
        {ROW(count, FIELD_COUNT)}, {ROW(bytes, FIELD_BYTES)}, {ROW(duration, FIELD_DURATION)}};
    (void)state;
    assert_int_equal(from_json_as(rows, 3, "{\"count\":0,\"bytes\":0,\"duration\":0}"), ERR_OK);
    assert_int_equal(from_json_as(rows, 3, "{\"count\":-1,\"bytes\":-1,\"duration\":-1}"),
                     ERR_INVALID);
    assert_fault(&err, ERR_AT_POINTER, "/at/count", "must be at least 0");
    assert_fault(&err, ERR_AT_POINTER, "/at/bytes", "must be at least 0");
    assert_fault(&err, ERR_AT_POINTER, "/at/duration", "must be at least 0");
}

/* What the OpenAPI document says of a row. */
static void limits_are_told_as_they_are_kept(void **state)
{
    (void)state;
    struct field_limits limits = field_limits(&table[0]);
    assert_true(limits.lower == 0 && limits.upper == 1 && limits.exclusive);
    limits = field_limits(&table[2]);
    assert_true(limits.lower == 1 && limits.upper == INFINITY && !limits.exclusive);
    limits = field_limits(&free_table[0]);
    assert_true(limits.lower == -INFINITY && limits.upper == INFINITY);
    limits = field_limits(&free_table[4]);
    assert_true(limits.lower == -1 && limits.upper == 0);
}

static void negative_zero_becomes_zero(void **state)
{
    (void)state;
    assert_query("duration=-0");
    assert_false(signbit(sample.duration));
}

static void integers_are_whole_and_below_2_to_the_53(void **state)
{
    enum { FREE_ROWS = sizeof free_table / sizeof free_table[0] };
    (void)state;
    assert_bad_query("integer=1.5", "integer", "must be a whole number");
    assert_bad_json("{\"integer\":1.5}", "/at/integer", "must be a whole number");
    assert_query("integer=1e2");
    assert_int_equal(sample.integer, 100);
    assert_int_equal(from_json_as(free_table, FREE_ROWS, "{\"integer\":9007199254740991}"), ERR_OK);
    assert_true(sample.integer == INT64_C(9007199254740991));
    assert_int_equal(from_json_as(free_table, FREE_ROWS, "{\"integer\":-9007199254740991}"),
                     ERR_OK);
    assert_true(sample.integer == -INT64_C(9007199254740991));
    assert_int_equal(from_json_as(free_table, FREE_ROWS, "{\"integer\":9007199254740992}"),
                     ERR_INVALID);
    assert_fault(&err, ERR_AT_POINTER, "/at/integer", "less than 2^53");
    assert_int_equal(from_json_as(free_table, FREE_ROWS, "{\"integer\":-1e300}"), ERR_INVALID);
    assert_int_equal(from_json_as(free_table, FREE_ROWS, "{\"integer\":1e400}"), ERR_INVALID);
}

static void booleans_are_true_or_false_and_nothing_else(void **state)
{
    static const char *const texts[] = {"1", "0", "True", "TRUE", "yes", "on", "truee", "null"};
    char query[40];
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        snprintf(query, sizeof query, "flag=%s", texts[i]);
        assert_bad_query(query, "flag", "must be true or false");
    }
    assert_bad_json("{\"flag\":\"true\"}", "/at/flag", "must be true or false, not a string");
    assert_bad_json("{\"flag\":1}", "/at/flag", "must be true or false, not a number");
}

static void texts_have_a_length(void **state)
{
    (void)state;
    assert_query("text=12345678");
    assert_bad_query("text=123456789", "text", "at most 8 bytes");
    assert_query("text=%E2%82%AC%E2%82%AC12");
    assert_bad_query("text=%E2%82%AC%E2%82%AC123", "text", "at most 8 bytes");
    assert_bad_json("{\"text\":\"\"}", "/at/text", "must not be empty");
    assert_bad_json("{\"text\":5}", "/at/text", "must be a string, not a number");
}

static void choices_are_listed_when_missed(void **state)
{
    (void)state;
    assert_bad_query("choice=Huber", "choice", "must be one of huber, squared, not 'Huber'");
    assert_bad_json("{\"choice\":\"l1\"}", "/at/choice", "must be one of huber, squared, not 'l1'");
    assert_bad_json("{\"choice\":0}", "/at/choice", "must be a string, not a number");
}

static void lists_of_numbers_are_checked_one_by_one(void **state)
{
    (void)state;
    assert_bad_query("numbers=1,,2", "numbers", "'' is not a number");
    assert_bad_query("numbers=1,2,", "numbers", "'' is not a number");
    assert_bad_query("numbers=1,two", "numbers", "'two' is not a number");
    assert_bad_query("numbers=1,0", "numbers", "must be at least 1");
    assert_bad_query("numbers=1,%202", "numbers", "' 2' is not a number");
    assert_bad_json("{\"numbers\":[]}", "/at/numbers", "between 1 and 64 numbers");
    assert_bad_json("{\"numbers\":8}", "/at/numbers", "must be an array of numbers, not a number");
    assert_int_equal(from_json("{\"numbers\":[1,\"2\",0,null]}"), ERR_INVALID);
    assert_fault(&err, ERR_AT_POINTER, "/at/numbers/1", "must be a number, not a string");
    assert_fault(&err, ERR_AT_POINTER, "/at/numbers/2", "must be at least 1");
    assert_fault(&err, ERR_AT_POINTER, "/at/numbers/3", "must be a number, not null");
}

static void lists_hold_so_many_numbers_and_no_more(void **state)
{
    char query[8 + 3 * FIELD_NUMBERS_MAX + 8] = "numbers=99", number[16];
    (void)state;
    for (int i = 1; i < FIELD_NUMBERS_MAX; i++) {
        snprintf(number, sizeof number, ",%d", i);
        strncat(query, number, sizeof query - strlen(query) - 1);
    }
    assert_query(query);
    assert_int_equal(sample.numbers.count, FIELD_NUMBERS_MAX);
    assert_true(sample.numbers.values[0] == 1 && sample.numbers.values[63] == 99);
    strncat(query, ",1", 3);
    assert_bad_query(query, "numbers", "at most 64 numbers");
}

static void a_list_is_a_set(void **state)
{
    (void)state;
    assert_query("numbers=8,2,8.0,4");
    assert_int_equal(sample.numbers.count, 3);
    assert_true(sample.numbers.values[0] == 2 && sample.numbers.values[2] == 8);
    assert_json("{\"numbers\":[3,3,1]}");
    assert_int_equal(sample.numbers.count, 2);
    assert_true(sample.numbers.values[0] == 1 && sample.numbers.values[1] == 3);
}

static void times_are_rfc_3339(void **state)
{
    (void)state;
    assert_bad_query("time=2023-11-14", "time", "must be a time like 2026-01-31T23:59:59Z");
    assert_bad_json("{\"time\":1700000000}", "/at/time",
                    "must be a string holding a time, not a number");
}

static void references_are_names_or_ids(void **state)
{
    (void)state;
    assert_query("reference=joint-2025");
    assert_string_equal(sample.reference, "joint-2025");
    assert_query("reference=17");
    assert_string_equal(sample.reference, "17");
    assert_json("{\"reference\":17}");
    assert_string_equal(sample.reference, "17");
    assert_json("{\"reference\":9007199254740991}");
    assert_string_equal(sample.reference, "9007199254740991");
    assert_bad_json("{\"reference\":0}", "/at/reference", "must be a name or an id");
    assert_bad_json("{\"reference\":1.5}", "/at/reference", "must be a name or an id");
    assert_bad_json("{\"reference\":9007199254740992}", "/at/reference", "a name or an id");
    assert_bad_json("{\"reference\":1e400}", "/at/reference", "must be a name or an id");
    assert_bad_json("{\"reference\":true}", "/at/reference", "a name or an id, not a boolean");
    assert_bad_json("{\"reference\":\"\"}", "/at/reference", "must not be empty");
    assert_bad_query("reference=123456789012345678901", "reference", "at most 20 bytes");
}

static void custom_fields_are_for_json(void **state)
{
    (void)state;
    assert_bad_query("custom=1", "custom", "in a JSON body only");
    assert_bad_json("{\"custom\":{}}", "/at/custom", "needs a half");
}

static void unknown_names_are_errors_with_a_guess(void **state)
{
    (void)state;
    assert_bad_query("nmber=1", "nmber", "there is no such parameter; did you mean 'number'?");
    assert_bad_query("cuont=1", "cuont", "did you mean 'count'?");
    assert_bad_json("{\"numbr\":1}", "/at/numbr", "there is no such field; did you mean 'number'?");
    assert_bad_json("{\"integers\":1}", "/at/integers", "did you mean 'integer'?");
    assert_bad_query("xyz=1", "xyz", "there is no such parameter");
    assert_null(strstr(err.first->detail, "mean"));
    assert_bad_query("tx=1", "tx", "there is no such parameter");
    assert_null(strstr(err.first->detail, "mean"));
    assert_bad_json("{\"a/b\":1}", "/at/a~1b", "there is no such field");
    assert_bad_query("Number=0.5", "Number", "did you mean 'number'?");
    assert_bad_query("=1", "", "there is no such parameter");
}

static void repeated_and_empty_parameters_are_errors(void **state)
{
    (void)state;
    assert_bad_query("number=0.5&number=0.5", "number", "more than once");
    assert_bad_query("number=0.5&n%75mber=0.5", "number", "more than once");
    assert_bad_query("number=", "number", "has no value");
    assert_bad_query("number", "number", "has no value");
    assert_bad_query("text=", "text", "has no value");
}

static void bad_encodings_are_errors_at_their_parameter(void **state)
{
    (void)state;
    assert_bad_query("text=%00", "text", "percent-encoded");
    assert_bad_query("text=%zz", "text", "percent-encoded");
    assert_bad_query("text=%FF", "text", "percent-encoded");
    assert_bad_query("te%00xt=1", "te%00xt", "percent-encoded");
}

static void every_fault_of_a_query_is_told(void **state)
{
    (void)state;
    assert_int_equal(from_query("number=2&count=x&memroy=1&flag=1&text=%ff&integer=5&integer=6"),
                     ERR_INVALID);
    assert_int_equal(err.n_fields, 6);
    assert_fault(&err, ERR_AT_PARAMETER, "number", "at most 1");
    assert_fault(&err, ERR_AT_PARAMETER, "count", "must be a number");
    assert_fault(&err, ERR_AT_PARAMETER, "memroy", "no such parameter");
    assert_fault(&err, ERR_AT_PARAMETER, "flag", "true or false");
    assert_fault(&err, ERR_AT_PARAMETER, "text", "UTF-8");
    assert_fault(&err, ERR_AT_PARAMETER, "integer", "more than once");
    assert_int_equal(presence.given, 99);
}

static void every_fault_of_an_object_is_told_with_what_is_missing(void **state)
{
    (void)state;
    assert_int_equal(from_json_as(required_table, 3, "{\"integer\":null,\"text\":7,\"x\":1}"),
                     ERR_INVALID);
    assert_int_equal(err.n_fields, 4);
    assert_fault(&err, ERR_AT_POINTER, "/at/number", "is required");
    assert_fault(&err, ERR_AT_POINTER, "/at/integer", "is required");
    assert_fault(&err, ERR_AT_POINTER, "/at/text", "must be a string");
    assert_fault(&err, ERR_AT_POINTER, "/at/x", "no such field");
    assert_int_equal(presence.given, 99);
}

static void a_bad_value_is_not_also_missing(void **state)
{
    (void)state;
    assert_int_equal(from_json_as(required_table, 3, "{\"integer\":1,\"number\":\"x\"}"),
                     ERR_INVALID);
    assert_int_equal(err.n_fields, 1);
    err_init(&err, &arena);
    assert_int_equal(field_from_query(required_table, 3, "integer=1&number=x", NULL, NULL, &sample,
                                      &presence, &arena, &err),
                     ERR_INVALID);
    assert_int_equal(err.n_fields, 1);
}

static void missing_parameters_are_told(void **state)
{
    (void)state;
    assert_int_equal(
        field_from_query(required_table, 3, NULL, NULL, NULL, &sample, &presence, &arena, &err),
        ERR_INVALID);
    assert_fault(&err, ERR_AT_PARAMETER, "number", "is required");
    assert_fault(&err, ERR_AT_PARAMETER, "integer", "is required");
    assert_int_equal(err.n_fields, 2);
}

static void a_patch_requires_nothing(void **state)
{
    (void)state;
    struct json *root = parse("{\"integer\":null,\"text\":\"x\"}");
    assert_int_equal(field_from_patch(required_table, 3, root, &sample, &presence, &arena, &err),
                     ERR_OK);
    json_release(root);
    assert_int_equal(presence.given, 1 << 2);
    assert_int_equal(presence.nulls, 1 << 1);
    root = parse("{\"txt\":\"x\"}");
    assert_int_equal(field_from_patch(required_table, 3, root, &sample, &presence, &arena, &err),
                     ERR_INVALID);
    assert_fault(&err, ERR_AT_POINTER, "/txt", "did you mean 'text'?");
    json_release(root);
}

static void what_is_not_an_object_is_refused(void **state)
{
    (void)state;
    assert_bad_json("[1]", "/at", "must be an object, not an array");
    assert_bad_json("null", "/at", "must be an object, not null");
}

/* The hooks know names that start with "known". */
static bool other_query(void *ctx, const char *name, const char *value, struct err *error)
{
    if (strncmp(name, "known", 5) != 0)
        return false;
    if (strcmp(value, "bad") == 0)
        err_add(error, ERR_INVALID, ERR_AT_PARAMETER, name, 0, "is bad");
    ++*(int *)ctx;
    return true;
}

static bool other_json(void *ctx, const char *name, const struct json *value, const char *pointer,
                       struct err *error)
{
    if (strncmp(name, "known", 5) != 0)
        return false;
    if (json_kind(value) == JSON_NULL)
        err_add(error, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "is bad");
    ++*(int *)ctx;
    return true;
}

static void hooks_take_the_names_a_table_lacks(void **state)
{
    int calls = 0;
    struct json *root;
    (void)state;
    assert_int_equal(field_from_query(table, ROWS, "known1=x&number=1&known2=y", other_query,
                                      &calls, &sample, &presence, &arena, &err),
                     ERR_OK);
    assert_int_equal(calls, 2);
    assert_int_equal(field_from_query(table, ROWS, "known1=x&known1=y&known2=bad&known3=&nope=1",
                                      other_query, &calls, &sample, &presence, &arena, &err),
                     ERR_INVALID);
    assert_fault(&err, ERR_AT_PARAMETER, "known1", "more than once");
    assert_fault(&err, ERR_AT_PARAMETER, "known2", "is bad");
    assert_fault(&err, ERR_AT_PARAMETER, "known3", "has no value");
    assert_fault(&err, ERR_AT_PARAMETER, "nope", "no such parameter");
    assert_int_equal(err.n_fields, 4);
    err_init(&err, &arena);
    root = parse("{\"known\":1,\"known2\":null,\"nope\":1}");
    assert_int_equal(field_from_json(table, ROWS, root, "", other_json, &calls, &sample, &presence,
                                     &arena, &err),
                     ERR_INVALID);
    json_release(root);
    assert_fault(&err, ERR_AT_POINTER, "/known2", "is bad");
    assert_fault(&err, ERR_AT_POINTER, "/nope", "no such field");
    assert_int_equal(err.n_fields, 2);
}

static void a_query_has_so_many_parameters_and_no_more(void **state)
{
    char query[FIELD_PARAMETERS_MAX * 12 + 16];
    int calls = 0;
    size_t n = 0;
    (void)state;
    for (int i = 0; i < FIELD_PARAMETERS_MAX; i++)
        n += (size_t)snprintf(query + n, sizeof query - n, "known%d=1&", i);
    assert_int_equal(
        field_from_query(table, ROWS, query, other_query, &calls, &sample, &presence, &arena, &err),
        ERR_OK);
    snprintf(query + n, sizeof query - n, "flag=true");
    assert_int_equal(
        field_from_query(table, ROWS, query, other_query, &calls, &sample, &presence, &arena, &err),
        ERR_INVALID);
    assert_fault(&err, ERR_AT_PARAMETER, "flag", "more than 200 parameters");
}

static void long_values_are_shortened_between_characters(void **state)
{
    char query[400] = "flag=";
    (void)state;
    for (int i = 0; i < 60; i++)
        strncat(query, "\xE2\x82\xAC", 4);
    assert_int_equal(from_query(query), ERR_INVALID);
    const char *quote = strchr(err.first->detail, '\'');
    assert_non_null(quote);
    assert_int_equal(strlen(quote), 2 + 39);
}

/* Whatever the cap, the answer is the whole one or ERR_NO_MEMORY. */
static void memory_that_runs_out_is_an_error(void **state)
{
    int whole = 0, refused = 0;
    (void)state;
    struct json *root = parse("{\"text\":\"x\",\"numbers\":[1,2],\"flag\":true}");
    for (size_t cap = 0; cap < 600; cap++) {
        struct arena small;
        struct err none;
        arena_init(&small, cap);
        err_init(&none, NULL);
        sample = (struct sample){.text = NULL};
        enum err_code query = field_from_query(table, ROWS, "text=x&numbers=1,2&flag=true", NULL,
                                               NULL, &sample, &presence, &small, &none);
        arena_reset(&small);
        err_init(&none, NULL);
        enum err_code json =
            field_from_json(table, ROWS, root, "", NULL, NULL, &sample, &presence, &small, &none);
        assert_true(query == ERR_OK || query == ERR_NO_MEMORY);
        assert_true(json == ERR_OK || json == ERR_NO_MEMORY);
        whole += (query == ERR_OK) + (json == ERR_OK);
        refused += (query != ERR_OK) + (json != ERR_OK);
        arena_release(&small);
    }
    json_release(root);
    assert_true(whole > 100 && refused > 100);
}

static void names_are_found_by_their_length(void **state)
{
    (void)state;
    assert_int_equal(field_find(table, ROWS, "numbers,x", 7), 9);
    assert_int_equal(field_find(table, ROWS, "numbers", 6), 0);
    assert_int_equal(field_find(table, ROWS, "numbers", 5), ROWS);
    assert_int_equal(field_find(NULL, 0, "x", 1), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_query_fills_every_kind),
        TEST(json_fills_every_kind),
        TEST(cells_fill_every_kind),
        TEST(what_is_not_given_keeps_its_default),
        TEST(suffixes_scale_exactly),
        TEST(other_suffixes_are_refused),
        TEST(suffixes_belong_to_queries_alone),
        TEST(what_is_no_number_is_refused),
        TEST(what_is_not_finite_is_refused),
        TEST(ranges_hold_on_both_sides),
        TEST(ranges_may_be_open_or_negative),
        TEST(counts_bytes_and_durations_are_never_negative_by_default),
        TEST(limits_are_told_as_they_are_kept),
        TEST(negative_zero_becomes_zero),
        TEST(integers_are_whole_and_below_2_to_the_53),
        TEST(booleans_are_true_or_false_and_nothing_else),
        TEST(texts_have_a_length),
        TEST(choices_are_listed_when_missed),
        TEST(lists_of_numbers_are_checked_one_by_one),
        TEST(lists_hold_so_many_numbers_and_no_more),
        TEST(a_list_is_a_set),
        TEST(times_are_rfc_3339),
        TEST(references_are_names_or_ids),
        TEST(custom_fields_are_for_json),
        TEST(unknown_names_are_errors_with_a_guess),
        TEST(repeated_and_empty_parameters_are_errors),
        TEST(bad_encodings_are_errors_at_their_parameter),
        TEST(every_fault_of_a_query_is_told),
        TEST(every_fault_of_an_object_is_told_with_what_is_missing),
        TEST(a_bad_value_is_not_also_missing),
        TEST(missing_parameters_are_told),
        TEST(a_patch_requires_nothing),
        TEST(what_is_not_an_object_is_refused),
        TEST(hooks_take_the_names_a_table_lacks),
        TEST(a_query_has_so_many_parameters_and_no_more),
        TEST(long_values_are_shortened_between_characters),
        TEST(memory_that_runs_out_is_an_error),
        TEST(names_are_found_by_their_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
