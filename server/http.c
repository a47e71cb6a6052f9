#include "server/http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "server/http_loop.h"

enum { BACKLOG = 1024 };

static enum err_code resolve(const struct options *options, struct sockaddr_storage *ret,
                             socklen_t *ret_length, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host[64], service[8];
    uint16_t port;
    enum err_code code = options_address(options->listen, host, &port, err);
    int status;

    if (code != ERR_OK)
        return code;
    snprintf(service, sizeof service, "%u", port);
    if (*host == '\0')
        hints.ai_family = AF_INET6; /* takes IPv4 too, see open_socket */
    status = getaddrinfo(*host != '\0' ? host : NULL, service, &hints, &found);
    if (status != 0)
        return err_set(err, ERR_INVALID, "--listen %s: %s", options->listen, gai_strerror(status));
    memcpy(ret, found->ai_addr, found->ai_addrlen);
    *ret_length = found->ai_addrlen;
    freeaddrinfo(found);
    return ERR_OK;
}

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == 127;
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

static enum err_code socket_failed(int fd, const char *what, const char *listen, struct err *err)
{
    int why = errno;

    if (fd >= 0)
        close(fd);
    return err_set(err, ERR_INVALID, "--listen %s: %s: %s", listen, what, strerror(why));
}

/* shared: with our other event threads. A first socket that is not finds out whether somebody else
 * has the address: two daemons that both share would silently split the requests. */
static enum err_code open_socket(const char *listen_text, const struct sockaddr_storage *address,
                                 socklen_t length, bool shared, int *ret_fd, struct err *err)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1, off = 0;

    if (fd < 0)
        return socket_failed(fd, "socket", listen_text, err);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address->ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)
        return socket_failed(fd, "SO_REUSEPORT", listen_text, err);
    if (bind(fd, (const struct sockaddr *)address, length) != 0)
        return socket_failed(fd, "bind", listen_text, err);
    if (shared && listen(fd, BACKLOG) != 0)
        return socket_failed(fd, "listen", listen_text, err);
    *ret_fd = fd;
    return ERR_OK;
}

static void write_address(struct http *http, const struct sockaddr_storage *address)
{
    char host[INET6_ADDRSTRLEN] = "?";

    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;

        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(http->address, sizeof http->address, "%s:%u", host, ntohs(v4->sin_port));
    } else {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(http->address, sizeof http->address, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

static enum err_code bind_all(struct http *http, struct err *err)
{
    const char *text = http->app->options.listen;
    struct sockaddr_storage address;
    socklen_t length = 0;
    enum err_code code = resolve(&http->app->options, &address, &length, err);
    int probe = -1;

    if (code == ERR_OK)
        code = open_socket(text, &address, length, false, &probe, err);
    if (code != ERR_OK)
        return code;
    close(probe);
    for (unsigned i = 0; i < http->n_loops && code == ERR_OK; i++) {
        code = open_socket(text, &address, length, true, &http->loops[i].listener, err);
        /* Port 0 was any port: the others take the one the first was given. */
        if (code == ERR_OK && i == 0)
            getsockname(http->loops[0].listener, (struct sockaddr *)&address, &length);
    }
    if (code == ERR_OK) {
        http->app->listening_loopback = is_loopback(&address);
        write_address(http, &address);
    }
    return code;
}

/* Zeroed, each on cache lines of its own. */
static struct loop *make_loops(size_t count)
{
    struct loop *loops = aligned_alloc(LOOP_ALIGNMENT, count * sizeof *loops);

    return loops != NULL ? memset(loops, 0, count * sizeof *loops) : NULL;
}

/* The loops before it have been opened; after an error it is closed with them. */
static enum err_code init_loop(struct http *http, unsigned index, struct err *err)
{
    struct loop *loop = &http->loops[index];

    loop->http = http;
    loop->app = http->app;
    loop->index = index;
    loop->listener = -1;
    if (getrandom(&loop->serial, sizeof loop->serial, 0) < 0)
        loop->serial = ((uint64_t)getpid() << 32) + index;
    loop->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    http->n_loops = index + 1;
    return loop->wake >= 0
               ? ERR_OK
               : err_set(err, ERR_INTERNAL, "no eventfd for event threads: %s", strerror(errno));
}

enum err_code http_open(struct app *app, struct http **ret, struct err *err)
{
    const struct options *options = &app->options;
    struct http *http = calloc(1, sizeof *http);
    enum err_code code = ERR_OK;

    if (http == NULL || (http->loops = make_loops((size_t)options->threads)) == NULL) {
        free(http);
        return err_set(err, ERR_NO_MEMORY, "out of memory for event threads");
    }
    http->app = app;
    http->queue_response = refusal_behind();
    if (http->queue_response == NULL)
        code = err_set(err, ERR_INTERNAL, "libmicrohttpd has no MHD_queue_response");
    for (unsigned i = 0; i < (unsigned)options->threads && code == ERR_OK; i++)
        code = init_loop(http, i, err);
    if (code == ERR_OK)
        code = peers_open((size_t)options->max_connections, (size_t)options->max_connections_per_ip,
                          &http->peers, err);
    if (code == ERR_OK)
        code = bind_all(http, err);
    if (code == ERR_OK)
        *ret = http;
    else
        http_close(http);
    return code;
}

static void *thread_main(void *arg)
{
    pthread_setname_np(pthread_self(), "moeplan-http");
    loop_run(arg);
    return NULL;
}

enum err_code http_start(struct http *http, struct err *err)
{
    for (unsigned i = 0; i < http->n_loops; i++) {
        enum err_code code = loop_open(&http->loops[i], err);

        if (code != ERR_OK)
            return code;
    }
    for (unsigned i = 0; i < http->n_loops; i++) {
        struct loop *loop = &http->loops[i];

        if (pthread_create(&loop->thread, NULL, thread_main, loop) != 0)
            return err_set(err, ERR_INTERNAL, "no thread for events");
        loop->running = true;
    }
    return ERR_OK;
}

const char *http_address(const struct http *http)
{
    return http->address;
}

static void wake_all(struct http *http)
{
    for (unsigned i = 0; i < http->n_loops; i++)
        loop_wake(&http->loops[i]);
}

void http_quiesce(struct http *http)
{
    atomic_store(&http->quiescing, true);
    wake_all(http);
}

size_t http_in_flight(const struct http *http)
{
    size_t sum = 0;

    for (unsigned i = 0; i < http->n_loops; i++)
        sum += atomic_load(&http->loops[i].in_flight);
    return sum;
}

void http_close(struct http *http)
{
    if (http == NULL)
        return;
    atomic_store(&http->stopping, true);
    wake_all(http);
    for (unsigned i = 0; i < http->n_loops; i++) {
        struct loop *loop = &http->loops[i];

        if (loop->running)
            pthread_join(loop->thread, NULL);
        loop_close(loop);
    }
    peers_close(http->peers);
    free(http->loops);
    free(http);
}
