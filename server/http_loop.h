/* http_loop: one event thread: its libmicrohttpd daemon, connections and requests. Private to
 * server/http*.c; everything here belongs to the thread of its loop unless it says otherwise.
 */
#ifndef MOEPLAN_SERVER_HTTP_LOOP_H
#define MOEPLAN_SERVER_HTTP_LOOP_H

#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "server/app.h"
#include "server/call.h"
#include "server/jobs.h"
#include "server/peers.h"

enum {
    LOOP_SWEEP_MS = 200,     /* how often deadlines are looked at */
    LOOP_LINGERING_MAX = 16, /* sockets kept for clients that still send, see linger */
    LOOP_LINGER_MS = 3000,   /* for so long */
    LOOP_BYTES_PER_MS = 16,  /* slower than this on top of the deadline is too slow */
    LOOP_SPARE_MAX = 64,     /* requests kept for the next ones */
    LOOP_BATCH_MAX = 64,     /* requests answered together, see http_batch.c */
    LOOP_ALIGNMENT = 64,     /* a cache line: what one thread counts, the next need not wait for */
    LOOP_KEEP_BODY = 64 * 1024, /* a spare request keeps a body buffer up to this */
    HEAD_REPLY_BYTES = 2048     /* room for the head of an answer; the longest have 1800 */
};

/* What a connection is doing, for its deadline. */
enum phase {
    PHASE_FRESH,     /* accepted, no request yet */
    PHASE_IDLE,      /* between two requests */
    PHASE_RECEIVING, /* a request has begun to arrive */
    PHASE_ANSWERING, /* no deadline here */
    PHASE_SENDING,
    PHASE_CUT, /* its deadline has passed: libmicrohttpd is about to close it */
};

struct connection {
    struct connection *previous, *next; /* the loop's list */
    struct loop *loop;
    int fd;
    enum phase phase;
    int64_t since_us;        /* of the phase; of the request's first byte when RECEIVING */
    bool bytes_known;        /* FRESH, IDLE: what the socket had received when first looked at */
    uint64_t bytes_received; /* the kernel's count then */
    uint64_t bytes_taken;    /* of them read when last looked at, if some waited then; else 0 */
    bool lingers;            /* answered before its body was read: do not reset it */
    struct exchange *exchange;
    struct sockaddr_storage address;
    char peer[INET6_ADDRSTRLEN];
};

/* What the body gathered so far means. */
enum body_state { BODY_WANTED, BODY_TOO_LARGE, BODY_NO_ROOM };

enum stage {
    STAGE_NEW,
    STAGE_GATHERING, /* its body */
    STAGE_GATHERED,  /* it is in the batch */
    STAGE_DISPATCHED,
    STAGE_QUEUED,
};

/* One request and its reply. */
struct exchange {
    struct call call;
    struct loop *loop;
    struct connection *connection;
    struct MHD_Connection *mhd;
    struct exchange *next; /* spare, or waiting for more of a stream */
    enum stage stage;
    char *uri; /* as sent, in the arena; cut off at the query by request_read; NULL when memory
                  was short */
    size_t uri_length;    /* as sent */
    bool chunked;         /* the body is, and may have trailers */
    const char *head_end; /* in libmicrohttpd's memory */

    char *body;
    size_t body_room;
    enum body_state body_state;

    /* A suspended connection is resumed by the second of two: the thread that suspended it and the
     * lane that has finished. */
    atomic_int awaited;

    /* A stream: one piece at a time, read on a lane. */
    struct job piece_job;
    char *piece; /* REPLY_STREAM_BYTES, in the arena */
    long piece_length;
    long piece_sent;
    bool piece_later; /* there was nothing yet */
    uint64_t sent_bytes;
};

struct lingerer {
    int fd;
    int64_t until_us;
};

struct loop {
    alignas(LOOP_ALIGNMENT) struct http *http;
    struct app *app;
    unsigned index;
    struct MHD_Daemon *daemon;
    int listener; /* until the daemon has it; −1 afterwards */
    int wake;     /* eventfd: looked at between waits */
    pthread_t thread;
    bool running;
    int64_t now_us; /* monotonic, of this turn */
    int64_t swept_us;
    uint64_t serial; /* of request ids */
    struct connection *connections;
    struct exchange *spare, *later; /* later: streams that had nothing yet */
    size_t n_spare;
    size_t n_begun; /* requests, in this turn */
    bool batching;  /* requests are gathered */
    size_t n_batch;
    struct exchange *batch[LOOP_BATCH_MAX]; /* read, to be answered after this turn's reading */
    size_t n_lingering;
    struct lingerer lingering[LOOP_LINGERING_MAX];
    atomic_size_t in_flight;
};

