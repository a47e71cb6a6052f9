/* json_walk: the elements of a long list one at a time, without a tree of the whole.
 *
 * A list is a top-level array, the array in one member ("items") of a top-level object, or text of
 * one value a line (NDJSON). A body that is a single value is a list of that one. Arrays are
 * checked whole when the walk is opened, lines one by one. Memory is one element's tree at a time.
 * The text must outlive the walk, which owns nothing but `head`. Errors are json_check's.
 */
#ifndef MOEPLAN_SERVER_JSON_WALK_H
#define MOEPLAN_SERVER_JSON_WALK_H

#include "server/json.h"

enum json_walk_form {
    JSON_WALK_ONE,    /* a single value; its pointer is "" */
    JSON_WALK_ARRAY,  /* pointers "/0", "/1", … */
    JSON_WALK_MEMBER, /* "/items/0", …; the object without the list is in `head` */
    JSON_WALK_LINES,  /* "/0", … by line, as if lines were an array; blank ones hold nothing */
};

struct json_walk {
    enum json_walk_form form;
    const char *member;
    struct json *head; /* JSON_WALK_MEMBER: the object, the list replaced by an empty one */
    const char *at, *end;
    size_t index; /* of the next element: how many came before */
    size_t line;  /* JSON_WALK_LINES: of the last element, 1 is the first */
    bool long_numbers;
};

/* A JSON text. member: the name of the object's list, NULL when objects are always single values.
 * ERR_INVALID also when that member is no array. */
enum err_code json_walk_open(struct json_walk *walk, const char *text, size_t length,
                             const char *member, struct err *err);

/* NDJSON. Never fails: its lines are checked as they come. */
void json_walk_open_lines(struct json_walk *walk, const char *text, size_t length);

/* The next element, released by the caller with json_release; *ret_item is NULL after the last.
 * After a faulty line (ERR_INVALID) the walk may go on with the next, to report its faults too. */
enum err_code json_walk_next(struct json_walk *walk, struct json **ret_item, struct err *err);

/* The JSON pointer of the element last returned, in the arena; NULL when that has run out. */
const char *json_walk_pointer(const struct json_walk *walk, struct arena *arena);

/* Releases head. The walk may have stopped anywhere. */
void json_walk_close(struct json_walk *walk);

#endif
