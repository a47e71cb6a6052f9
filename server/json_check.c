#include "server/json_check.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/json.h"
#include "server/json_string.h"
#include "server/utf8.h"

/* Faults of absurdly long pointers are reported at the nearest enclosing value that fits. */
enum { POINTER_BYTES = 4096, FEW_KEYS = 16, FIRST_KEYS = 64 };

/* A member's name as written, without its quotes. */
struct key {
    const char *text;
    size_t length;
};

/* One step of the way from the root to the value being read. */
struct step {
    bool is_member;
    struct key key; /* of a member */
    size_t index;   /* of an element */
};

struct check {
    const char *text, *at, *end, *base;
    struct step path[JSON_DEPTH_MAX];
    int depth;
    struct key *keys; /* of every object that is open, innermost last */
    size_t n_keys, room_keys;
    struct json_facts facts;
    enum err_code code; /* of repeated names, which do not stop the pass */
    struct err *err;
};

/* The pointer of the value at the end of path[depth], then of its member key if there is one. */
static void write_pointer(const struct check *check, const struct key *key, char *pointer)
{
    char token[JSON_KEY_BYTES_MAX + 1];
    size_t n = strlen(check->base);
    bool fits = n < POINTER_BYTES;
    if (fits)
        memcpy(pointer, check->base, n);
    else
        n = 0;
    for (int i = 0; i < check->depth + (key != NULL) && fits; i++) {
        const struct step *step = i < check->depth ? &check->path[i] : NULL;
        size_t length;
        if (step != NULL && !step->is_member) {
            length = (size_t)snprintf(token, sizeof token, "%zu", step->index);
        } else {
            const struct key *name = step != NULL ? &step->key : key;
            length = json_string_unescape(name->text, name->length, token);
        }
        fits = json_pointer_append(pointer, POINTER_BYTES, &n, token, length);
    }
    pointer[n < POINTER_BYTES ? n : POINTER_BYTES - 1] = '\0';
}

__attribute__((format(printf, 3, 4))) static enum err_code fail(struct check *check, const char *at,
                                                                const char *format, ...)
{
    char pointer[POINTER_BYTES], what[200];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    write_pointer(check, NULL, pointer);
    err_add(check->err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "%s (byte offset %zu)", what,
            (size_t)(at - check->text));
    return ERR_INVALID;
}

static void skip_space(struct check *check)
{
    check->at = json_skip_space(check->at, check->end);
}

static bool next_is(const struct check *check, char c)
{
    return check->at < check->end && *check->at == c;
}

/* The string at check->at, which is its opening quote. *ret is its text without quotes. */
static enum err_code check_string(struct check *check, struct key *ret)
{
    const char *start = ++check->at;
    for (;;) {
        check->at += utf8_plain(check->at, (size_t)(check->end - check->at));
        if (check->at == check->end)
            return fail(check, check->end, "the text ends inside a string");
        unsigned char byte = (unsigned char)*check->at;
        if (byte == '"')
            break;
        if (byte == '\\') {
            const char *fault;
            size_t bytes = json_string_escape(check->at, check->end, &fault);
            if (bytes == 0)
                return fail(check, check->at, "%s", fault);
            check->at += bytes;
        } else if (byte < 0x20) {
            return fail(check, check->at, "control bytes in a string must be escaped");
        } else {
            size_t bytes = utf8_character(check->at, (size_t)(check->end - check->at));
            if (bytes == 0)
                return fail(check, check->at, "the text is not valid UTF-8");
            check->at += bytes;
        }
    }
    *ret = (struct key){start, (size_t)(check->at - start)};
    check->at++;
    return ERR_OK;
}

static size_t check_digits(struct check *check)
{
    const char *start = check->at;
    while (check->at < check->end && *check->at >= '0' && *check->at <= '9')
        check->at++;
    return (size_t)(check->at - start);
}