typedef enum MHD_Result queue_function(struct MHD_Connection *mhd, unsigned status,
                                       struct MHD_Response *response);

struct http {
    struct app *app;
    queue_function *queue_response; /* libmicrohttpd's own, see http_refusal.c */
    struct peers *peers;
    unsigned n_loops;
    struct loop *loops;
    char address[80];
    atomic_bool quiescing, stopping;
    atomic_size_t buffered_bytes; /* of request bodies, all loops */
};

/* http_loop.c: the daemon and the thread. */
enum err_code loop_open(struct loop *loop, struct err *err);
void loop_run(struct loop *loop);  /* until http->stopping */
void loop_wake(struct loop *loop); /* from any thread: take another turn now */
void loop_close(struct loop *loop);

/* http_connection.c: callbacks of libmicrohttpd about connections, and their deadlines. */
enum MHD_Result connection_admit(void *cls, const struct sockaddr *address, socklen_t length);
void connection_notify(void *cls, struct MHD_Connection *mhd, void **context,
                       enum MHD_ConnectionNotificationCode code);
void connection_sweep(struct loop *loop);

/* http_exchange.c: callbacks about requests. */
void *exchange_begin(void *cls, const char *uri, struct MHD_Connection *mhd);
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *upload,
                                size_t *upload_length, void **context);
void exchange_end(void *cls, struct MHD_Connection *mhd, void **context,
                  enum MHD_RequestTerminationCode code);
/* True: the reply is finished, and to be sent; false: its connection is suspended. */
bool exchange_answer(struct exchange *exchange);
void exchange_id(struct loop *loop, char ret_id[CALL_ID_BYTES]);
void exchange_free(struct exchange *exchange); /* NULL is fine */
/* A call on a lane is ready, or a piece of its stream: any thread. */
void exchange_ready(struct call *call);
void exchange_suspend(struct exchange *exchange);

/* http_batch.c: requests that are read, answered and sent together. */
bool batch_add(struct exchange *exchange); /* false: it is to be answered at once */
void batch_remove(const struct exchange *exchange);
/* Answers them, but no more than may keep the first waiting. True: the library's next run sends. */
bool batch_answer(struct loop *loop);

/* http_refusal.c: problem documents for requests that never reach dispatch, straight to the socket,
 * logged and counted. */
enum refusal {
    REFUSAL_NONE,
    REFUSAL_UNREADABLE,
    REFUSAL_LINE,
    REFUSAL_HEADER,
    REFUSAL_ENDED,
    REFUSAL_STUCK,
    REFUSAL_LATE,
    REFUSAL_BODY,
    REFUSAL_URL,
    REFUSAL_HEADERS,
    REFUSAL_TRAILERS,
    REFUSAL_VERSION,
};
void refusal_send(struct connection *connection, enum refusal which);
/* To be returned to the library, which then closes the connection without a word of its own. */
enum MHD_Result refusal_close(struct connection *connection, enum refusal which);
/* MHD_queue_response of the library, behind the one of ours; NULL when there is none. */
queue_function *refusal_behind(void);

/* http_head.c: whether a head is whole and leaves room for the head of its answer. */
size_t head_pool_bytes(const struct options *options); /* libmicrohttpd's, of each connection */
enum refusal head_check(struct exchange *exchange, const char *method, const char *url,
                        const char *version);
/* Whether the URL is most of a head that is too large; false for NULL. */
bool head_is_url(const struct exchange *exchange);
enum refusal head_check_trailers(const struct exchange *exchange);

/* http_request.c: the request as dispatch wants it, checked. ERR_INVALID: it cannot be trusted to
 * be what it seems, and its connection must end. */
enum err_code request_read(struct exchange *exchange, const char *method, const char *version,
                           uint64_t *ret_length, struct err *err);

/* http_reply.c: hands the finished reply to libmicrohttpd. */
enum MHD_Result reply_send(struct exchange *exchange);
/* Resumes the streams that had nothing to send when they were last asked. */
void reply_resume_later(struct loop *loop);

#endif
