#include "server/field.h"

#include <string.h>

#include "server/field_value.h"
#include "server/query.h"

enum { NAME_BYTES_MAX = 64, DISTANCE_MAX = 2 };

static size_t faults(const struct err *err)
{
    return err->n_fields + err->n_dropped;
}

size_t field_find(const struct field *table, size_t rows, const char *name, size_t name_length)
{
    char first = name_length > 0 ? name[0] : '\0'; /* rules most rows out by itself */
    for (size_t i = 0; i < rows; i++)
        if (table[i].name[0] == first && strlen(table[i].name) == name_length &&
            memcmp(table[i].name, name, name_length) == 0)
            return i;
    return rows;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters to insert, drop, change, or swap with the next (optimal string alignment).
 * Both at most NAME_BYTES_MAX long. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][NAME_BYTES_MAX + 1]; /* for the prefixes of a one and two shorter, and this */
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t k = 0; k <= b_length; k++)
        above[k] = k;
    for (size_t i = 1; i <= a_length; i++) {
        row[0] = i;
        for (size_t k = 1; k <= b_length; k++) {
            size_t change = above[k - 1] + (a[i - 1] != b[k - 1]);
            row[k] = least(change, least(above[k], row[k - 1]) + 1);
            if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1])
                row[k] = least(row[k], before[k - 2] + 1);
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[b_length];
}

/* The name of the table nearest to an unknown one, NULL when none is near. */
static const char *near_name(const struct field *table, size_t rows, const char *name)
{
    const char *best = NULL;
    size_t length = strlen(name), best_distance = DISTANCE_MAX + 1;
    if (length > NAME_BYTES_MAX)
        return NULL;
    for (size_t i = 0; i < rows; i++) {
        size_t other = strlen(table[i].name);
        if (other > NAME_BYTES_MAX || other > length + DISTANCE_MAX ||
            length > other + DISTANCE_MAX)
            continue;
        size_t d = distance(name, length, table[i].name, other);
        if (d < best_distance && 2 * d < length) {
            best_distance = d;
            best = table[i].name;
        }
    }
    return best;
}

static enum err_code fault_unknown(const struct field *table, size_t rows, const char *name,
                                   const struct field_site *site)
{
    const char *near = near_name(table, rows, name);
    const char *what = site->place == ERR_AT_PARAMETER ? "parameter" : "field";
    if (near != NULL)
        return field_fault(site, "there is no such %s; did you mean '%s'?", what, near);
    return field_fault(site, "there is no such %s", what);
}

/* Everything a decoder passes along. */
struct decoder {
    const struct field *table;
    size_t rows;
    void *target;
    struct field_presence presence;
    struct arena *arena;
    struct err *err;
};

static void *target_of(const struct decoder *decoder, size_t row)
{
    return (char *)decoder->target + decoder->table[row].offset;
}

/* The parameters of one query string so far. */
struct seen {
    size_t count;                             /* of all */
    size_t n_others;                          /* of those whose name the table does not have */
    const char *others[FIELD_PARAMETERS_MAX]; /* their names */
};

/* Whether a parameter of that name and row was there before; remembers it. */
static bool seen_before(struct seen *seen, struct decoder *decoder, size_t row, const char *name)
{
    if (row < decoder->rows) {
        uint64_t bit = UINT64_C(1) << row;
        if (decoder->presence.given & bit)
            return true;
        decoder->presence.given |= bit;
    } else {
        for (size_t i = 0; i < seen->n_others; i++)
            if (strcmp(seen->others[i], name) == 0)
                return true;
        seen->others[seen->n_others++] = name;
    }
    seen->count++;
    return false;
}

static enum err_code put_pair(struct decoder *decoder, const struct query_pair *pair,
                              struct seen *seen, field_other_query *other, void *ctx)
{
    struct field_site site = {ERR_AT_PARAMETER, pair->name, 0, decoder->arena, decoder->err};
    size_t row = field_find(decoder->table, decoder->rows, pair->name, pair->name_length);
    if (pair->fault != NULL)
        return field_fault(&site, "%s", pair->fault);
    if (seen_before(seen, decoder, row, pair->name))
        return field_fault(&site, "is given more than once");
    if (row < decoder->rows) {
        if (pair->value_length == 0)
            return field_fault(&site, "has no value");
        return field_put_text(&decoder->table[row], pair->value, pair->value_length, true,
                              target_of(decoder, row), &site);
    }
    size_t before = faults(decoder->err);
    if (other == NULL ||
        !other(ctx, pair->name, pair->value != NULL ? pair->value : "", decoder->err))
        return fault_unknown(decoder->table, decoder->rows, pair->name, &site);
    if (decoder->err->code == ERR_NO_MEMORY)
        return ERR_NO_MEMORY;
    if (faults(decoder->err) > before)
        return ERR_INVALID;
    return pair->value_length == 0 ? field_fault(&site, "has no value") : ERR_OK;
}

