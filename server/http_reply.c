#include <string.h>

#include "server/http_loop.h"
#include "server/route.h"

/* Reads the next piece of a stream on the route's lane. */
static void read_piece(struct job *job, struct store *store)
{
    struct exchange *exchange =
        (struct exchange *)((char *)job - offsetof(struct exchange, piece_job));
    struct call *call = &exchange->call;
    struct reply_stream *stream = call->reply.stream;
    long length = REPLY_STREAM_FAILED;

    if (store != NULL) {
        call->store = store;
        length = stream->read(call, stream->ctx, exchange->piece, REPLY_STREAM_BYTES);
        call->store = NULL;
    }
    exchange->piece_later = length == REPLY_STREAM_LATER;
    exchange->piece_length = exchange->piece_later ? 0 : length;
    exchange->piece_sent = 0;
    exchange_ready(call);
}

static void wait_for_piece(struct exchange *exchange)
{
    struct loop *loop = exchange->loop;

    if (exchange->piece_later) {
        /* reply_resume_later will be the second of the two. */
        exchange->piece_later = false;
        atomic_store(&exchange->awaited, 2);
        exchange->next = loop->later;
        loop->later = exchange;
        exchange_suspend(exchange);
        return;
    }
    exchange->piece_job.run = read_piece;
    atomic_store(&exchange->awaited, 2);
    jobs_post(loop->app->jobs, exchange->call.route->lane, &exchange->piece_job);
    exchange_suspend(exchange);
}

void reply_resume_later(struct loop *loop)
{
    while (loop->later != NULL) {
        struct exchange *exchange = loop->later;

        loop->later = exchange->next;
        exchange_ready(&exchange->call);
    }
}

static ssize_t send_piece(void *cls, uint64_t position, char *buffer, size_t room)
{
    struct exchange *exchange = cls;
    size_t length;

    (void)position;
    if (exchange->piece_sent < exchange->piece_length) {
        length = (size_t)(exchange->piece_length - exchange->piece_sent);
        length = length < room ? length : room;
        memcpy(buffer, exchange->piece + exchange->piece_sent, length);
        exchange->piece_sent += (long)length;
        exchange->sent_bytes += length;
        return (ssize_t)length;
    }
    if (exchange->piece_length == REPLY_STREAM_FAILED)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (exchange->piece_length == REPLY_STREAM_END && !exchange->piece_later)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (exchange->piece_later && atomic_load(&exchange->loop->app->draining))
        return MHD_CONTENT_READER_END_OF_STREAM;       /* nothing more will come */
    exchange->piece_length = exchange->piece_sent = 1; /* wanted: neither the end nor a failure */
    wait_for_piece(exchange);
    return 0;
}

static struct MHD_Response *make_response(struct exchange *exchange)
{
    struct reply *reply = &exchange->call.reply;

    if (reply->stream == NULL)
        return MHD_create_response_from_buffer(reply->length, (void *)(uintptr_t)reply->body,
                                               MHD_RESPMEM_PERSISTENT);
    exchange->piece = arena_alloc(&exchange->call.arena, REPLY_STREAM_BYTES);
    if (exchange->piece == NULL)
        return NULL;
    exchange->piece_length = exchange->piece_sent = 1;
    return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, REPLY_STREAM_BYTES, send_piece,
                                             exchange, NULL);
}

enum MHD_Result reply_send(struct exchange *exchange)
{
    const struct reply *reply = &exchange->call.reply;
    struct MHD_Response *response = make_response(exchange);
    enum MHD_Result result = MHD_YES;

    if (response == NULL)
        return MHD_NO; /* out of memory: the connection is closed */
    if (reply->content_type != NULL)
        result = MHD_add_response_header(response, "Content-Type", reply->content_type);
    for (size_t i = 0; i < reply->n_headers && result == MHD_YES; i++)
        result = MHD_add_response_header(response, reply->header[i].name, reply->header[i].value);
    if (result == MHD_YES &&
        atomic_load_explicit(&exchange->loop->http->quiescing, memory_order_relaxed))
        result = MHD_add_response_header(response, "Connection", "close");
    if (result == MHD_YES)
        result =
            exchange->loop->http->queue_response(exchange->mhd, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    exchange->stage = STAGE_QUEUED;
    exchange->connection->phase = PHASE_SENDING;
    exchange->connection->since_us = exchange->loop->now_us;
    return result;
}
