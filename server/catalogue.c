#include "server/catalogue.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/arena.h"
#include "server/csv.h"
#include "server/number.h"

struct catalogue {
    struct arena arena; /* holds the file's text, which the rows point into */
    size_t count;
    struct gpu *gpu;
};

enum column { NAME, BF16_FLOPS, MEMORY, BANDWIDTH, SOURCE, COLUMNS };

static const char *const column_names[COLUMNS] = {
    [NAME] = "name",           [BF16_FLOPS] = "bf16_flops", [MEMORY] = "memory",
    [BANDWIDTH] = "bandwidth", [SOURCE] = "source",
};

enum { ARENA_BYTES = 4 * CATALOGUE_FILE_BYTES_MAX, NAME_BYTES_MAX = 64 };

/* The whole file into the arena, with room for a terminator behind. */
static enum err_code read_text(const char *path, struct arena *arena, char **ret_text,
                               size_t *ret_length, struct err *err)
{
    FILE *file = fopen(path, "re");
    char *text = arena_alloc(arena, CATALOGUE_FILE_BYTES_MAX + 2);
    enum err_code code = ERR_OK;

    if (file == NULL)
        return err_set(err, ERR_INVALID, "%s: %s", path, strerror(errno));
    if (text == NULL)
        code = err_set(err, ERR_NO_MEMORY, "out of memory for %s", path);
    if (code == ERR_OK) {
        *ret_length = fread(text, 1, CATALOGUE_FILE_BYTES_MAX + 1, file);
        text[*ret_length] = '\0';
        *ret_text = text;
        if (ferror(file))
            code = err_set(err, ERR_INVALID, "%s: %s", path, strerror(errno));
        else if (*ret_length > CATALOGUE_FILE_BYTES_MAX)
            code =
                err_set(err, ERR_INVALID, "%s: more than %d bytes", path, CATALOGUE_FILE_BYTES_MAX);
    }
    fclose(file);
    return code;
}

/* Which cell of a row each column is. */
static enum err_code read_header(const struct csv_cell *cells, size_t count, size_t at[COLUMNS],
                                 struct err *err)
{
    for (size_t k = 0; k < COLUMNS; k++)
        at[k] = count;
    for (size_t i = 0; i < count; i++) {
        size_t k = 0;

        while (k < COLUMNS && strcmp(cells[i].text, column_names[k]) != 0)
            k++;
        if (k == COLUMNS)
            return err_set(err, ERR_INVALID, "header: there is no column '%.100s'", cells[i].text);
        if (at[k] != count)
            return err_set(err, ERR_INVALID, "header: column %s is repeated", column_names[k]);
        at[k] = i;
    }
    for (size_t k = 0; k < COLUMNS; k++)
        if (at[k] == count)
            return err_set(err, ERR_INVALID, "header: column %s is missing", column_names[k]);
    return ERR_OK;
}

/* Names go into URLs as they are. */
static bool is_name(const struct csv_cell *cell)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

    return cell->length > 0 && cell->length <= NAME_BYTES_MAX &&
           strspn(cell->text, allowed) == cell->length;
}

static enum err_code read_row(const struct csv_cell *cells, const size_t at[COLUMNS],
                              unsigned long long row, struct gpu *ret, struct err *err)
{
    double value[COLUMNS] = {0};

    for (size_t k = BF16_FLOPS; k <= BANDWIDTH; k++) {
        const struct csv_cell *cell = &cells[at[k]];

        if (!number_read(cell->text, cell->length, &value[k]) || !(value[k] > 0) || value[k] > 1e30)
            return err_set(err, ERR_INVALID,
                           "row %llu, column %s: '%.100s' is not a number above 0", row,
                           column_names[k], cell->text);
    }
    if (!is_name(&cells[at[NAME]]))
        return err_set(err, ERR_INVALID,
                       "row %llu, column name: '%.100s' is not 1 to %d of a-z, 0-9, '.', '_', '-'",
                       row, cells[at[NAME]].text, NAME_BYTES_MAX);
    if (cells[at[SOURCE]].length == 0)
        return err_set(err, ERR_INVALID, "row %llu, column source: is empty", row);
    *ret = (struct gpu){
        .id = cells[at[NAME]].text,
        .name = cells[at[NAME]].text,
        .peak_flops_per_s = value[BF16_FLOPS],
        .memory_bytes = value[MEMORY],
        .bandwidth_bytes_per_s = value[BANDWIDTH],
        .source = cells[at[SOURCE]].text,
    };
    return ERR_OK;
}

/* In the place of its name, which is called as it was, or behind; *at_row[i] is the file's row that
 * gave place i, 0 for none. */
