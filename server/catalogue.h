/* catalogue: the accelerators a deployment plans for: those of core/gpu.h, extended by a file.
 *
 * The file is CSV with the columns name, bf16_flops (dense, FLOPs a second), memory (bytes),
 * bandwidth (bytes a second) and source, in any order. A row with a known name takes its place, any
 * other comes behind. Read once at the start; immutable afterwards, for any thread. A NULL
 * catalogue is the built-in one.
 */
#ifndef MOEPLAN_SERVER_CATALOGUE_H
#define MOEPLAN_SERVER_CATALOGUE_H

#include <stddef.h>

#include "core/err.h"
#include "core/gpu.h"

struct catalogue;

enum { CATALOGUE_FILE_ROWS_MAX = 1000, CATALOGUE_FILE_BYTES_MAX = 1 << 20 };

/* path NULL: *ret is NULL. ERR_INVALID names the file, and the row and column at fault;
 * ERR_NO_MEMORY. */
enum err_code catalogue_open(const char *path, struct catalogue **ret, struct err *err);
void catalogue_close(struct catalogue *catalogue);

size_t catalogue_count(const struct catalogue *catalogue);
const struct gpu *catalogue_at(const struct catalogue *catalogue, size_t index);

/* By id, name or alias, in any case; NULL when unknown. */
const struct gpu *catalogue_find(const struct catalogue *catalogue, const char *name);

#endif
