#include "server/csv.h"

#include <math.h>
#include <string.h>

#include "server/number.h"
#include "server/utf8.h"

void csv_init(struct csv *csv, char *text, size_t length)
{
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        length -= 3;
    }
    *csv = (struct csv){
        .at = text,
        .end = text + length,
        .clean = memchr(text, '\0', length) == NULL && utf8_valid(text, length) == length,
    };
}

static enum err_code fail(const struct csv *csv, struct err *err, const char *detail)
{
    err_add(err, ERR_INVALID, ERR_AT_CELL, "", csv->row, "%s", detail);
    return ERR_INVALID;
}

/* The length of the line end at `at`: 1 for LF, 2 for CRLF, 0 when there is none. */
static size_t line_end(const char *at, const char *end)
{
    if (at < end && *at == '\n')
        return 1;
    return end - at >= 2 && at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

/* Reads the cell at csv->at, which is its opening quote, undoubling quotes in place. */
static enum err_code read_quoted(struct csv *csv, struct csv_cell *ret_cell, struct err *err)
{
    char *start = ++csv->at, *out = start;
    for (;;) {
        char *quote = memchr(csv->at, '"', (size_t)(csv->end - csv->at));
        if (quote == NULL)
            return fail(csv, err, "a quoted cell is not finished");
        memmove(out, csv->at, (size_t)(quote - csv->at));
        out += quote - csv->at;
        csv->at = quote + 1;
        if (csv->at == csv->end || *csv->at != '"')
            break;
        *out++ = '"';
        csv->at++;
    }
    if (csv->at < csv->end && *csv->at != ',' && line_end(csv->at, csv->end) == 0)
        return fail(csv, err, "there is text after a closing quote");
    *ret_cell = (struct csv_cell){start, (size_t)(out - start)};
    return ERR_OK;
}

static enum err_code read_plain(struct csv *csv, struct csv_cell *ret_cell, struct err *err)
{
    static const bool stops[256] = {[','] = true, ['\n'] = true, ['\r'] = true, ['"'] = true};
    char *start = csv->at;
    while (csv->at < csv->end && !stops[(unsigned char)*csv->at])
        csv->at++;
    if (csv->at < csv->end && *csv->at == '"')
        return fail(csv, err, "a quote stands in a cell that is not quoted");
    if (csv->at < csv->end && *csv->at == '\r' && line_end(csv->at, csv->end) == 0)
        return fail(csv, err, "a carriage return stands without a line feed");
    *ret_cell = (struct csv_cell){start, (size_t)(csv->at - start)};
    return ERR_OK;
}

/* Reads cells up to the end of the line and past it. Terminators are written last, over what
 * follows each cell, once everything that follows has been read. */
static enum err_code read_row(struct csv *csv, struct csv_cell *cells, size_t *ret_count,
                              struct err *err)
{
    size_t count = 0;
    for (;;) {
        if (count == CSV_COLUMNS_MAX)
            return err_add(err, ERR_INVALID, ERR_AT_CELL, "", csv->row,
                           "there are more than %d columns", CSV_COLUMNS_MAX);
        struct csv_cell *cell = &cells[count++];
        bool quoted = csv->at < csv->end && *csv->at == '"';
        enum err_code code = quoted ? read_quoted(csv, cell, err) : read_plain(csv, cell, err);
        if (code != ERR_OK)
            return code;
        if (!csv->clean && memchr(cell->text, '\0', cell->length) != NULL)
            return fail(csv, err, "there is a NUL in a cell");
        if (!csv->clean && utf8_valid(cell->text, cell->length) != cell->length)
            return fail(csv, err, "the text is not valid UTF-8");
        if (csv->at == csv->end || *csv->at != ',')
            break;
        csv->at++;
    }
    csv->at += line_end(csv->at, csv->end);
    for (size_t i = 0; i < count; i++)
        ((char *)cells[i].text)[cells[i].length] = '\0';
    *ret_count = count;
    return ERR_OK;
}

enum err_code csv_next(struct csv *csv, struct csv_cell *cells, size_t *ret_count, bool *ret_end,
                       struct err *err)
{
    size_t blank;
    while ((blank = line_end(csv->at, csv->end)) > 0)
        csv->at += blank;
    *ret_end = csv->at == csv->end;
    if (*ret_end) {
        *ret_count = 0;
        return ERR_OK;
    }
    csv->row += csv->started;
    csv->started = true;
    return read_row(csv, cells, ret_count, err);
}

static void write_quoted(struct out *out, const char *text)
{
    out_bytes(out, "\"", 1);
    for (;;) {
        size_t plain = strcspn(text, "\"");
        out_bytes(out, text, plain);
        if (text[plain] == '\0')
            break;
        out_bytes(out, "\"\"", 2);
        text += plain + 1;
    }
    out_bytes(out, "\"", 1);
}

/* Quotes where RFC 4180 asks for them; and around an empty first cell, which could be the whole of
 * a line that readers take for blank, and a first byte order mark, which they take away. */
void csv_write_text(struct out *out, bool first, const char *text)
{
    if (!first)
        out_bytes(out, ",", 1);
    bool special = text[strcspn(text, "\",\r\n")] != '\0';
    if (special || (first && (*text == '\0' || strncmp(text, "\xEF\xBB\xBF", 3) == 0)))
        write_quoted(out, text);
    else
        out_bytes(out, text, strlen(text));
}

void csv_write_number(struct out *out, bool first, double value)
{
    char text[NUMBER_BYTES];
    text[isfinite(value) ? number_write(value, text) : 0] = '\0';
    csv_write_text(out, first, text);
}

void csv_write_end(struct out *out)
{
    out_bytes(out, "\r\n", 2);
}
