#include "server/json_walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/json_check.h"
#include "server/json_string.h"

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory while reading JSON");
}

/* The value of the member of the object at `at`, in checked text; NULL when there is none. */
static const char *find_member(const char *at, const char *end, const char *member)
{
    char name[JSON_KEY_BYTES_MAX];
    size_t length = strlen(member);
    at = json_skip_space(at + 1, end);
    while (*at != '}') {
        const char *key = at + 1;
        at = json_skip_value(at, end);
        size_t name_length = json_string_unescape(key, (size_t)(at - 1 - key), name);
        at = json_skip_space(json_skip_space(at, end) + 1, end); /* past the colon */
        if (name_length == length && memcmp(name, member, length) == 0)
            return at;
        at = json_skip_space(json_skip_value(at, end), end);
        if (*at == ',')
            at = json_skip_space(at + 1, end);
    }
    return NULL;
}

/* The tree of checked text, if it is not too large. Only text long enough for that is counted: a
 * value takes two bytes at least. */
static enum err_code read_tree(const struct json_walk *walk, const char *text, size_t length,
                               struct json **ret_tree, struct err *err)
{
    struct json_facts facts = {0};
    if (length / 2 > JSON_VALUES_MAX) {
        enum err_code code = json_check(text, length, "", &facts, err);
        if (code != ERR_OK)
            return code;
    }
    if (facts.n_values > JSON_VALUES_MAX)
        return err_set(err, ERR_TOO_LARGE, "an element holds more than %d values", JSON_VALUES_MAX);
    struct json *tree = json_tree(text, length, walk->long_numbers);
    if (tree == NULL)
        return no_memory(err);
    *ret_tree = tree;
    return ERR_OK;
}

/* The object text[length] with nothing in the array list[…stop). */
static enum err_code read_head(struct json_walk *walk, const char *text, size_t length,
                               const char *list, const char *stop, struct err *err)
{
    size_t before = (size_t)(list + 1 - text), after = (size_t)(text + length - (stop - 1));
    char *copy = malloc(before + after);
    if (copy == NULL)
        return no_memory(err);
    memcpy(copy, text, before);
    memcpy(copy + before, stop - 1, after);
    enum err_code code = read_tree(walk, copy, before + after, &walk->head, err);
    free(copy);
    return code;
}

static enum err_code open_member(struct json_walk *walk, const char *text, size_t length,
                                 const char *list, struct err *err)
{
    if (*list != '[')
        return err_add(err, ERR_INVALID, ERR_AT_POINTER,
                       err->arena ? json_pointer_key(err->arena, "", walk->member) : "", 0,
                       "must be an array");
    const char *stop = json_skip_value(list, text + length);
    walk->form = JSON_WALK_MEMBER;
    walk->at = list + 1;
    walk->end = stop - 1;
    return read_head(walk, text, length, list, stop, err);
}

enum err_code json_walk_open(struct json_walk *walk, const char *text, size_t length,
                             const char *member, struct err *err)
{
    struct json_facts facts;
    enum err_code code = json_check(text, length, "", &facts, err);
    if (code != ERR_OK)
        return code;
    const char *end = text + length;
    const char *at = json_skip_space(text, end);
    const char *list = *at == '{' && member != NULL ? find_member(at, end, member) : NULL;
    struct json_walk opened = {.form = JSON_WALK_ONE,
                               .member = member,
                               .at = at,
                               .end = json_skip_value(at, end),
                               .long_numbers = facts.long_numbers};
    if (list != NULL) {
        code = open_member(&opened, text, length, list, err);
    } else if (*at == '[') {
        opened.form = JSON_WALK_ARRAY;
        opened.at++;
        opened.end--;
    }
    if (code == ERR_OK)
        *walk = opened;
    return code;
}

void json_walk_open_lines(struct json_walk *walk, const char *text, size_t length)
{
    *walk = (struct json_walk){.form = JSON_WALK_LINES, .at = text, .end = text + length};
}

/* Takes the next line that is not blank; false at the end. */
static bool next_line(struct json_walk *walk, const char **ret_text, size_t *ret_length)
{
    while (walk->at < walk->end) {
        const char *line = walk->at;
        const char *stop = memchr(line, '\n', (size_t)(walk->end - line));
        if (stop == NULL)
            stop = walk->end;
        walk->at = stop < walk->end ? stop + 1 : stop;
        walk->line++;
        if (json_skip_space(line, stop) < stop) {
            *ret_text = line;
            *ret_length = (size_t)(stop - line);
            return true;
        }
    }
    return false;
}

/* Takes the next element of checked text; false at the end. */
static bool next_element(struct json_walk *walk, const char **ret_text, size_t *ret_length)
{
    walk->at = json_skip_space(walk->at, walk->end);
    if (walk->at < walk->end && *walk->at == ',')
        walk->at = json_skip_space(walk->at + 1, walk->end);
    if (walk->at == walk->end)
        return false;
    *ret_text = walk->at;
    walk->at = json_skip_value(walk->at, walk->end);
    *ret_length = (size_t)(walk->at - *ret_text);
    return true;
}

static enum err_code check_line(struct json_walk *walk, const char *text, size_t length,
                                struct err *err)
{
    char base[32];
    struct json_facts facts = {0};
    snprintf(base, sizeof base, "/%zu", walk->line - 1);
    enum err_code code = json_check(text, length, base, &facts, err);
    walk->long_numbers = facts.long_numbers;
    return code;
}

enum err_code json_walk_next(struct json_walk *walk, struct json **ret_item, struct err *err)
{
    const char *text;
    size_t length;
    bool lines = walk->form == JSON_WALK_LINES;
    if (!(lines ? next_line(walk, &text, &length) : next_element(walk, &text, &length))) {
        *ret_item = NULL;
        return ERR_OK;
    }
    walk->index++;
    enum err_code code = lines ? check_line(walk, text, length, err) : ERR_OK;
    if (code != ERR_OK)
        return code;
    return read_tree(walk, text, length, ret_item, err);
}

const char *json_walk_pointer(const struct json_walk *walk, struct arena *arena)
{
    if (walk->form == JSON_WALK_ONE)
        return "";
    if (walk->form == JSON_WALK_LINES)
        return json_pointer_index(arena, "", walk->line - 1);
    const char *base = "";
    if (walk->form == JSON_WALK_MEMBER)
        base = json_pointer_key(arena, "", walk->member);
    return base != NULL ? json_pointer_index(arena, base, walk->index - 1) : NULL;
}

void json_walk_close(struct json_walk *walk)
{
    json_release(walk->head);
    walk->head = NULL;
}
