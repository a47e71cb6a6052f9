/* disk: what a disk is sure to hold of each file, and what it may hold besides.
 *
 * Writes and truncations are changes until the file is synced; when the power goes, any part of
 * them may be there: each write whole, not at all, or torn at sectors, the torn sectors old, new
 * or, now and then, garbage. A file created and never synced may not exist. Bytes outside what was
 * written stay as they were (what SQLite calls powersafe overwrite). What a file held when it was
 * first met is taken to be durable.
 *
 * A test tool: out of memory it aborts.
 */
#ifndef MOEPLAN_TESTS_FAULT_DISK_H
#define MOEPLAN_TESTS_FAULT_DISK_H

#include <stdbool.h>
#include <stddef.h>

#include "core/rng.h"

struct image; /* of one file */

struct disk {
    struct image *images;
};

/* The image of a file, made when it is first met; NULL when it was not. */
struct image *disk_meet(struct disk *disk, const char *path);
struct image *disk_find(const struct disk *disk, const char *path);

void image_write(struct image *image, size_t offset, const void *bytes, size_t length);
void image_truncate(struct image *image, size_t size);

/* A new file under the name; it and its name are durable after its first sync. */
void image_create(struct image *image);

/* Makes the file's changes durable and, with the first sync of a new file, every name too. */
void disk_sync(struct disk *disk, struct image *image);

/* The name goes; durably when the directory is synced, else it may come back. */
void disk_delete(struct disk *disk, struct image *image, bool durably);

/* The power goes: the real files become what the disk holds. The disk is empty again. */
void disk_lose_power(struct disk *disk, struct rng *rng);

void disk_release(struct disk *disk);

#endif