/* Faults for the required rows that were not given. base NULL: parameters. */
static enum err_code require(const struct decoder *decoder, const char *base)
{
    uint64_t missing = 0;
    for (size_t i = 0; i < decoder->rows; i++)
        missing |= (uint64_t)decoder->table[i].required << i;
    missing &= ~decoder->presence.given;
    enum err_code code = ERR_OK;
    for (size_t i = 0; missing != 0; missing >>= 1, i++) {
        if (!(missing & 1))
            continue;
        struct field_site site = {ERR_AT_PARAMETER, decoder->table[i].name, 0, decoder->arena,
                                  decoder->err};
        if (base != NULL) {
            site.place = ERR_AT_POINTER;
            site.name = json_pointer_key(decoder->arena, base, decoder->table[i].name);
            if (site.name == NULL)
                return field_no_memory(&site);
        }
        code = field_fault(&site, "is required");
    }
    return code;
}

enum err_code field_from_query(const struct field *table, size_t rows, const char *query,
                               field_other_query *other, void *ctx, void *target,
                               struct field_presence *ret_presence, struct arena *arena,
                               struct err *err)
{
    struct decoder decoder = {table, rows, target, {0, 0}, arena, err};
    struct query pairs;
    struct query_pair pair;
    struct seen seen;
    enum err_code code = ERR_OK;
    if (!query_begin(query, arena, &pairs))
        return err_set(err, ERR_NO_MEMORY, "the query string needs more memory than allowed");
    seen.count = seen.n_others = 0; /* the names need not be cleared */
    while (query_next(&pairs, &pair)) {
        struct field_site site = {ERR_AT_PARAMETER, pair.name, 0, arena, err};
        if (seen.count == FIELD_PARAMETERS_MAX)
            return field_fault(&site, "is one of more than %d parameters", FIELD_PARAMETERS_MAX);
        enum err_code one = put_pair(&decoder, &pair, &seen, other, ctx);
        if (one == ERR_NO_MEMORY)
            return one;
        code = one != ERR_OK ? one : code;
    }
    enum err_code missing = require(&decoder, NULL);
    code = missing != ERR_OK ? missing : code;
    if (code == ERR_OK)
        *ret_presence = decoder.presence;
    return code;
}

static enum err_code put_member(struct decoder *decoder, const struct json *value, const char *base,
                                field_other_json *other, void *ctx)
{
    const char *key = json_key(value);
    struct field_site site = {ERR_AT_POINTER, json_pointer_key(decoder->arena, base, key), 0,
                              decoder->arena, decoder->err};
    size_t row = field_find(decoder->table, decoder->rows, key, strlen(key));
    if (site.name == NULL)
        return field_no_memory(&site);
    if (row < decoder->rows) {
        uint64_t bit = UINT64_C(1) << row;
        if (json_kind(value) == JSON_NULL) {
            decoder->presence.nulls |= bit;
            return ERR_OK;
        }
        decoder->presence.given |= bit;
        return field_put_json(&decoder->table[row], value, target_of(decoder, row), &site);
    }
    size_t before = faults(decoder->err);
    if (other == NULL || !other(ctx, key, value, site.name, decoder->err))
        return fault_unknown(decoder->table, decoder->rows, key, &site);
    if (decoder->err->code == ERR_NO_MEMORY)
        return ERR_NO_MEMORY;
    return faults(decoder->err) > before ? ERR_INVALID : ERR_OK;
}

static enum err_code from_json(struct decoder *decoder, const struct json *object, const char *base,
                               field_other_json *other, void *ctx)
{
    enum err_code code = ERR_OK;
    if (json_kind(object) != JSON_OBJECT) {
        struct field_site site = {ERR_AT_POINTER, base, 0, decoder->arena, decoder->err};
        return field_fault(&site, "must be an object, not %s", json_kind_name(json_kind(object)));
    }
    for (const struct json *value = json_first(object); value != NULL; value = json_next(value)) {
        enum err_code one = put_member(decoder, value, base, other, ctx);
        if (one == ERR_NO_MEMORY)
            return one;
        code = one != ERR_OK ? one : code;
    }
    return code;
}

enum err_code field_from_json(const struct field *table, size_t rows, const struct json *object,
                              const char *base, field_other_json *other, void *ctx, void *target,
                              struct field_presence *ret_presence, struct arena *arena,
                              struct err *err)
{
    struct decoder decoder = {table, rows, target, {0, 0}, arena, err};
    enum err_code code = from_json(&decoder, object, base, other, ctx);
    if (code != ERR_NO_MEMORY && json_kind(object) == JSON_OBJECT) {
        enum err_code missing = require(&decoder, base);
        code = missing != ERR_OK ? missing : code;
    }
    if (code == ERR_OK)
        *ret_presence = decoder.presence;
    return code;
}

enum err_code field_from_patch(const struct field *table, size_t rows, const struct json *object,
                               void *target, struct field_presence *ret_presence,
                               struct arena *arena, struct err *err)
{
    struct decoder decoder = {table, rows, target, {0, 0}, arena, err};
    enum err_code code = from_json(&decoder, object, "", NULL, NULL);
    if (code == ERR_OK)
        *ret_presence = decoder.presence;
    return code;
}

enum err_code field_from_cell(const struct field *field, const char *cell, size_t length,
                              uint64_t row, void *target, struct arena *arena, struct err *err)
{
    struct field_site site = {ERR_AT_CELL, field->name, row, arena, err};
    if (length == 0)
        return ERR_OK;
    return field_put_text(field, cell, length, false, (char *)target + field->offset, &site);
}
