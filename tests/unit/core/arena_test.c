#include "core/arena.h"

#include <stdalign.h>
#include <string.h>

#include "core/rng.h"
#include "tests/unit/check.h"

static void memory_is_aligned_for_any_type_and_does_not_overlap(void **state)
{
    enum { PIECES = 2000 };
    static unsigned char *piece[PIECES];
    static size_t size[PIECES];
    struct rng rng = rng_stream(1, 0);
    struct arena arena;

    (void)state;
    arena_init(&arena, 64 << 20);
    for (size_t i = 0; i < PIECES; i++) {
        size[i] = i % 50 == 0 ? rng_below(&rng, 40000) : rng_below(&rng, 60);
        piece[i] = arena_alloc(&arena, size[i]);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % alignof(max_align_t), 0);
        memset(piece[i], (int)(i % 251), size[i]);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < size[i]; k++)
            assert_int_equal(piece[i][k], i % 251);
    arena_release(&arena);
}

static void empty_pieces_are_distinct(void **state)
{
    struct arena arena;
    void *first, *second;

    (void)state;
    arena_init(&arena, 1000);
    first = arena_alloc(&arena, 0);
    second = arena_alloc(&arena, 0);
    assert_non_null(first);
    assert_non_null(second);
    assert_ptr_not_equal(first, second);
    arena_release(&arena);
}

static void the_cap_holds_to_the_byte(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 100000);
    assert_non_null(arena_alloc(&arena, 100000));
    assert_null(arena_alloc(&arena, 1));
    arena_release(&arena);

    assert_null(arena_alloc(&arena, 100001));
    assert_int_equal(arena.used_bytes, 0); /* a refusal takes nothing */
    assert_non_null(arena_alloc(&arena, 100000));
    arena_release(&arena);
}

static void many_small_pieces_stay_under_the_cap(void **state)
{
    struct arena arena;
    size_t got = 0;

    (void)state;
    arena_init(&arena, 1 << 20);
    while (arena_alloc(&arena, 48)) {
        got += 48;
        assert_true(arena.used_bytes <= arena.cap_bytes);
    }
    assert_in_range(got, (1 << 20) - 4096, 1 << 20);
    arena_release(&arena);
}

static void sizes_near_the_end_of_the_address_space_are_refused(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, SIZE_MAX);
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 8));
    assert_null(arena_copy(&arena, "", SIZE_MAX));
    assert_null(arena_calloc(&arena, SIZE_MAX / 8 + 1, 8)); /* 0 when it wraps */
    assert_non_null(arena_alloc(&arena, 10));               /* and do no harm */
    arena_release(&arena);
}

static void calloc_clears_memory_that_was_used_before(void **state)
{
    struct arena arena;
    unsigned char *memory;

    (void)state;
    arena_init(&arena, 1 << 20);
    memset(arena_alloc(&arena, 5000), 0xAA, 5000);
    arena_reset(&arena);
    memory = arena_calloc(&arena, 50, 100);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(memory[i], 0);
    arena_release(&arena);
}

static void reset_frees_what_is_too_large_to_keep(void **state)
{
    struct arena arena;
    void *first;
    size_t first_bytes;

    (void)state;
    arena_init(&arena, 1 << 20);
    arena_reset(&arena); /* of an empty one */
    first = arena_alloc(&arena, 10);
    first_bytes = arena.used_bytes;
    assert_non_null(arena_alloc(&arena, 500000));
    assert_true(arena.used_bytes > first_bytes);
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, first_bytes);
    assert_ptr_equal(arena_alloc(&arena, 10), first);
    arena_release(&arena);
}

/* A request that took several blocks needs none on its next turn, unless it took very much. */
static void reset_keeps_the_largest_block_that_is_not_too_large(void **state)
{
    enum { PIECE = 1000, PIECES = 100, KEPT_MOST = 128 * 1024 };
    struct arena arena;
    size_t held;

    (void)state;
    arena_init(&arena, 1 << 24);
    for (int turn = 0; turn < 3; turn++) {
        for (int i = 0; i < PIECES; i++)
            memset(arena_alloc(&arena, PIECE), turn, PIECE);
        arena_reset(&arena);
    }
    held = arena.used_bytes;
    assert_in_range(held, PIECE * PIECES, KEPT_MOST);
    for (int i = 0; i < PIECES; i++)
        assert_non_null(arena_alloc(&arena, PIECE));
    assert_int_equal(arena.used_bytes, held);
    assert_non_null(arena_alloc(&arena, 2 * KEPT_MOST));
    arena_reset(&arena);
    assert_in_range(arena.used_bytes, 1, KEPT_MOST);
    arena_release(&arena);
}

