/* peers: how many connections there are, in all and from each address.
 *
 * An address is an IPv4 address or an IPv6 /64 network (what one customer gets). Thread rule: any
 * thread; taken only when connections open and close.
 */
#ifndef MOEPLAN_SERVER_PEERS_H
#define MOEPLAN_SERVER_PEERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "core/err.h"

struct peers;

enum err_code peers_open(size_t total_max, size_t per_address_max, struct peers **ret,
                         struct err *err);
void peers_close(struct peers *peers);

/* Counts a connection, unless a limit is reached: then false. Each true is to be followed by one
 * peers_leave with the same address. */
bool peers_enter(struct peers *peers, const struct sockaddr *address);
void peers_leave(struct peers *peers, const struct sockaddr *address);

#endif
