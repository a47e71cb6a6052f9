#include "core/arena.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bump allocator hides overruns from AddressSanitizer: what has not been handed out is marked. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

/* The first block serves most requests whole; each further one doubles, so that a large request
 * needs few, up to a size beyond which what is held and not handed out would be worth counting. */
enum {
    FIRST_BLOCK_BYTES = 16 * 1024,
    DOUBLED_BLOCK_BYTES = 1024 * 1024,
    KEPT_BLOCK_BYTES = 128 * 1024,
    ALIGNMENT = alignof(max_align_t)
};

struct arena_block {
    struct arena_block *next;
    size_t capacity, used; /* bytes of data */
    alignas(max_align_t) unsigned char data[];
};

void arena_init(struct arena *arena, size_t cap_bytes)
{
    *arena = (struct arena){.cap_bytes = cap_bytes};
}

static void free_block(struct arena_block *block)
{
    ASAN_UNPOISON_MEMORY_REGION(block->data, block->capacity);
    free(block);
}

static void free_blocks(struct arena_block *block)
{
    while (block) {
        struct arena_block *next = block->next;

        free_block(block);
        block = next;
    }
}

void arena_release(struct arena *arena)
{
    free_blocks(arena->first);
    arena_init(arena, arena->cap_bytes);
}

/* Blocks double, so the largest that may be kept is the last that may. */
void arena_reset(struct arena *arena)
{
    struct arena_block *kept = NULL, *block = arena->first;

    if (!block)
        return;
    while (block && (!kept || block->capacity <= KEPT_BLOCK_BYTES)) {
        struct arena_block *next = block->next;

        if (kept)
            free_block(kept);
        kept = block;
        block = next;
    }
    free_blocks(block);
    kept->next = NULL;
    kept->used = 0;
    ASAN_POISON_MEMORY_REGION(kept->data, kept->capacity);
    arena->first = arena->current = kept;
    arena->used_bytes = kept->capacity;
}

/* Hangs a block with room for at least size bytes behind the current one. */
static struct arena_block *add_block(struct arena *arena, size_t size)
{
    size_t left = arena->cap_bytes - arena->used_bytes;
    size_t capacity = arena->current ? 2 * arena->current->capacity : FIRST_BLOCK_BYTES;
    struct arena_block *block;

    if (size > left)
        return NULL;
    if (capacity > DOUBLED_BLOCK_BYTES)
        capacity = DOUBLED_BLOCK_BYTES;
    if (capacity > left)
        capacity = left;
    if (capacity < size)
        capacity = size;
    block = malloc(sizeof *block + capacity);
    if (!block)
        return NULL;
    *block = (struct arena_block){.capacity = capacity};
    ASAN_POISON_MEMORY_REGION(block->data, capacity);
    if (arena->current)
        arena->current->next = block;
    else
        arena->first = block;
    arena->current = block;
    arena->used_bytes += capacity;
    return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    struct arena_block *block = arena->current;
    size_t start = 0;

    if (size == 0)
        size = 1; /* distinct pointers for distinct objects, as malloc's callers expect */
    if (block)
        start = (block->used + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (!block || start > block->capacity || size > block->capacity - start) {
        if (size > SIZE_MAX - sizeof *block)
            return NULL;
        block = add_block(arena, size);
        if (!block)
            return NULL;
        start = 0;
    }
    block->used = start + size;
    ASAN_UNPOISON_MEMORY_REGION(block->data + start, size);
    return block->data + start;
}

bool arena_extend(struct arena *arena, const void *memory, size_t old_size, size_t size)
{
    struct arena_block *block = arena->current;
    size_t start;

    if (!block || old_size > block->used || memory != block->data + (block->used - old_size))
        return false;
    start = block->used - old_size;
    if (size < old_size || size > block->capacity - start)
        return false;
    block->used = start + size;
    ASAN_UNPOISON_MEMORY_REGION(block->data + start, size);
    return true;
}

void *arena_calloc(struct arena *arena, size_t count, size_t size)
{
    void *memory;

    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    memory = arena_alloc(arena, count * size);
    return memory ? memset(memory, 0, count * size) : NULL;
}

char *arena_copy(struct arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? arena_alloc(arena, length + 1) : NULL;

    if (!copy)
        return NULL;
    if (length > 0) /* text may be NULL then */
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}

char *arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    char *text = NULL;
    int length;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length >= 0)
        text = arena_alloc(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}
