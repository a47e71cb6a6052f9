/* http_floor PORT THREADS: libmicrohttpd answering 200 fixed bytes, as fast as it can, with the
 * flags and options of server/http_loop.c and the plainest loop they allow: wait, run. What
 * moeplan's own answers are measured against.
 *
 * Stops when standard input ends.
 */
#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { THREADS_MAX = 64, BODY_BYTES = 200, TURN_MS = 200, TIMEOUT_S = 65 };

struct floor {
    struct MHD_Daemon *daemon;
    struct MHD_Response *response;
    pthread_t thread;
};

static enum MHD_Result handle(void *cls, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_length, void **context)
{
    struct floor *floor = cls;

    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    (void)upload_length;
    if (*context == NULL) { /* a reply to the first call would close the connection */
        *context = floor;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, floor->response);
}

static int open_listener(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) {
        perror("http_floor");
        exit(1);
    }
    return fd;
}

static void *run(void *arg)
{
    struct floor *floor = arg;
    struct pollfd fd = {.events = POLLIN};

    fd.fd = MHD_get_daemon_info(floor->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    for (;;) {
        MHD_UNSIGNED_LONG_LONG wanted_ms;
        int timeout_ms = TURN_MS;

        if (MHD_get_timeout(floor->daemon, &wanted_ms) == MHD_YES && wanted_ms < TURN_MS)
            timeout_ms = (int)wanted_ms;
        poll(&fd, 1, timeout_ms);
        MHD_run(floor->daemon);
    }
    return NULL;
}

static void start(struct floor *floor, uint16_t port, char *body)
{
    floor->response = MHD_create_response_from_buffer(BODY_BYTES, body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(floor->response, "Content-Type", "application/json");
    floor->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, handle, floor,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)open_listener(port), MHD_OPTION_CONNECTION_LIMIT,
        4096u, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)TIMEOUT_S,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)16384, MHD_OPTION_END);
    if (floor->daemon == NULL || pthread_create(&floor->thread, NULL, run, floor) != 0)
        exit(1);
}

int main(int argc, char **argv)
{
    static struct floor floors[THREADS_MAX];
    static char body[BODY_BYTES];
    long port = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    long threads = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    char byte;

    if (port < 1 || port > 65535 || threads < 1 || threads > THREADS_MAX) {
        fputs("http_floor PORT THREADS\n", stderr);
        return 2;
    }
    memset(body, 'x', sizeof body);
    for (long i = 0; i < threads; i++)
        start(&floors[i], (uint16_t)port, body);
    while (read(STDIN_FILENO, &byte, 1) > 0)
        continue;
    return 0;
}
