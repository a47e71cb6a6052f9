#include "tests/unit/check.h"

#include <string.h>
#include <zlib.h>

#include "server/gzip.h"

enum { BODY_BYTES = 300000 };

struct memory {
    struct arena arena;
    char body[BODY_BYTES], back[BODY_BYTES + 1];
};

static int make(void **state)
{
    struct memory *memory = test_calloc(1, sizeof *memory);
    uint32_t seed = 1;

    arena_init(&memory->arena, 1 << 24);
    for (size_t i = 0; i < BODY_BYTES; i++) {
        seed = seed * 1664525 + 1013904223;
        memory->body[i] = "0123456789,.e-"[(seed >> 24) % 14];
    }
    *state = memory;
    return 0;
}

static int drop(void **state)
{
    struct memory *memory = *state;

    arena_release(&memory->arena);
    test_free(memory);
    return 0;
}

/* The text a gzip member holds, read with zlib's own inflate. */
static size_t expand(const char *zipped, size_t length, char *ret_text, size_t room)
{
    z_stream z = {.zalloc = Z_NULL};

    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)zipped;
    z.avail_in = (uInt)length;
    z.next_out = (unsigned char *)ret_text;
    z.avail_out = (uInt)room;
    assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
    assert_int_equal(z.avail_in, 0);
    inflateEnd(&z);
    return z.total_out;
}

static void bodies_of_all_sizes_come_back(void **state)
{
    static const size_t sizes[] = {100, 511, 512, 513, 1024, 4097, 32768, 32769, BODY_BYTES};
    struct memory *memory = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *zipped;
        size_t length;

        assert_true(gzip_body(memory->body, sizes[i], &memory->arena, &zipped, &length));
        assert_true(length < sizes[i]);
        assert_int_equal(expand(zipped, length, memory->back, sizeof memory->back), sizes[i]);
        assert_memory_equal(memory->body, memory->back, sizes[i]);
        arena_reset(&memory->arena);
    }
}

static void what_does_not_shrink_stays_as_it_is(void **state)
{
    struct memory *memory = *state;
    const char *zipped = NULL;
    size_t length = 0;
    char noise[200];
    uint32_t seed = 7;

    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)((seed = seed * 1664525 + 1013904223) >> 24);
    assert_false(gzip_body(noise, sizeof noise, &memory->arena, &zipped, &length));
    assert_false(gzip_body("", 0, &memory->arena, &zipped, &length));
    assert_null(zipped);
}

static void without_memory_it_stays_as_it_is(void **state)
{
    struct memory *memory = *state;
    struct arena none;
    const char *zipped;
    size_t length;

    arena_init(&none, 0);
    assert_false(gzip_body(memory->body, 5000, &none, &zipped, &length));
    arena_release(&none);
}

/* A stream of the body in uneven pieces, with pauses. */
struct source {
    const char *body;
    size_t at, length;
    int reads, fail_after;
    bool pauses; /* twice after each piece */
    bool closed;
};

static long source_read(struct call *call, void *ctx, char *buffer, size_t room)
{
    struct source *source = ctx;
    size_t piece = (size_t)(source->reads * 977 % 9000) + 1;

    (void)call;
    source->reads++;
    if (source->fail_after > 0 && source->reads > source->fail_after)
        return REPLY_STREAM_FAILED;
    if (source->pauses && source->reads % 3 != 1)
        return REPLY_STREAM_LATER;
    if (piece > source->length - source->at)
        piece = source->length - source->at;
    if (piece > room)
        piece = room;
    memcpy(buffer, source->body + source->at, piece);
    source->at += piece;
    return (long)piece;
}

static void source_close(void *ctx)
{
    ((struct source *)ctx)->closed = true;
}

/* Reads a stream to its end in pieces of room; the length, or −1 when it fails. */
static long read_all(struct reply_stream *stream, char *ret_text, size_t room, int *ret_pauses)
{
    long total = 0;

    *ret_pauses = 0;
    for (;;) {
        long length = stream->read(NULL, stream->ctx, ret_text + total, room);

        if (length == REPLY_STREAM_END)
            return total;
        if (length == REPLY_STREAM_FAILED)
            return -1;
        if (length == REPLY_STREAM_LATER)
            ++*ret_pauses;
        else
            total += length;
    }
}

