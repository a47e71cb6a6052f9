/* json: strict JSON text to values. The only user of cJSON.
 *
 * Before cJSON sees a byte, the text is checked: RFC 8259 grammar, UTF-8, no BOM, no NUL escapes,
 * no lone surrogates, no raw control bytes, no leading zeros, depth <= JSON_DEPTH_MAX, no duplicate
 * keys, nothing after the value. Each fault names its JSON pointer where it has one. Values live
 * until json_release.
 */
#ifndef MOEPLAN_SERVER_JSON_H
#define MOEPLAN_SERVER_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

enum { JSON_DEPTH_MAX = 16, JSON_KEYS_MAX = 1000 };

struct json; /* a value */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };

/* Parses text[length]. The whole tree is freed by json_release(root). ERR_INVALID, ERR_NO_MEMORY.
 */
enum err_code json_parse(const char *text, size_t length, struct json **ret_root, struct err *err);
void json_release(struct json *root); /* NULL is fine */

enum json_kind json_kind(const struct json *value);
const char *json_kind_name(enum json_kind kind); /* "a number", "an object", … for messages */
const char *json_text(const struct json *value);
double json_number(const struct json *value); /* may be infinite: 1e400 */
bool json_bool(const struct json *value);

/* Children in order; for objects with their key. NULL after the last. */
const struct json *json_first(const struct json *value);
const struct json *json_next(const struct json *value);
const char *json_key(const struct json *value);
const struct json *json_member(const struct json *object, const char *key); /* NULL when absent */

/* Appends "/key" (escaped by RFC 6901) or "/index" to a pointer, in the arena. */
const char *json_pointer_key(struct arena *arena, const char *base, const char *key);
const char *json_pointer_index(struct arena *arena, const char *base, size_t index);

#endif