static enum err_code check_number(struct check *check)
{
    const char *start = check->at;
    if (next_is(check, '-'))
        check->at++;
    const char *first = check->at;
    size_t digits = check_digits(check);
    if (digits == 0)
        return fail(check, check->at, "a digit is missing in a number");
    if (digits > 1 && *first == '0')
        return fail(check, first, "a number cannot start with 0 and go on with a digit");
    if (next_is(check, '.')) {
        check->at++;
        if (check_digits(check) == 0)
            return fail(check, check->at, "a digit is missing after the point of a number");
    }
    if (next_is(check, 'e') || next_is(check, 'E')) {
        check->at++;
        if (next_is(check, '+') || next_is(check, '-'))
            check->at++;
        if (check_digits(check) == 0)
            return fail(check, check->at, "a digit is missing in the exponent of a number");
    }
    if (check->at - start > JSON_CJSON_NUMBER_BYTES)
        check->facts.long_numbers = true;
    return ERR_OK;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* true, false, null; and the fault for whatever else stands where a value should. */
static enum err_code check_literal(struct check *check)
{
    static const char *const literals[] = {"true", "false", "null"};
    enum { SHOWN_MAX = 20 };
    if (check->at == check->end)
        return fail(check, check->end, "the text ends where a value should be");
    size_t length = 0;
    while (check->at + length < check->end && is_word(check->at[length]))
        length++;
    for (size_t i = 0; i < sizeof literals / sizeof literals[0]; i++)
        if (strlen(literals[i]) == length && memcmp(literals[i], check->at, length) == 0) {
            check->at += length;
            return ERR_OK;
        }
    if (length == 0)
        return fail(check, check->at, "a value is missing");
    return fail(check, check->at, "'%.*s' is not a JSON value",
                (int)(length < SHOWN_MAX ? length : SHOWN_MAX), check->at);
}

static int compare_bytes(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t shorter = a_length < b_length ? a_length : b_length;
    int order = memcmp(a, b, shorter);
    return order != 0 ? order : (a_length > b_length) - (a_length < b_length);
}

/* By the names they stand for: "a" and "\u0061" are one name. */
static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    char x_text[JSON_KEY_BYTES_MAX], y_text[JSON_KEY_BYTES_MAX];
    if (!memchr(x->text, '\\', x->length) && !memchr(y->text, '\\', y->length))
        return compare_bytes(x->text, x->length, y->text, y->length);
    size_t x_length = json_string_unescape(x->text, x->length, x_text);
    size_t y_length = json_string_unescape(y->text, y->length, y_text);
    return compare_bytes(x_text, x_length, y_text, y_length);
}

static void fail_repeated(struct check *check, const struct key *a, const struct key *b)
{
    char pointer[POINTER_BYTES];
    const struct key *later = a->text > b->text ? a : b;
    write_pointer(check, later, pointer);
    err_add(check->err, ERR_INVALID, ERR_AT_POINTER, pointer, 0,
            "is given more than once (byte offset %zu)", (size_t)(later->text - 1 - check->text));
    check->code = ERR_INVALID;
}

/* Few names are compared pair by pair, many are sorted first; either way the cost is bounded. */
static void check_repeated(struct check *check, struct key *keys, size_t count)
{
    if (count > FEW_KEYS) {
        qsort(keys, count, sizeof *keys, compare_keys);
        for (size_t i = 1; i < count; i++)
            if (compare_keys(&keys[i - 1], &keys[i]) == 0)
                fail_repeated(check, &keys[i - 1], &keys[i]);
        return;
    }
    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < i; k++)
            if (compare_keys(&keys[k], &keys[i]) == 0) {
                fail_repeated(check, &keys[k], &keys[i]);
                break;
            }
}

static enum err_code add_key(struct check *check, struct key key)
{
    if (check->n_keys == check->room_keys) {
        size_t room = check->room_keys == 0 ? FIRST_KEYS : 2 * check->room_keys;
        struct key *keys = realloc(check->keys, room * sizeof *keys);
        if (keys == NULL)
            return err_set(check->err, ERR_NO_MEMORY, "out of memory while reading JSON");
        check->keys = keys;
        check->room_keys = room;
    }
    check->keys[check->n_keys++] = key;
    return ERR_OK;
}

