#include "tests/fault/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECTOR_BYTES = 512, PATH_BYTES = 512 };

/* A write or a truncation that no sync has made durable. */
struct change {
    struct change *next;
    bool truncate;
    size_t offset; /* or the new size */
    size_t length;
    unsigned char bytes[];
};

struct image {
    struct image *next;
    char path[PATH_BYTES];
    bool exists;  /* durably, with `bytes` in it */
    bool deleted; /* but the directory has not been synced since: may come back */
    bool fresh;   /* created and never synced: may not be there, or be what was deleted before it */
    unsigned char *bytes;
    size_t length, room;
    struct change *first, **last;
};

/* Out of memory in a test tool: nothing sensible can follow. */
static void *must(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void resize(struct image *image, size_t length)
{
    if (length > image->room) {
        image->room = 2 * length;
        image->bytes = must(realloc(image->bytes, image->room));
    }
    if (length > image->length)
        memset(image->bytes + image->length, 0, length - image->length);
    image->length = length;
}

static void forget_changes(struct image *image)
{
    while (image->first) {
        struct change *next = image->first->next;

        free(image->first);
        image->first = next;
    }
    image->last = &image->first;
}

static void add_change(struct image *image, bool truncate, size_t offset, const void *bytes,
                       size_t length)
{
    struct change *change = must(malloc(sizeof *change + length));

    *change = (struct change){.truncate = truncate, .offset = offset, .length = length};
    if (length > 0)
        memcpy(change->bytes, bytes, length);
    *image->last = change;
    image->last = &change->next;
}

static void apply(struct image *image, const struct change *change, size_t from, size_t to)
{
    size_t end = change->offset + to;

    if (change->truncate) {
        if (change->offset < image->length)
            resize(image, change->offset);
        return;
    }
    if (end > image->length)
        resize(image, end);
    memcpy(image->bytes + change->offset + from, change->bytes + from, to - from);
}

/* The system's VFS syncs the directory with the first sync of a file it created, which makes
 * durable all that happened to names before. */
static void sync_directory(struct disk *disk)
{
    for (struct image *image = disk->images; image; image = image->next) {
        if (image->deleted || image->fresh)
            image->length = 0;
        if (image->deleted)
            image->exists = false;
        if (image->fresh)
            image->exists = true;
        image->deleted = image->fresh = false;
    }
}

void disk_sync(struct disk *disk, struct image *image)
{
    if (image->fresh)
        sync_directory(disk);
    for (const struct change *change = image->first; change; change = change->next)
        apply(image, change, 0, change->length);
    forget_changes(image);
}

/* Sector by sector old or new; one in sixteen of the new ones garbage. */
static void apply_torn(struct image *image, struct change *change, struct rng *rng)
{
    size_t to;

    for (size_t from = 0; from < change->length; from = to) {
        size_t into_sector = (change->offset + from) % SECTOR_BYTES;

        to = from + SECTOR_BYTES - into_sector;
        if (to > change->length)
            to = change->length;
        if (rng_below(rng, 2))
            continue;
        if (rng_below(rng, 16) == 0)
            for (size_t i = from; i < to; i++)
                change->bytes[i] = (unsigned char)rng_below(rng, 256);
        apply(image, change, from, to);
    }
}

static void lose_changes(struct image *image, struct rng *rng)
{
    uint64_t mood = rng_below(rng, 4); /* all kept, all lost, or each by chance */

    for (struct change *change = image->first; change; change = change->next) {
        uint64_t fate = mood == 0 ? 0 : mood == 1 ? 1 : rng_below(rng, 3);

        if (fate == 0 || (change->truncate && fate == 2))
            apply(image, change, 0, change->length);
        else if (fate == 2)
            apply_torn(image, change, rng);
    }
}

static void lose_power(struct image *image, struct rng *rng)
{
    if (image->deleted && rng_below(rng, 2))
        image->exists = false;
    if (image->fresh && rng_below(rng, 2)) {
        forget_changes(image);
    } else if (image->fresh) {
        image->exists = true;
        image->length = 0;
    }
    lose_changes(image, rng);
    forget_changes(image);
}

struct image *disk_find(const struct disk *disk, const char *path)
{
    for (struct image *image = disk->images; image; image = image->next)
        if (strcmp(image->path, path) == 0)
            return image;
    return NULL;
}

static void load(struct image *image)
{
    FILE *stream = fopen(image->path, "rb");
    unsigned char buffer[4096];
    size_t length;

    image->exists = stream != NULL;
    while (stream && (length = fread(buffer, 1, sizeof buffer, stream)) > 0) {
        size_t at = image->length;

        resize(image, at + length);
        memcpy(image->bytes + at, buffer, length);
    }
    if (stream)
        fclose(stream);
}

struct image *disk_meet(struct disk *disk, const char *path)
{
    struct image *image = disk_find(disk, path);

    if (image)
        return image;
    image = must(calloc(1, sizeof *image));
    snprintf(image->path, sizeof image->path, "%s", path);
    image->last = &image->first;
    load(image);
    image->next = disk->images;
    disk->images = image;
    return image;
}

void image_write(struct image *image, size_t offset, const void *bytes, size_t length)
{
    add_change(image, false, offset, bytes, length);
}

void image_truncate(struct image *image, size_t size)
{
    add_change(image, true, size, NULL, 0);
}

void image_create(struct image *image)
{
    forget_changes(image);
    image->fresh = true;
}

void disk_delete(struct disk *disk, struct image *image, bool durably)
{
    forget_changes(image);
    image->fresh = false;
    image->deleted = true;
    if (durably)
        sync_directory(disk);
}

static void store_image(const struct image *image)
{
    FILE *stream;

    if (!image->exists) {
        unlink(image->path);
        return;
    }
    stream = must(fopen(image->path, "wb"));
    if (image->length > 0 && fwrite(image->bytes, 1, image->length, stream) != image->length)
        abort();
    fclose(stream);
}

void disk_release(struct disk *disk)
{
    while (disk->images) {
        struct image *next = disk->images->next;

        forget_changes(disk->images);
        free(disk->images->bytes);
        free(disk->images);
        disk->images = next;
    }
}

void disk_lose_power(struct disk *disk, struct rng *rng)
{
    for (struct image *image = disk->images; image; image = image->next) {
        char shared_memory[PATH_BYTES + 4];

        lose_power(image, rng);
        store_image(image);
        snprintf(shared_memory, sizeof shared_memory, "%s-shm", image->path);
        unlink(shared_memory); /* it was memory */
    }
    disk_release(disk);
}