static void a_large_arena_holds_little_that_it_has_not_handed_out(void **state)
{
    enum { PIECE = 50000000 };
    struct arena arena;

    (void)state;
    arena_init(&arena, SIZE_MAX);
    for (size_t i = 1; i <= 4; i++) {
        assert_non_null(arena_alloc(&arena, PIECE));
        assert_non_null(arena_alloc(&arena, 1));
        assert_true(arena.used_bytes <= i * (PIECE + (1 << 20)));
    }
    arena_release(&arena);
}

static void a_released_arena_is_empty_and_usable(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    arena_release(&arena); /* of an empty one */
    assert_non_null(arena_alloc(&arena, 1 << 16));
    arena_release(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_int_equal(arena.cap_bytes, 1 << 16);
    assert_non_null(arena_alloc(&arena, 1 << 16));
    arena_release(&arena);
}

static void copy_terminates_and_keeps_zeros(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_memory_equal(arena_copy(&arena, "a\0bc", 3), "a\0b", 4);
    assert_string_equal(arena_copy(&arena, NULL, 0), "");
    arena_release(&arena);
}

static void what_was_handed_out_last_grows_where_it_lies(void **state)
{
    struct arena arena;
    char *first, *last;

    (void)state;
    arena_init(&arena, 1 << 20);
    assert_false(arena_extend(&arena, "", 1, 2)); /* nothing was */
    first = arena_alloc(&arena, 100);
    last = arena_copy(&arena, "last", 4);
    assert_false(arena_extend(&arena, first, 100, 101));
    assert_false(arena_extend(&arena, last, 4, 6));
    assert_false(arena_extend(&arena, last, 5, 4));
    assert_true(arena_extend(&arena, last, 5, 1000));
    memset(last + 5, 'x', 995);
    assert_string_equal(last, "last");
    assert_true((char *)arena_alloc(&arena, 1) >= last + 1000);
    assert_false(arena_extend(&arena, last, 1000, 1001));
    arena_release(&arena);
}

static void what_grows_keeps_to_its_block(void **state)
{
    enum { PIECE = 1000 };
    struct arena arena;
    size_t size = PIECE;
    char *text;

    (void)state;
    arena_init(&arena, 1 << 20);
    text = arena_alloc(&arena, size);
    while (arena_extend(&arena, text, size, size + PIECE))
        size += PIECE;
    memset(text, 'x', size);
    assert_true(size > PIECE && size <= arena.used_bytes);
    assert_true(size + PIECE > arena.used_bytes); /* to its end */
    assert_false(arena_extend(&arena, text, size, SIZE_MAX));
    arena_release(&arena);
}

static void printf_formats_texts_of_any_length(void **state)
{
    struct arena arena;
    char *text;

    (void)state;
    arena_init(&arena, 1 << 16);
    assert_string_equal(arena_printf(&arena, "%s=%d", "x", -7), "x=-7");
    text = arena_printf(&arena, "%*d", 30000, 1);
    assert_int_equal(strlen(text), 30000);
    assert_null(arena_printf(&arena, "%*d", 70000, 1));
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_aligned_for_any_type_and_does_not_overlap),
        cmocka_unit_test(empty_pieces_are_distinct),
        cmocka_unit_test(the_cap_holds_to_the_byte),
        cmocka_unit_test(many_small_pieces_stay_under_the_cap),
        cmocka_unit_test(sizes_near_the_end_of_the_address_space_are_refused),
        cmocka_unit_test(calloc_clears_memory_that_was_used_before),
        cmocka_unit_test(reset_frees_what_is_too_large_to_keep),
        cmocka_unit_test(reset_keeps_the_largest_block_that_is_not_too_large),
        cmocka_unit_test(a_large_arena_holds_little_that_it_has_not_handed_out),
        cmocka_unit_test(a_released_arena_is_empty_and_usable),
        cmocka_unit_test(copy_terminates_and_keeps_zeros),
        cmocka_unit_test(what_was_handed_out_last_grows_where_it_lies),
        cmocka_unit_test(what_grows_keeps_to_its_block),
        cmocka_unit_test(printf_formats_texts_of_any_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
