#include "tests/unit/check.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"
#include "db/tags.h"

enum { ARENA_BYTES = 1 << 24 };

static int make_arena(void **state)
{
    struct arena *arena = malloc(sizeof *arena);

    assert_non_null(arena);
    arena_init(arena, ARENA_BYTES);
    *state = arena;
    return 0;
}

static int drop_arena(void **state)
{
    arena_release(*state);
    free(*state);
    return 0;
}

static const char *encode(struct arena *arena, const struct tag *tags, size_t count)
{
    const char *text;

    assert_true(tags_encode(tags, count, arena, &text));
    return text;
}

static void assert_round_trip(struct arena *arena, const struct tag *tags, size_t count)
{
    const struct tag *back;
    size_t n_back;

    assert_int_equal(tags_decode(encode(arena, tags, count), arena, &back, &n_back), TAGS_OK);
    assert_int_equal(n_back, count);
    for (size_t i = 0; i < count; i++) {
        assert_string_equal(back[i].name, tags[i].name);
        assert_string_equal(back[i].value, tags[i].value);
    }
}

static void tags_are_written_as_a_json_object(void **state)
{
    static const struct tag tags[] = {{"a", ""}, {"q\"\\", "\n\x1f\x7f\xC3\xA9"}};

    assert_string_equal(encode(*state, tags, 1), "{\"a\":\"\"}");
    assert_string_equal(encode(*state, tags, 2),
                        "{\"a\":\"\",\"q\\\"\\\\\":\"\\u000a\\u001f\x7f\xC3\xA9\"}");
    assert_null(encode(*state, NULL, 0));
}

static void no_text_is_no_tags(void **state)
{
    const struct tag *tags;
    size_t count = 1;

    assert_int_equal(tags_decode(NULL, *state, &tags, &count), TAGS_OK);
    assert_int_equal(count, 0);
}

static void the_most_and_longest_tags_come_back(void **state)
{
    struct tag tags[TAGS_MAX];

    for (int i = 0; i < TAGS_MAX; i++) {
        char *name = arena_alloc(*state, TAG_NAME_MAX_BYTES + 1);
        char *value = arena_alloc(*state, TAG_VALUE_MAX_BYTES + 1);

        assert_true(name && value);
        memset(name, 1, TAG_NAME_MAX_BYTES); /* written as six bytes each */
        memset(value, i % 2 ? '"' : 2, TAG_VALUE_MAX_BYTES);
        name[TAG_NAME_MAX_BYTES - 1] = (char)(i + 1);
        name[TAG_NAME_MAX_BYTES] = value[TAG_VALUE_MAX_BYTES] = '\0';
        tags[i] = (struct tag){name, value};
    }
    assert_round_trip(*state, tags, TAGS_MAX);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tag *)a)->name, ((const struct tag *)b)->name);
}

/* Ascending tags of random bytes, the awkward ones often. */
static size_t random_tags(struct arena *arena, struct rng *rng, struct tag tags[8])
{
    static const char alphabet[] = "\"\\{}:,u0\x01\x1f a\xC3\xA9";
    size_t count = 1 + rng_below(rng, 8), kept = 0;

    for (size_t i = 0; i < count; i++) {
        char text[2][12] = {"", ""};

        for (int k = 0; k < 2; k++)
            for (size_t n = rng_below(rng, 11), j = 0; j < n; j++)
                text[k][j] = alphabet[rng_below(rng, sizeof alphabet - 1)];
        tags[i].name = arena_copy(arena, text[0], strlen(text[0]));
        tags[i].value = arena_copy(arena, text[1], strlen(text[1]));
    }
    qsort(tags, count, sizeof *tags, by_name);
    for (size_t i = 0; i < count; i++)
        if (kept == 0 || strcmp(tags[kept - 1].name, tags[i].name) != 0)
            tags[kept++] = tags[i];
    return kept;
}

