/* What libmicrohttpd cannot parse it answers itself: in HTML, of a Content-Length too long for it
 * with two headers. There is no hook for that, but all its answers pass MHD_queue_response, which
 * it calls through the dynamic linker: the one defined here comes first. Ours go to the library's
 * own by pointer (http.queue_response), so whatever calls this one is such a refusal. Where the
 * library is built so that it does not look outside for its own function, its HTML is back, and
 * tests/wire/transport_test.py says so. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "server/http_loop.h"
#include "server/log.h"

enum { BODY_BYTES = 512 };

static const struct refusal {
    unsigned status;
    const char *reason;
    enum err_code code;
    const char *detail;
} refusals[] = {
    {400, "Bad Request", ERR_INVALID, "the request cannot be read: its line, headers or chunks"},
    {408, "Request Timeout", ERR_TIMEOUT, "the request did not arrive within the deadline"},
    {413, "Content Too Large", ERR_TOO_LARGE, "the body is longer than anything that is taken"},
    {414, "URI Too Long", ERR_TOO_LARGE, "the URL is too long (--max-header-bytes)"},
    {431, "Request Header Fields Too Large", ERR_TOO_LARGE,
     "the headers are too long (--max-header-bytes)"},
    {505, "HTTP Version Not Supported", ERR_INVALID, "the version is not HTTP/1.1 or HTTP/1.0"},
};

static const struct refusal *find_refusal(unsigned status)
{
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (refusals[i].status == status)
            return &refusals[i];
    return NULL;
}

static void log_refusal(const struct connection *connection, const char *id,
                        const struct refusal *refusal)
{
    const struct loop *loop = connection->loop;
    const struct exchange *exchange = connection->exchange;
    struct log_line line;

    log_begin(&line, loop->app->log, LOG_WARN, "request failed");
    log_text(&line, "request_id", id);
    log_integer(&line, "status", refusal->status);
    log_text(&line, "code", err_name(refusal->code));
    log_text(&line, "path", exchange != NULL ? exchange->uri : NULL);
    log_text(&line, "peer", connection->peer);
    log_integer(&line, "duration_us", loop->now_us - connection->since_us);
    log_text(&line, "detail", refusal->detail);
    log_end(&line);
}

/* The problem document; returns its length. */
static size_t write_body(const struct refusal *refusal, const char *id, char ret_body[BODY_BYTES])
{
    int length = snprintf(ret_body, BODY_BYTES,
                          "{\"type\":\"/docs#%s\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\","
                          "\"code\":\"%s\",\"request_id\":\"%s\"}",
                          err_name(refusal->code), err_title(refusal->code), refusal->status,
                          refusal->detail, err_name(refusal->code), id);

    return length > 0 && length < BODY_BYTES ? (size_t)length : 0;
}

/* libmicrohttpd takes no reply while a request is still arriving, and has written nothing yet. */
void refusal_send(struct connection *connection, unsigned status)
{
    const struct refusal *refusal = find_refusal(status);
    char id[CALL_ID_BYTES], body[BODY_BYTES], text[2 * BODY_BYTES];
    size_t body_length;
    int length;

    if (refusal == NULL)
        return;
    exchange_id(connection->loop, id);
    body_length = write_body(refusal, id, body);
    length = snprintf(text, sizeof text,
                      "HTTP/1.1 %u %s\r\nConnection: close\r\n"
                      "Content-Type: application/problem+json\r\nX-Request-Id: %s\r\n"
                      "Cache-Control: no-store\r\nContent-Length: %zu\r\n\r\n%s",
                      status, refusal->reason, id, body_length, body);
    log_refusal(connection, id, refusal);
    if (length > 0 && (size_t)length < sizeof text)
        send(connection->fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

queue_function *refusal_behind(void)
{
    void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");
    queue_function *function = NULL;

    if (symbol != NULL && symbol != (void *)(uintptr_t)MHD_queue_response)
        memcpy(&function, &symbol, sizeof function); /* ISO C has no cast for it, POSIX the right */
    return function;
}

/* The same as a reply of the library's; NULL when memory is short. */
static struct MHD_Response *make_reply(const struct refusal *refusal, const char *id)
{
    char body[BODY_BYTES];
    size_t length = write_body(refusal, id, body);
    struct MHD_Response *reply =
        MHD_create_response_from_buffer(length, body, MHD_RESPMEM_MUST_COPY);

    if (reply != NULL &&
        MHD_add_response_header(reply, "Content-Type", "application/problem+json") == MHD_YES &&
        MHD_add_response_header(reply, "X-Request-Id", id) == MHD_YES &&
        MHD_add_response_header(reply, "Cache-Control", "no-store") == MHD_YES)
        return reply;
    if (reply != NULL)
        MHD_destroy_response(reply);
    return NULL;
}

/* Where headers have no room the library goes on reading those it has, behind its refusal: the
 * connection, whose memory they are in, must not end before. `own` stands in where memory is short.
 */
static enum MHD_Result queue_refusal(struct connection *connection, struct MHD_Connection *mhd,
                                     unsigned status, struct MHD_Response *own)
{
    const struct refusal *refusal = find_refusal(status);
    char id[CALL_ID_BYTES];
    struct MHD_Response *reply;
    enum MHD_Result result;

    exchange_id(connection->loop, id);
    reply = make_reply(refusal, id);
    result = connection->loop->http->queue_response(mhd, status, reply != NULL ? reply : own);
    if (reply != NULL)
        MHD_destroy_response(reply);
    log_refusal(connection, id, refusal);
    connection->phase = PHASE_SENDING;
    connection->since_us = connection->loop->now_us;
    connection->lingers = true;
    return result;
}

/* MHD_NO makes the library close the connection without a word of its own. */
enum MHD_Result MHD_queue_response(struct MHD_Connection *mhd, unsigned int status,
                                   struct MHD_Response *response)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info != NULL ? info->socket_context : NULL;

    if (status == MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE)
        return connection != NULL ? queue_refusal(connection, mhd, status, response)
                                  : refusal_behind()(mhd, status, response);
    if (connection == NULL || connection->phase == PHASE_CUT)
        return MHD_NO;
    refusal_send(connection, status);
    connection->phase = PHASE_CUT; /* it may refuse the same request twice */
    connection->lingers = true;
    return MHD_NO;
}
