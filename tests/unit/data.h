/* data: the folder of real runs and published tables named by MOEPLAN_DATA, for unit tests.
 *
 * data_open reads a plain CSV (no quotes; lines that start with # are comments) into memory, or
 * skips the test when the folder is not given. data_close frees it. A missing column or a cell
 * that is no number fails the test.
 */
#ifndef MOEPLAN_TESTS_DATA_H
#define MOEPLAN_TESTS_DATA_H

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum { DATA_COLUMNS_MAX = 32, DATA_ROWS_MAX = 1000 };

struct data {
    char *text; /* owns every cell */
    size_t n_columns, n_rows;
    const char *header[DATA_COLUMNS_MAX];
    const char *cell[DATA_ROWS_MAX][DATA_COLUMNS_MAX];
};

static inline char *data_read_file(const char *name)
{
    const char *folder = getenv("MOEPLAN_DATA");
    char path[1024];
    FILE *file;
    char *text;
    long length;

    if (!folder)
        skip();
    assert_true(snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path);
    file = fopen(path, "rb");
    if (!file)
        fail_msg("cannot open %s", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    length = ftell(file);
    rewind(file);
    text = malloc((size_t)length + 1);
    assert_non_null(text);
    assert_int_equal(fread(text, 1, (size_t)length, file), length);
    text[length] = '\0';
    fclose(file);
    return text;
}

static inline size_t data_split(char *line, const char **ret_cells)
{
    size_t count = 0;

    while (line) {
        assert_true(count < DATA_COLUMNS_MAX);
        ret_cells[count++] = strsep(&line, ",");
    }
    return count;
}

static inline struct data *data_open(const char *name)
{
    char *rest = data_read_file(name), *line; /* first: it may leave by skip() */
    struct data *data = calloc(1, sizeof *data);

    assert_non_null(data);
    data->text = rest;
    while ((line = strsep(&rest, "\n"))) {
        if (line[0] == '#' || line[0] == '\0')
            continue;
        if (data->n_columns == 0) {
            data->n_columns = data_split(line, data->header);
            continue;
        }
        assert_true(data->n_rows < DATA_ROWS_MAX);
        assert_int_equal(data_split(line, data->cell[data->n_rows]), data->n_columns);
        data->n_rows++;
    }
    assert_true(data->n_rows > 0);
    return data;
}

static inline void data_close(struct data *data)
{
    free(data->text);
    free(data);
}

static inline const char *data_text(const struct data *data, size_t row, const char *column)
{
    for (size_t i = 0; i < data->n_columns; i++)
        if (strcmp(data->header[i], column) == 0)
            return data->cell[row][i];
    fail_msg("no column %s", column);
    return NULL;
}

static inline double data_number(const struct data *data, size_t row, const char *column)
{
    const char *text = data_text(data, row, column);
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end)
        fail_msg("row %zu, %s: \"%s\" is no number", row, column, text);
    return value;
}

#endif