static enum err_code put(struct catalogue *catalogue, const struct gpu *gpu, unsigned long long row,
                         unsigned long long *at_row, struct err *err)
{
    size_t i = 0;

    while (i < catalogue->count && strcmp(catalogue->gpu[i].id, gpu->id) != 0)
        i++;
    if (at_row[i] != 0)
        return err_set(err, ERR_INVALID, "row %llu, column name: '%s' stands in row %llu already",
                       row, gpu->id, at_row[i]);
    catalogue->gpu[i] = *gpu;
    if (i == catalogue->count) {
        catalogue->count++;
    } else {
        catalogue->gpu[i].name = gpu_at(i)->name;
        catalogue->gpu[i].alias = gpu_at(i)->alias;
    }
    at_row[i] = row;
    return ERR_OK;
}

static enum err_code read_rows(struct catalogue *catalogue, struct csv *csv, struct err *err)
{
    struct csv_cell cells[CSV_COLUMNS_MAX];
    unsigned long long *at_row =
        arena_calloc(&catalogue->arena, gpu_count() + CATALOGUE_FILE_ROWS_MAX + 1, sizeof *at_row);
    size_t at[COLUMNS], count, columns;
    bool end;
    enum err_code code;

    if (at_row == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    code = csv_next(csv, cells, &columns, &end, err);
    if (code == ERR_OK && end)
        return err_set(err, ERR_INVALID, "the file is empty");
    if (code == ERR_OK)
        code = read_header(cells, columns, at, err);
    while (code == ERR_OK) {
        struct gpu gpu;

        code = csv_next(csv, cells, &count, &end, err);
        if (code != ERR_OK || end)
            break;
        if (csv->row > CATALOGUE_FILE_ROWS_MAX)
            code = err_set(err, ERR_INVALID, "more than %d rows", CATALOGUE_FILE_ROWS_MAX);
        else if (count != columns)
            code = err_set(err, ERR_INVALID, "row %llu: %zu cells where the header has %zu",
                           (unsigned long long)csv->row, count, columns);
        if (code == ERR_OK)
            code = read_row(cells, at, csv->row, &gpu, err);
        if (code == ERR_OK)
            code = put(catalogue, &gpu, csv->row, at_row, err);
    }
    return code;
}

enum err_code catalogue_open(const char *path, struct catalogue **ret, struct err *err)
{
    struct catalogue *catalogue = NULL;
    struct csv csv;
    char *text = NULL;
    size_t length = 0;
    enum err_code code;

    if (path == NULL) {
        *ret = NULL;
        return ERR_OK;
    }
    catalogue = calloc(1, sizeof *catalogue);
    if (catalogue == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for accelerators");
    arena_init(&catalogue->arena, ARENA_BYTES);
    code = read_text(path, &catalogue->arena, &text, &length, err);
    if (code != ERR_OK)
        goto done;
    catalogue->gpu = arena_calloc(&catalogue->arena, gpu_count() + CATALOGUE_FILE_ROWS_MAX,
                                  sizeof *catalogue->gpu);
    if (catalogue->gpu == NULL) {
        code = err_set(err, ERR_NO_MEMORY, "out of memory for accelerators");
        goto done;
    }
    for (size_t i = 0; i < gpu_count(); i++)
        catalogue->gpu[catalogue->count++] = *gpu_at(i);
    csv_init(&csv, text, length);
    code = read_rows(catalogue, &csv, err);
    if (code != ERR_OK)
        err_prefix(err, "%s: ", path);
done:
    if (code != ERR_OK)
        catalogue_close(catalogue);
    else
        *ret = catalogue;
    return code;
}

void catalogue_close(struct catalogue *catalogue)
{
    if (catalogue == NULL)
        return;
    arena_release(&catalogue->arena);
    free(catalogue);
}

size_t catalogue_count(const struct catalogue *catalogue)
{
    return catalogue != NULL ? catalogue->count : gpu_count();
}

const struct gpu *catalogue_at(const struct catalogue *catalogue, size_t index)
{
    return catalogue != NULL ? &catalogue->gpu[index] : gpu_at(index);
}

const struct gpu *catalogue_find(const struct catalogue *catalogue, const char *name)
{
    /* A row of the file's own goes before what another is called by. */
    for (size_t i = 0; i < catalogue_count(catalogue); i++)
        if (strcasecmp(catalogue_at(catalogue, i)->id, name) == 0)
            return catalogue_at(catalogue, i);
    for (size_t i = 0; i < catalogue_count(catalogue); i++)
        if (gpu_is(catalogue_at(catalogue, i), name))
            return catalogue_at(catalogue, i);
    return NULL;
}
