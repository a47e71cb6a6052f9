/* Any text: rows that are read, written, and read again are the same rows; what is refused is
 * refused at a row. */
#include <string.h>

#include "server/csv.h"
#include "tests/fuzz/fuzz.h"

const char fuzz_name[] = "csv";

enum { ARENA_BYTES = 64 << 20 };

/* Reads all rows of a copy with one byte more, writing each to out. */
static enum err_code rewrite(const char *text, size_t size, struct out *out, struct err *err)
{
    struct csv_cell cells[CSV_COLUMNS_MAX];
    struct csv csv;
    size_t count;
    bool end = false;
    enum err_code code;
    char *copy = malloc(size + 1);
    fuzz_require(copy != NULL);
    memcpy(copy, text, size);
    csv_init(&csv, copy, size);
    while ((code = csv_next(&csv, cells, &count, &end, err)) == ERR_OK && !end) {
        fuzz_require(count > 0 && count <= CSV_COLUMNS_MAX);
        for (size_t i = 0; i < count; i++) {
            fuzz_require(strlen(cells[i].text) == cells[i].length);
            csv_write_text(out, i == 0, cells[i].text);
        }
        csv_write_end(out);
    }
    free(copy);
    return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct out first, second;
    struct err err;
    const char *text = NULL, *again = NULL;
    size_t length, again_length;
    arena_init(&arena, ARENA_BYTES);
    err_init(&err, &arena);
    out_init(&first, &arena);
    out_init(&second, &arena);
    enum err_code code = rewrite((const char *)data, size, &first, &err);
    fuzz_require(code == ERR_OK || (code == ERR_INVALID && err.n_fields == 1));
    err_init(&err, &arena);
    fuzz_require(out_finish(&first, &text, &length, &err) == ERR_OK);
    fuzz_require(rewrite(text, length, &second, &err) == ERR_OK);
    fuzz_require(out_finish(&second, &again, &again_length, &err) == ERR_OK);
    fuzz_require(length == again_length && memcmp(text, again, length) == 0);
    arena_release(&arena);
    return 0;
}