static void any_tags_come_back(void **state)
{
    struct rng rng = rng_stream(11, 0);

    for (int i = 0; i < 5000; i++) {
        struct tag tags[8];
        size_t count = random_tags(*state, &rng, tags);

        assert_round_trip(*state, tags, count);
        arena_reset(*state);
    }
}

/* Another reader of JSON: SQLite's. */
static void sqlite_reads_what_was_written(void **state)
{
    struct rng rng = rng_stream(12, 0);
    sqlite3_stmt *extract;
    sqlite3 *db;

    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT key, value FROM json_each(?) ORDER BY key", -1,
                                        &extract, NULL),
                     SQLITE_OK);
    for (int i = 0; i < 500; i++) {
        struct tag tags[8];
        size_t count = random_tags(*state, &rng, tags), seen = 0;
        const char *text = encode(*state, tags, count);

        if (strstr(text, "\xC3\xC3") || strstr(text, "\xA9\xA9"))
            continue; /* not UTF-8: the server would have refused it */
        sqlite3_bind_text(extract, 1, text, -1, SQLITE_STATIC);
        while (sqlite3_step(extract) == SQLITE_ROW) {
            const char *value = (const char *)sqlite3_column_text(extract, 1);

            assert_true(seen < count);
            assert_string_equal(value, tags[seen++].value);
        }
        assert_int_equal(seen, count);
        sqlite3_reset(extract);
    }
    sqlite3_finalize(extract);
    sqlite3_close(db);
}

static void damaged_text_is_refused(void **state)
{
    static const char *const damaged[] = {
        "",
        "{",
        "{}",
        "[\"a\"]",
        "{\"a\"}",
        "{\"a\":1}",
        "{\"a\":\"b\"",
        "{\"a\":\"b\"}x",
        "{\"a\":\"b\",}",
        "{\"a\":\"b\",\"c\"",
        "{\"a\":\"b",
        "{\"a\":\"\\",
        "{\"a\":\"\\u00",
        "{\"a\":\"\\u000",
        "{\"a\":\"\\u00G0\"}",
        "{\"a\":\"\\n\"}",
        "{\"a\" :\"b\"}",
    };
    const struct tag *tags;
    size_t count;

    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++)
        assert_int_equal(tags_decode(damaged[i], *state, &tags, &count), TAGS_DAMAGED);
    assert_int_equal(tags_decode("{\"a\":\"b\"}", *state, &tags, &count), TAGS_OK);
}

static void too_many_tags_are_damage(void **state)
{
    struct tag tags[TAGS_MAX + 1];
    const struct tag *back;
    size_t count;

    for (int i = 0; i <= TAGS_MAX; i++)
        tags[i] = (struct tag){arena_printf(*state, "%03d", i), "v"};
    assert_int_equal(tags_decode(encode(*state, tags, TAGS_MAX), *state, &back, &count), TAGS_OK);
    assert_int_equal(tags_decode(encode(*state, tags, TAGS_MAX + 1), *state, &back, &count),
                     TAGS_DAMAGED);
}

static void running_out_of_memory_is_said(void **state)
{
    static const struct tag tags[] = {{"name", "value"}};
    const struct tag *back;
    struct arena none;
    const char *text;
    size_t count;

    arena_init(&none, 4);
    assert_false(tags_encode(tags, 1, &none, &text));
    assert_int_equal(tags_decode(encode(*state, tags, 1), &none, &back, &count), TAGS_NO_MEMORY);
    arena_release(&none);
}

int main(void)
{
#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, make_arena, drop_arena)
    const struct CMUnitTest tests[] = {
        WITH_ARENA(tags_are_written_as_a_json_object),
        WITH_ARENA(no_text_is_no_tags),
        WITH_ARENA(the_most_and_longest_tags_come_back),
        WITH_ARENA(any_tags_come_back),
        WITH_ARENA(sqlite_reads_what_was_written),
        WITH_ARENA(damaged_text_is_refused),
        WITH_ARENA(too_many_tags_are_damage),
        WITH_ARENA(running_out_of_memory_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
