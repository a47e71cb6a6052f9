/* http: the transport. server/http*.c are the only users of libmicrohttpd and of sockets.
 *
 * A few event threads, each with a daemon and an epoll set of its own on a listening socket that
 * shares the address (SO_REUSEPORT). Each reads requests under caps and deadlines, hands them to
 * dispatch, and sends the replies, also those that lanes finish later and those that are streams.
 */
#ifndef MOEPLAN_SERVER_HTTP_H
#define MOEPLAN_SERVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/err.h"

struct app;
struct http;

/* Binds app->options.listen; sets app->listening_loopback. No thread runs yet, so that what needs
 * to know the port can be made first. ERR_INVALID when the address is taken or is not to be had. */
enum err_code http_open(struct app *app, struct http **ret, struct err *err);

/* Starts the event threads. */
enum err_code http_start(struct http *http, struct err *err);

/* The address as text, "127.0.0.1:8080", with the port really bound. */
const char *http_address(const struct http *http);

/* Stops accepting; every reply from now on closes its connection. */
void http_quiesce(struct http *http);

/* Requests whose header has arrived and whose reply has not left. */
size_t http_in_flight(const struct http *http);

/* Ends the threads and connections. No lane may still hold a call: close them first. */
void http_close(struct http *http);

#endif
