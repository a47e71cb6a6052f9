/* moeplan health: one GET /readyz over a plain socket. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "server/commands.h"
#include "server/options.h"

enum { TIMEOUT_S = 5, ANSWER_BYTES = 4096 };

/* A connected socket, or −1. An address that means every address is asked on loopback. */
static int connect_to(const char *host, uint16_t port)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV}, *found;
    char service[8];
    int fd = -1;

    if (*host == '\0' || strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        host = "localhost";
    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return -1;
    for (struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        if (connect(fd, at->ai_addr, at->ai_addrlen) != 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}

/* The status of GET /readyz, 0 when there was no answer. */
static int ask(int fd)
{
    static const char request[] =
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    char answer[ANSWER_BYTES];
    size_t length = 0;
    ssize_t got;

    if (send(fd, request, sizeof request - 1, MSG_NOSIGNAL) != (ssize_t)sizeof request - 1)
        return 0;
    while (length < sizeof answer - 1 &&
           (got = recv(fd, answer + length, sizeof answer - 1 - length, 0)) > 0)
        length += (size_t)got;
    answer[length] = '\0';
    if (strncmp(answer, "HTTP/1.", 7) != 0 || length < sizeof "HTTP/1.1 200" - 1)
        return 0;
    return (int)strtol(answer + 9, NULL, 10);
}

int cmd_health(int argc, char **argv, char **environment)
{
    struct options options;
    struct err err;
    char host[64];
    uint16_t port;
    bool help;
    int fd, status;

    err_init(&err, NULL);
    if (options_read(argc, argv, environment, &options, &help, &err) != ERR_OK) {
        fprintf(stderr, "moeplan health: %s\n", err.detail);
        return EXIT_STATUS_USAGE;
    }
    if (help) {
        puts("moeplan health [--listen ADDRESS:PORT]: exit status 0 when the daemon is ready.\n"
             "Takes the options and environment of `moeplan serve`.");
        return EXIT_STATUS_OK;
    }
    options_address(options.listen, host, &port, &err);
    fd = connect_to(host, port);
    if (fd < 0) {
        fprintf(stderr, "moeplan health: nothing answers at %s\n", options.listen);
        return EXIT_STATUS_FAILED;
    }
    status = ask(fd);
    close(fd);
    printf("%s\n", status == 200 ? "ready" : "not ready");
    return status == 200 ? EXIT_STATUS_OK : EXIT_STATUS_FAILED;
}
