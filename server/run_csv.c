#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/instant.h"
#include "server/run_fields.h"

static enum err_code column_read(const struct csv_cell *cell, struct run_columns *columns,
                                 struct arena *arena, struct err *err)
{
    size_t at = columns->count;
    const char *tag = NULL;

    columns->field[at] = field_find(experiment_fields, EXPERIMENT_FIELDS, cell->text, cell->length);
    if (strncmp(cell->text, "tag.", 4) == 0) {
        const char *fault = run_tag_fault(cell->length - 4, 1);
        if (fault != NULL)
            return err_add(err, ERR_INVALID, ERR_AT_CELL, cell->text, 0, "%s", fault);
        tag = arena_copy(arena, cell->text + 4, cell->length - 4);
        if (tag == NULL)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
    } else if (columns->field[at] == EXPERIMENT_FIELDS ||
               experiment_fields[columns->field[at]].kind == FIELD_CUSTOM) {
        return err_add(err, ERR_INVALID, ERR_AT_CELL, cell->length > 0 ? cell->text : "", 0,
                       "there is no such column (tags are columns tag.NAME)");
    }
    for (size_t i = 0; i < at; i++)
        if (tag == NULL ? columns->field[i] == columns->field[at]
                        : columns->tag[i] != NULL && strcmp(columns->tag[i], tag) == 0)
            return err_add(err, ERR_INVALID, ERR_AT_CELL, cell->text, 0, "the column is repeated");
    columns->tag[at] = tag;
    columns->count++;
    return ERR_OK;
}

enum err_code run_columns_read(const struct csv_cell *cells, size_t count,
                               struct run_columns *ret_columns, struct arena *arena,
                               struct err *err)
{
    enum err_code code = ERR_OK;
    uint64_t seen = 0;

    ret_columns->count = 0;
    for (size_t i = 0; i < count; i++) {
        enum err_code column = column_read(&cells[i], ret_columns, arena, err);
        code = column == ERR_OK ? code : column;
    }
    for (size_t i = 0; i < ret_columns->count; i++)
        if (ret_columns->tag[i] == NULL)
            seen |= UINT64_C(1) << ret_columns->field[i];
    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++)
        if (experiment_fields[i].required && !(seen >> i & 1))
            code = err_add(err, ERR_INVALID, ERR_AT_CELL, experiment_fields[i].name, 0,
                           "the column is required");
    return code;
}

/* Adds one tag cell to the list being gathered. */
static enum err_code cell_tag(const char *name, const struct csv_cell *cell, uint64_t row_number,
                              struct tag *tags, size_t *count, struct arena *arena, struct err *err)
{
    const char *fault =
        *count == TAGS_MAX ? "at most 64 tags a run" : run_tag_fault(strlen(name), cell->length);

    if (fault != NULL) {
        const char *column = arena_printf(arena, "tag.%s", name);
        return err_add(err, ERR_INVALID, ERR_AT_CELL, column != NULL ? column : "", row_number,
                       "%s", fault);
    }
    tags[*count].name = name;
    tags[*count].value = arena_copy(arena, cell->text, cell->length);
    if (tags[*count].value == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    ++*count;
    return ERR_OK;
}

enum err_code run_from_cells(const struct run_columns *columns, const struct csv_cell *cells,
                             size_t count, uint64_t row_number, struct run_row *row,
                             struct arena *arena, struct err *err)
{
    struct tag gathered[TAGS_MAX], *tags = NULL;
    size_t n_tags = 0;
    enum err_code code = ERR_OK;

    if (count != columns->count)
        return err_add(err, ERR_INVALID, ERR_AT_CELL, "", row_number,
                       "%zu cells where the header has %zu", count, columns->count);
    for (size_t i = 0; i < count; i++) {
        enum err_code cell = ERR_OK;

        if (columns->tag[i] != NULL) {
            if (cells[i].length > 0)
                cell =
                    cell_tag(columns->tag[i], &cells[i], row_number, gathered, &n_tags, arena, err);
        } else {
            const struct field *field = &experiment_fields[columns->field[i]];
            uint64_t bit = UINT64_C(1) << columns->field[i];

            if (cells[i].length > 0) {
                cell = field_from_cell(field, cells[i].text, cells[i].length, row_number, &row->run,
                                       arena, err);
                row->presence.given |= bit;
            } else {
                row->presence.nulls |= bit;
                if (field->required)
                    cell = err_add(err, ERR_INVALID, ERR_AT_CELL, field->name, row_number,
                                   "is required");
            }
        }
        code = cell == ERR_OK ? code : cell;
    }
    row->run.present = run_bits(row->presence.given);
    row->faulty = code != ERR_OK;
    if (n_tags > 0) {
        tags = arena_alloc(arena, n_tags * sizeof *tags);
        if (tags == NULL)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        memcpy(tags, gathered, n_tags * sizeof *tags);
        row->run.present |= EXPERIMENT_TAGS;
    }
    run_set_tags(&row->run, tags, n_tags);
    return code;
}

void run_write_header(struct out *out, uint64_t columns, const char *const *tags, size_t n_tags)
{
    bool first = true;

    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++)
        if ((columns >> i & 1) != 0 && experiment_fields[i].kind != FIELD_CUSTOM) {
            csv_write_text(out, first, experiment_fields[i].name);
            first = false;
        }
    for (size_t i = 0; i < n_tags; i++) {
        char name[TAG_NAME_MAX_BYTES + 8];
        snprintf(name, sizeof name, "tag.%s", tags[i]);
        csv_write_text(out, first, name);
        first = false;
    }
    csv_write_end(out);
}

static void write_cell(struct out *out, bool first, const struct experiment *run, size_t index)
{
    const struct field *field = &experiment_fields[index];
    const void *at = (const char *)run + field->offset;
    char time[INSTANT_BYTES];
    const char *text;

    switch (field->kind) {
    case FIELD_NUMBER:
    case FIELD_COUNT:
        csv_write_number(out, first, *(const double *)at);
        break;
    case FIELD_INTEGER:
        csv_write_number(out, first, run_has(run, index) ? (double)*(const int64_t *)at : NAN);
        break;
    case FIELD_BOOL:
        csv_write_text(out, first, *(const bool *)at ? "true" : "false");
        break;
    case FIELD_TIME:
        time[instant_write(*(const int64_t *)at, time)] = '\0';
        csv_write_text(out, first, time);
        break;
    default:
        text = *(const char *const *)at;
        csv_write_text(out, first, text != NULL ? text : "");
    }
}

void run_write_row(struct out *out, uint64_t columns, const char *const *tags, size_t n_tags,
                   const struct experiment *run)
{
    bool first = true;

    for (size_t i = 0; i < EXPERIMENT_FIELDS; i++)
        if ((columns >> i & 1) != 0 && experiment_fields[i].kind != FIELD_CUSTOM) {
            write_cell(out, first, run, i);
            first = false;
        }
    for (size_t i = 0; i < n_tags; i++) {
        const char *value = run_tag(run, tags[i]);
        csv_write_text(out, first, value != NULL ? value : "");
        first = false;
    }
    csv_write_end(out);
}