static void a_stream_comes_back_whatever_the_room(void **state)
{
    static const size_t rooms[] = {1, 100, REPLY_STREAM_BYTES};
    struct memory *memory = *state;

    for (size_t i = 0; i < sizeof rooms / sizeof rooms[0]; i++) {
        struct source source = {.body = memory->body, .length = BODY_BYTES};
        struct reply_stream inner = {source_read, source_close, &source}, *stream;
        char *zipped = arena_alloc(&memory->arena, BODY_BYTES + REPLY_STREAM_BYTES);
        int pauses;
        long length;

        stream = gzip_stream(&inner, &memory->arena);
        assert_non_null(stream);
        length = read_all(stream, zipped, rooms[i], &pauses);
        assert_in_range(length, 1, BODY_BYTES);
        assert_int_equal(expand(zipped, (size_t)length, memory->back, sizeof memory->back),
                         BODY_BYTES);
        assert_memory_equal(memory->body, memory->back, BODY_BYTES);
        assert_false(source.closed);
        stream->close(stream->ctx);
        assert_true(source.closed);
        arena_reset(&memory->arena);
    }
}

static void what_has_been_read_does_not_wait_for_what_has_not(void **state)
{
    struct memory *memory = *state;
    struct source source = {.body = memory->body, .length = 3000, .pauses = true};
    struct reply_stream inner = {source_read, source_close, &source}, *stream;
    char *zipped = arena_alloc(&memory->arena, REPLY_STREAM_BYTES);
    z_stream z = {.zalloc = Z_NULL};
    long length, total = 0;

    stream = gzip_stream(&inner, &memory->arena);
    assert_non_null(stream);
    while ((length = stream->read(NULL, stream->ctx, zipped + total, 4096)) > 0)
        total += length;
    assert_int_equal(length, REPLY_STREAM_LATER);
    assert_in_range(source.at, 1, source.length - 1);
    assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
    z.next_in = (unsigned char *)zipped;
    z.avail_in = (uInt)total;
    z.next_out = (unsigned char *)memory->back;
    z.avail_out = sizeof memory->back;
    assert_int_equal(inflate(&z, Z_SYNC_FLUSH), Z_OK);
    assert_int_equal(z.total_out, source.at);
    inflateEnd(&z);
    stream->close(stream->ctx);
    arena_reset(&memory->arena);
}

static void a_failure_is_passed_on(void **state)
{
    struct memory *memory = *state;
    struct source source = {.body = memory->body, .length = BODY_BYTES, .fail_after = 5};
    struct reply_stream inner = {source_read, source_close, &source}, *stream;
    char *zipped = arena_alloc(&memory->arena, BODY_BYTES + REPLY_STREAM_BYTES);
    int pauses;

    stream = gzip_stream(&inner, &memory->arena);
    assert_non_null(stream);
    assert_int_equal(read_all(stream, zipped, REPLY_STREAM_BYTES, &pauses), -1);
    stream->close(stream->ctx);
    arena_reset(&memory->arena);
}

static void text_suits_and_pictures_do_not(void **state)
{
    (void)state;
    assert_true(gzip_suits("application/json"));
    assert_true(gzip_suits("text/csv; charset=utf-8"));
    assert_true(gzip_suits("application/problem+json"));
    assert_false(gzip_suits("image/png"));
    assert_false(gzip_suits("application/octet-stream"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_of_all_sizes_come_back),
        cmocka_unit_test(what_does_not_shrink_stays_as_it_is),
        cmocka_unit_test(without_memory_it_stays_as_it_is),
        cmocka_unit_test(a_stream_comes_back_whatever_the_room),
        cmocka_unit_test(what_has_been_read_does_not_wait_for_what_has_not),
        cmocka_unit_test(a_failure_is_passed_on),
        cmocka_unit_test(text_suits_and_pictures_do_not),
    };

    return cmocka_run_group_tests(tests, make, drop);
}
