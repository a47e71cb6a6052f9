#include "server/json.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "server/json_check.h"
#include "server/json_string.h"
#include "server/number.h"

/* struct json is cJSON's node under a name of ours. */
static const cJSON *node(const struct json *value)
{
    return (const cJSON *)(const void *)value;
}

static struct json *from_node(cJSON *value)
{
    return (struct json *)(void *)value;
}

/* A copy in which each number too long for cJSON is the same double in its shortest form, filled up
 * with spaces to the same length. NULL when out of memory. */
static char *shorten_numbers(const char *text, size_t length)
{
    char *copy = malloc(length);
    if (copy == NULL)
        return NULL;
    memcpy(copy, text, length);
    for (char *at = copy, *end = copy + length; at < end;) {
        if (*at == '"') {
            at += json_skip_value(at, end) - at;
            continue;
        }
        size_t number = 0;
        while (at + number < end && at[number] != '\0' && strchr("+-.0123456789eE", at[number]))
            number++;
        double value;
        if (number > JSON_CJSON_NUMBER_BYTES && number_read(at, number, &value)) {
            size_t written = 6;
            if (isfinite(value))
                written = number_write(value, at);
            else
                memcpy(at, value < 0 ? "-1e999" : " 1e999", written);
            memset(at + written, ' ', number - written);
        }
        at += number > 0 ? number : 1;
    }
    return copy;
}

struct json *json_tree(const char *text, size_t length, bool long_numbers)
{
    char *copy = NULL;
    if (long_numbers) {
        copy = shorten_numbers(text, length);
        if (copy == NULL)
            return NULL;
        text = copy;
    }
    const char *stop = NULL;
    cJSON *root = cJSON_ParseWithLengthOpts(text, length, &stop, false);
    assert(root == NULL || json_skip_space(stop, text + length) == text + length);
    free(copy);
    return from_node(root);
}

enum err_code json_parse(const char *text, size_t length, struct json **ret_root, struct err *err)
{
    struct json_facts facts;
    enum err_code code = json_check(text, length, "", &facts, err);
    if (code != ERR_OK)
        return code;
    if (facts.n_values > JSON_VALUES_MAX)
        return err_set(err, ERR_TOO_LARGE, "the JSON text holds more than %d values",
                       JSON_VALUES_MAX);
    struct json *root = json_tree(text, length, facts.long_numbers);
    if (root == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory while reading JSON");
    *ret_root = root;
    return ERR_OK;
}

void json_release(struct json *root)
{
    cJSON_Delete((cJSON *)(void *)root);
}

enum json_kind json_kind(const struct json *value)
{
    const cJSON *n = node(value);
    if (cJSON_IsNumber(n))
        return JSON_NUMBER;
    if (cJSON_IsString(n))
        return JSON_TEXT;
    if (cJSON_IsObject(n))
        return JSON_OBJECT;
    if (cJSON_IsArray(n))
        return JSON_ARRAY;
    return cJSON_IsBool(n) ? JSON_BOOL : JSON_NULL;
}

const char *json_kind_name(enum json_kind kind)
{
    static const char *const names[] = {
        [JSON_NULL] = "null",     [JSON_BOOL] = "a boolean", [JSON_NUMBER] = "a number",
        [JSON_TEXT] = "a string", [JSON_ARRAY] = "an array", [JSON_OBJECT] = "an object",
    };
    return names[kind];
}

const char *json_text(const struct json *value)
{
    assert(json_kind(value) == JSON_TEXT);
    return node(value)->valuestring;
}

double json_number(const struct json *value)
{
    assert(json_kind(value) == JSON_NUMBER);
    return node(value)->valuedouble;
}

bool json_bool(const struct json *value)
{
    assert(json_kind(value) == JSON_BOOL);
    return cJSON_IsTrue(node(value));
}

const struct json *json_first(const struct json *value)
{
    return from_node(node(value)->child);
}

const struct json *json_next(const struct json *value)
{
    return from_node(node(value)->next);
}

const char *json_key(const struct json *value)
{
    return node(value)->string;
}

const struct json *json_member(const struct json *object, const char *key)
{
    const struct json *member = json_first(object);
    while (member != NULL && strcmp(json_key(member), key) != 0)
        member = json_next(member);
    return member;
}

const char *json_pointer_key(struct arena *arena, const char *base, const char *key)
{
    size_t length = strlen(base), key_length = strlen(key);
    size_t room = length + 2 * key_length + 2;
    char *pointer = arena_alloc(arena, room);
    if (pointer == NULL)
        return NULL;
    memcpy(pointer, base, length);
    bool fits = json_pointer_append(pointer, room, &length, key, key_length);
    assert(fits);
    pointer[length] = '\0';
    return pointer;
}

const char *json_pointer_index(struct arena *arena, const char *base, size_t index)
{
    return arena_printf(arena, "%s/%zu", base, index);
}
