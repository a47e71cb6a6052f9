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
#include "server/metrics.h"

enum { BODY_BYTES = 512 };

static const struct row {
    unsigned status;
    const char *reason;
    enum err_code code;
    const char *detail;
} rows[] = {
    [REFUSAL_UNREADABLE] = {400, "Bad Request", ERR_INVALID,
                            "the request cannot be read: its line, headers or chunks"},
    [REFUSAL_LINE] = {400, "Bad Request", ERR_INVALID,
                      "the first line is not a method, a URL and a version with one blank between "
                      "them, or holds a NUL byte"},
    [REFUSAL_HEADER] = {400, "Bad Request", ERR_INVALID,
                        "a header holds a NUL byte, or is folded over lines"},
    [REFUSAL_ENDED] = {400, "Bad Request", ERR_INVALID,
                       "the client has stopped sending before the request was whole"},
    [REFUSAL_STUCK] = {400, "Bad Request", ERR_INVALID, "the line of a chunk does not end"},
    [REFUSAL_LATE] = {408, "Request Timeout", ERR_TIMEOUT,
                      "the request did not arrive within the deadline"},
    [REFUSAL_BODY] = {413, "Content Too Large", ERR_TOO_LARGE,
                      "the body is longer than anything that is taken"},
    [REFUSAL_URL] = {414, "URI Too Long", ERR_TOO_LARGE,
                     "the URL is too long (--max-header-bytes)"},
    [REFUSAL_HEADERS] = {431, "Request Header Fields Too Large", ERR_TOO_LARGE,
                         "there are more than 64 headers, or they are too long "
                         "(--max-header-bytes, in which each takes 64 bytes more)"},
    [REFUSAL_TRAILERS] = {431, "Request Header Fields Too Large", ERR_TOO_LARGE,
                          "the trailers behind the body are too long"},
    [REFUSAL_VERSION] = {505, "HTTP Version Not Supported", ERR_INVALID,
                         "the version is not HTTP/1.1 or HTTP/1.0"},
};
_Static_assert(REQUEST_HEADERS_MAX == 64, "a detail says 64");

/* The first of a status; NONE for one the library is not known to refuse with. */
static enum refusal find_refusal(unsigned status)
{
    for (size_t i = 1; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return (enum refusal)i;
    return REFUSAL_NONE;
}

/* Logs and counts it. */
static void record(const struct connection *connection, const char *id, const struct row *row)
{
    const struct loop *loop = connection->loop;
    const struct exchange *exchange = connection->exchange;
    int64_t duration_us = loop->now_us - connection->since_us;
    struct log_line line;

    metrics_begin(loop->app->metrics, loop->index);
    metrics_end(loop->app->metrics, loop->index, NULL, (int)row->status, duration_us);

    log_begin(&line, loop->app->log, LOG_WARN, "request failed");
    log_text(&line, "request_id", id);
    log_integer(&line, "status", row->status);
    log_text(&line, "code", err_name(row->code));
    log_text(&line, "path", exchange != NULL ? exchange->uri : NULL);
    log_text(&line, "peer", connection->peer);
    log_integer(&line, "duration_us", duration_us);
    log_text(&line, "detail", row->detail);
    log_end(&line);
}

/* The problem document; returns its length. */
static size_t write_body(const struct row *row, const char *id, char ret_body[BODY_BYTES])
{
    int length = snprintf(ret_body, BODY_BYTES,
                          "{\"type\":\"/docs#%s\",\"title\":\"%s\",\"status\":%u,\"detail\":\"%s\","
                          "\"code\":\"%s\",\"request_id\":\"%s\"}",
                          err_name(row->code), err_title(row->code), row->status, row->detail,
                          err_name(row->code), id);

    return length > 0 && length < BODY_BYTES ? (size_t)length : 0;
}

/* libmicrohttpd takes no reply while a request is still arriving, and has written nothing yet. */
void refusal_send(struct connection *connection, enum refusal which)
{
    const struct row *row = &rows[which];
    char id[CALL_ID_BYTES], body[BODY_BYTES], text[2 * BODY_BYTES];
    size_t body_length;
    int length;

    exchange_id(connection->loop, id);
    body_length = write_body(row, id, body);
    length = snprintf(text, sizeof text,
                      "HTTP/1.1 %u %s\r\nConnection: close\r\n"
                      "Content-Type: application/problem+json\r\nX-Request-Id: %s\r\n"
                      "Cache-Control: no-store\r\nContent-Length: %zu\r\n\r\n%s",
                      row->status, row->reason, id, body_length, body);
    record(connection, id, row);
    if (length > 0 && (size_t)length < sizeof text)
        send(connection->fd, text, (size_t)length, MSG_DONTWAIT | MSG_NOSIGNAL);
}

enum MHD_Result refusal_close(struct connection *connection, enum refusal which)
{
    refusal_send(connection, which);
    connection->phase = PHASE_CUT;
    connection->lingers = true;
    return MHD_NO;
}

queue_function *refusal_behind(void)
{
    void *symbol = dlsym(RTLD_NEXT, "MHD_queue_response");
    queue_function *function = NULL;

    if (symbol != NULL && symbol != (void *)(uintptr_t)MHD_queue_response)
        memcpy(&function, &symbol, sizeof function); /* ISO C has no cast for it, POSIX the right */
    return function;
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *mhd, unsigned int status,
                                   struct MHD_Response *response)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct connection *connection = info != NULL ? info->socket_context : NULL;
    enum refusal which = find_refusal(status);
    bool headers = status == MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE;

    if (headers && connection != NULL && head_is_url(connection->exchange))
        which = REFUSAL_URL;
    /* It may refuse the same request twice. */
    if (connection != NULL && connection->phase != PHASE_CUT && which != REFUSAL_NONE)
        refusal_close(connection, which);
    if (connection == NULL || !headers)
        return MHD_NO;
    /* It goes on reading the headers it has, behind this refusal: the connection, whose memory they
     * are in, must not end before. Its answer, which it may write twice, no longer leaves. */
    shutdown(connection->fd, SHUT_WR);
    return connection->loop->http->queue_response(mhd, status, response);
}
