#include "db/row.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

void row_map_make(const struct row_type *type, sqlite3_stmt *raw, struct row_map *ret_map)
{
    int n_results = sqlite3_column_count(raw);

    assert(type->count <= ROW_COLUMNS_MAX);
    for (size_t i = 0; i < type->count; i++) {
        const char *name = type->columns[i].name;

        ret_map->parameter[i] = 0;
        for (int k = sqlite3_bind_parameter_count(raw); k > 0; k--) {
            const char *parameter = sqlite3_bind_parameter_name(raw, k);

            if (parameter && strcmp(parameter + 1, name) == 0) /* past the colon */
                ret_map->parameter[i] = (short)k;
        }
        ret_map->result[i] = -1;
        for (int k = 0; k < n_results; k++) {
            const char *result = sqlite3_column_name(raw, k);

            if (result && strcmp(result, name) == 0)
                ret_map->result[i] = (short)k;
        }
    }
}

static unsigned present_of(const struct row_type *type, const void *value)
{
    unsigned present = ~0u;

    if (type->has_present)
        memcpy(&present, (const char *)value + type->present_offset, sizeof present);
    return present;
}

static int bind_column(const struct column *column, unsigned present, sqlite3_stmt *raw, int k,
                       const void *member)
{
    switch (column->kind) {
    case COLUMN_INTEGER:
        return sqlite3_bind_int64(raw, k, *(const int64_t *)member);
    case COLUMN_TIME:
        return *(const int64_t *)member == 0 ? sqlite3_bind_null(raw, k)
                                             : sqlite3_bind_int64(raw, k, *(const int64_t *)member);
    case COLUMN_OPTIONAL:
        return present & column->bit ? sqlite3_bind_int64(raw, k, *(const int64_t *)member)
                                     : sqlite3_bind_null(raw, k);
    case COLUMN_REAL:
        return sqlite3_bind_double(raw, k, *(const double *)member);
    case COLUMN_BOOL:
        return sqlite3_bind_int(raw, k, *(const bool *)member);
    case COLUMN_TEXT:
        return sqlite3_bind_text(raw, k, *(const char *const *)member, -1, SQLITE_STATIC);
    case COLUMN_CHOICE:
        return sqlite3_bind_text(raw, k, column->choice_name(*(const unsigned *)member), -1,
                                 SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

int row_bind(const struct row_type *type, const struct row_map *map, sqlite3_stmt *raw,
             const void *value)
{
    unsigned present = present_of(type, value);

    for (size_t i = 0; i < type->count; i++) {
        const struct column *column = &type->columns[i];
        int rc;

        if (map->parameter[i] == 0)
            continue;
        rc = bind_column(column, present, raw, map->parameter[i],
                         (const char *)value + column->offset);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

/* The text of the column, in arena when there is one; NULL when out of memory. */
static const char *read_text(sqlite3_stmt *raw, int k, struct arena *arena)
{
    const char *text = (const char *)sqlite3_column_text(raw, k);

    if (!text || !arena)
        return text;
    return arena_copy(arena, text, (size_t)sqlite3_column_bytes(raw, k));
}

/* The number of the choice with that name. An unknown one cannot come past the table's CHECK. */
static unsigned read_choice(const struct column *column, sqlite3_stmt *raw, int k)
{
    const char *text = (const char *)sqlite3_column_text(raw, k), *name;

    for (unsigned value = 0; text && (name = column->choice_name(value)); value++)
        if (strcmp(name, text) == 0)
            return value;
    return 0;
}

static bool read_column(const struct column *column, sqlite3_stmt *raw, int k, bool is_null,
                        struct arena *arena, void *member)
{
    const char *text;

    switch (column->kind) {
    case COLUMN_INTEGER:
    case COLUMN_TIME:
    case COLUMN_OPTIONAL:
        *(int64_t *)member = sqlite3_column_int64(raw, k);
        return true;
    case COLUMN_REAL:
        *(double *)member = is_null ? (double)NAN : sqlite3_column_double(raw, k);
        return true;
    case COLUMN_BOOL:
        *(bool *)member = sqlite3_column_int(raw, k) != 0;
        return true;
    case COLUMN_CHOICE:
        *(unsigned *)member = read_choice(column, raw, k);
        return true;
    case COLUMN_TEXT:
        text = is_null ? NULL : read_text(raw, k, arena);
        *(const char **)member = text;
        return is_null || text;
    }
    return false;
}

bool row_read(const struct row_type *type, const struct row_map *map, sqlite3_stmt *raw,
              struct arena *arena, void *ret_value)
{
    unsigned present = 0;

    for (size_t i = 0; i < type->count; i++) {
        const struct column *column = &type->columns[i];
        int k = map->result[i];
        bool is_null;

        if (k < 0)
            continue;
        is_null = sqlite3_column_type(raw, k) == SQLITE_NULL;
        if (!is_null)
            present |= column->bit;
        if (!read_column(column, raw, k, is_null, arena, (char *)ret_value + column->offset))
            return false;
    }
    if (type->has_present)
        memcpy((char *)ret_value + type->present_offset, &present, sizeof present);
    return true;
}

bool column_equal(const struct column *column, const void *a, const void *b)
{
    const void *left = (const char *)a + column->offset, *right = (const char *)b + column->offset;
    const char *texts[2];
    double numbers[2];

    switch (column->kind) {
    case COLUMN_INTEGER:
    case COLUMN_TIME:
    case COLUMN_OPTIONAL:
        return *(const int64_t *)left == *(const int64_t *)right;
    case COLUMN_REAL:
        numbers[0] = *(const double *)left;
        numbers[1] = *(const double *)right;
        return numbers[0] == numbers[1] || (isnan(numbers[0]) && isnan(numbers[1]));
    case COLUMN_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case COLUMN_CHOICE:
        return *(const unsigned *)left == *(const unsigned *)right;
    case COLUMN_TEXT:
        texts[0] = *(const char *const *)left;
        texts[1] = *(const char *const *)right;
        return texts[0] && texts[1] ? strcmp(texts[0], texts[1]) == 0 : texts[0] == texts[1];
    }
    return false;
}
