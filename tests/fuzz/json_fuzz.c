/* Any text: what the check passes cJSON parses, is written back as text of the same tree, and is
 * walked to the same elements; what is refused is refused with a field. */
#include <string.h>

#include "server/json_walk.h"
#include "server/out.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "json";

enum { ARENA_BYTES = 64 << 20 };

static void write_value(struct out *out, const struct json *value)
{
    const char *name = json_key(value);
    switch (json_kind(value)) {
    case JSON_NULL:
        out_null(out, name);
        break;
    case JSON_BOOL:
        out_bool(out, name, json_bool(value));
        break;
    case JSON_NUMBER:
        out_number(out, name, json_number(value));
        break;
    case JSON_TEXT:
        out_text(out, name, json_text(value));
        break;
    case JSON_ARRAY:
        out_array_begin(out, name);
        for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
            write_value(out, item);
        out_array_end(out);
        break;
    case JSON_OBJECT:
        out_object_begin(out, name);
        for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
            write_value(out, item);
        out_object_end(out);
        break;
    }
}

static const char *write_tree(const struct json *root, struct arena *arena, struct err *err)
{
    struct out out;
    const char *text = NULL;
    size_t length;
    out_init(&out, arena);
    write_value(&out, root);
    fuzz_require(out_finish(&out, &text, &length, err) == ERR_OK);
    fuzz_require(strlen(text) == length);
    return text;
}

/* Written and read again, a tree is written the same: nothing is lost or reordered. */
static void check_round_trip(const struct json *root, struct arena *arena, struct err *err)
{
    struct json *again;
    const char *text = write_tree(root, arena, err);
    fuzz_require(json_parse(text, strlen(text), &again, err) == ERR_OK);
    fuzz_require(strcmp(text, write_tree(again, arena, err)) == 0);
    json_release(again);
}

static void check_walk(const char *text, size_t size, const struct json *root, struct arena *arena,
                       struct err *err)
{
    struct json_walk walk;
    struct json *item;
    const struct json *list = json_kind(root) == JSON_OBJECT ? json_member(root, "items") : NULL;
    enum err_code code = json_walk_open(&walk, text, size, "items", err);
    if (code != ERR_OK) {
        fuzz_require(list != NULL && json_kind(list) != JSON_ARRAY);
        return;
    }
    const struct json *want = root;
    if (walk.form != JSON_WALK_ONE)
        want = json_first(walk.form == JSON_WALK_MEMBER ? list : root);
    for (;;) {
        fuzz_require(json_walk_next(&walk, &item, err) == ERR_OK);
        if (item == NULL)
            break;
        fuzz_require(want != NULL);
        fuzz_require(strcmp(write_tree(item, arena, err), write_tree(want, arena, err)) == 0);
        fuzz_require(json_walk_pointer(&walk, arena) != NULL);
        json_release(item);
        want = walk.form == JSON_WALK_ONE ? NULL : json_next(want);
    }
    fuzz_require(want == NULL);
    json_walk_close(&walk);
}

static void check_lines(const char *text, size_t size, struct err *err)
{
    struct json_walk walk;
    struct json *item;
    json_walk_open_lines(&walk, text, size);
    for (;;) {
        size_t fields = err->n_fields + err->n_dropped;
        enum err_code code = json_walk_next(&walk, &item, err);
        if (code == ERR_OK && item == NULL)
            break;
        fuzz_require(code == ERR_OK || code == ERR_INVALID);
        if (code == ERR_OK)
            json_release(item);
        else
            fuzz_require(err->n_fields + err->n_dropped > fields);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct arena arena;
    struct err err;
    struct json *root;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    enum err_code code = json_parse(text, size, &root, &err);
    if (code == ERR_OK) {
        check_round_trip(root, &arena, &err);
        check_walk(text, size, root, &arena, &err);
        json_release(root);
    } else {
        fuzz_require(code == ERR_INVALID || code == ERR_TOO_LARGE);
        fuzz_require(code == ERR_TOO_LARGE || err.n_fields + err.n_dropped > 0);
    }
    err_init(&err, &arena);
    check_lines(text, size, &err);
    arena_release(&arena);
    return 0;
}
