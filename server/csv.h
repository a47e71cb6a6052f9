/* csv: RFC 4180 rows out of a buffer, one at a time, and cells back into text.
 *
 * UTF-8 with an optional BOM, LF or CRLF, quoted cells with doubled quotes. Cells are decoded in
 * place: the buffer is the reader's while it reads. A quote in an unquoted cell, text after a
 * closing quote, an unfinished quote, a lone CR outside quotes, a NUL or bad UTF-8 is an error
 * naming the row. What columns mean, and how many a row should have, is the caller's business.
 * What is written reads back to the same cells.
 */
#ifndef MOEPLAN_SERVER_CSV_H
#define MOEPLAN_SERVER_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"
#include "server/out.h"

enum { CSV_COLUMNS_MAX = 200 };

struct csv_cell {
    const char *text; /* terminated */
    size_t length;
};

struct csv {
    char *at, *end;
    uint64_t row; /* of the last row read; 0 is the header; blank lines do not count */
    bool started;
    bool clean; /* no NUL and no bad UTF-8 anywhere: cells need not be looked at one by one */
};

/* text[length] must be writable too: the last cell may need its terminator there. */
void csv_init(struct csv *csv, char *text, size_t length);

/* Reads a row into cells[CSV_COLUMNS_MAX]; *ret_count cells. *ret_end is true, with no cells, after
 * the last row; blank lines are skipped. ERR_INVALID ends the reading: where the next row starts is
 * not known then. */
enum err_code csv_next(struct csv *csv, struct csv_cell *cells, size_t *ret_count, bool *ret_end,
                       struct err *err);

/* Writes one cell, quoted where it must be. first: no comma before it. The text is UTF-8. */
void csv_write_text(struct out *out, bool first, const char *text);
void csv_write_number(struct out *out, bool first, double value); /* NAN: empty */
void csv_write_end(struct out *out);                              /* CR LF */

#endif
