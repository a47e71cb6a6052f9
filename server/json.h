/* json: strict JSON text to values. The only user of cJSON.
 *
 * Before cJSON sees a byte, the text is checked (json_check.h). Each fault names its JSON pointer
 * where it has one. Values live until json_release, in memory of their own, not the arena's: about
 * 100 bytes a value, which is why a tree has at most JSON_VALUES_MAX of them and long lists are
 * walked (json_walk.h). Thread rule: values are immutable; release from one thread.
 */
#ifndef MOEPLAN_SERVER_JSON_H
#define MOEPLAN_SERVER_JSON_H

#include <stdbool.h>
#include <stddef.h>

#include "core/err.h"

enum {
    JSON_DEPTH_MAX = 16,       /* objects and arrays inside each other */
    JSON_KEYS_MAX = 1000,      /* members of one object */
    JSON_KEY_BYTES_MAX = 1000, /* of a member's name as it is written */
    JSON_VALUES_MAX = 200000,  /* values in one tree */
};

struct json; /* a value */

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT };

/* Parses text[length]. The whole tree is freed by json_release(root). ERR_INVALID, ERR_TOO_LARGE
 * past JSON_VALUES_MAX, ERR_NO_MEMORY. */
enum err_code json_parse(const char *text, size_t length, struct json **ret_root, struct err *err);
void json_release(struct json *root); /* NULL is fine */

/* The tree of text that json_check has passed; NULL when out of memory. */
struct json *json_tree(const char *text, size_t length, bool long_numbers);

enum json_kind json_kind(const struct json *value);
const char *json_kind_name(enum json_kind kind); /* "a number", "an object", … for messages */
const char *json_text(const struct json *value); /* of a text; UTF-8 without NUL */
double json_number(const struct json *value);    /* of a number; may be infinite: 1e400 */
bool json_bool(const struct json *value);        /* of a bool */

/* Children in order; for objects with their key. NULL after the last. */
const struct json *json_first(const struct json *value);
const struct json *json_next(const struct json *value);
const char *json_key(const struct json *value);
const struct json *json_member(const struct json *object, const char *key); /* NULL when absent */

/* Appends "/key" (escaped by RFC 6901) or "/index" to a pointer, in the arena; NULL when that has
 * run out. */
const char *json_pointer_key(struct arena *arena, const char *base, const char *key);
const char *json_pointer_index(struct arena *arena, const char *base, size_t index);

#endif
