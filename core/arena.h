/* arena: a bump allocator with a cap, freed at once.
 *
 * Everything a request needs is taken from its arena and goes with it. It never returns memory
 * piece by piece, never locks (one arena belongs to one thread at a time) and never grows past the
 * cap: a client that asks for too much gets NULL, which callers turn into ERR_NO_MEMORY.
 */
#ifndef MOEPLAN_CORE_ARENA_H
#define MOEPLAN_CORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *first, *current;
    size_t used_bytes; /* held by all blocks, handed out or not */
    size_t cap_bytes;
};

/* Prepares an empty arena that will hold at most cap_bytes. Allocates nothing. */
void arena_init(struct arena *arena, size_t cap_bytes);

/* Frees every block. The arena is empty and usable again. */
void arena_release(struct arena *arena);

/* Forgets everything but keeps one block, so that the next request need not call malloc: the
 * largest of those up to 128 KiB, which holds what most requests of its like need. */
void arena_reset(struct arena *arena);

/* size bytes aligned for any type, not cleared; NULL past the cap or out of memory. */
void *arena_alloc(struct arena *arena, size_t size);

/* Makes the memory that was handed out last, of old_size bytes, size bytes long where it lies.
 * False, and nothing is changed, where something else was handed out since or its block has no
 * room. */
bool arena_extend(struct arena *arena, const void *memory, size_t old_size, size_t size);

/* count·size cleared bytes; NULL when the product overflows, past the cap or out of memory. */
void *arena_calloc(struct arena *arena, size_t count, size_t size);

/* A terminated copy of length bytes of text; NULL as above. */
char *arena_copy(struct arena *arena, const char *text, size_t length);

/* A formatted string; NULL as above. */
char *arena_printf(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