static enum err_code check_value(struct check *check);

/* "name": value, the step of which is at path[depth − 1]. */
static enum err_code check_member(struct check *check, size_t first_key)
{
    struct step *step = &check->path[check->depth - 1];
    struct key key = {NULL, 0};
    check->depth--; /* faults in the name belong to the object */
    skip_space(check);
    enum err_code code = ERR_OK;
    if (check->at == check->end)
        code = fail(check, check->end, "the text ends inside an object");
    else if (*check->at != '"')
        code = fail(check, check->at, "a name in double quotes is missing in an object");
    else
        code = check_string(check, &key);
    if (code == ERR_OK && key.length > JSON_KEY_BYTES_MAX)
        code = fail(check, key.text - 1, "a name is longer than %d bytes", JSON_KEY_BYTES_MAX);
    if (code == ERR_OK && check->n_keys - first_key >= JSON_KEYS_MAX)
        code = fail(check, key.text - 1, "an object has more than %d members", JSON_KEYS_MAX);
    if (code == ERR_OK)
        code = add_key(check, key);
    check->depth++;
    if (code != ERR_OK)
        return code;
    step->key = key;
    skip_space(check);
    if (!next_is(check, ':'))
        return fail(check, check->at, "a colon is missing after a name");
    check->at++;
    return check_value(check);
}

/* The object or array at check->at, which is its opening bracket. */
static enum err_code check_container(struct check *check)
{
    bool is_object = *check->at == '{';
    char close = is_object ? '}' : ']';
    const char *what = is_object ? "an object" : "an array";
    size_t first_key = check->n_keys;
    if (check->depth == JSON_DEPTH_MAX)
        return fail(check, check->at, "objects and arrays are nested more than %d deep",
                    JSON_DEPTH_MAX);
    struct step *step = &check->path[check->depth];
    *step = (struct step){.is_member = is_object};
    check->at++;
    skip_space(check);
    if (next_is(check, close)) {
        check->at++;
        return ERR_OK;
    }
    for (;; step->index++) {
        check->depth++;
        enum err_code code = is_object ? check_member(check, first_key) : check_value(check);
        check->depth--;
        if (code != ERR_OK)
            return code;
        skip_space(check);
        if (check->at == check->end)
            return fail(check, check->end, "the text ends inside %s", what);
        if (*check->at == close)
            break;
        if (*check->at != ',')
            return fail(check, check->at, "a comma or '%c' is missing in %s", close, what);
        check->at++;
    }
    check->at++;
    if (is_object)
        check_repeated(check, check->keys + first_key, check->n_keys - first_key);
    check->n_keys = first_key;
    return ERR_OK;
}

static enum err_code check_value(struct check *check)
{
    struct key ignored;
    skip_space(check);
    check->facts.n_values++;
    char first = '\0';
    if (check->at < check->end)
        first = *check->at;
    if (first == '{' || first == '[')
        return check_container(check);
    if (first == '"')
        return check_string(check, &ignored);
    if (first == '-' || (first >= '0' && first <= '9'))
        return check_number(check);
    return check_literal(check);
}

enum err_code json_check(const char *text, size_t length, const char *base,
                         struct json_facts *ret_facts, struct err *err)
{
    struct check check = {.text = text, .at = text, .end = text + length, .base = base, .err = err};
    enum err_code code;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        code = fail(&check, text, "JSON cannot start with a byte order mark");
        goto done;
    }
    skip_space(&check);
    if (check.at == check.end) {
        code = fail(&check, check.at, "the text is empty");
        goto done;
    }
    code = check_value(&check);
    if (code != ERR_OK)
        goto done;
    skip_space(&check);
    if (check.at != check.end)
        code = fail(&check, check.at, "there is text after the value");
    if (code == ERR_OK)
        code = check.code;
    if (code == ERR_OK)
        *ret_facts = check.facts;
done:
    free(check.keys);
    return code;
}
