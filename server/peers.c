#include "server/peers.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The upper half of an IPv6 address, or an IPv4 address with a bit no such half has beside it. */
struct key {
    uint64_t network;
    uint64_t v4;
};

struct slot {
    struct key key;
    size_t count; /* 0: free */
};

struct peers {
    pthread_mutex_t lock;
    size_t total, total_max, per_address_max;
    size_t mask; /* slots − 1; there are at least twice as many as connections */
    struct slot *slots;
};

static struct key key_of(const struct sockaddr *address)
{
    struct key key = {.v4 = 1};

    if (address->sa_family == AF_INET) {
        key.network = ((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr;
    } else if (address->sa_family == AF_INET6) {
        const struct in6_addr *v6 =
            &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
        uint32_t v4;

        if (IN6_IS_ADDR_V4MAPPED(v6)) {
            memcpy(&v4, &v6->s6_addr[12], sizeof v4);
            key.network = v4;
        } else {
            memcpy(&key.network, v6->s6_addr, sizeof key.network);
            key.v4 = 0;
        }
    }
    return key;
}

static bool same(struct key a, struct key b)
{
    return a.network == b.network && a.v4 == b.v4;
}

static size_t home(const struct peers *peers, struct key key)
{
    uint64_t hash = (key.network ^ key.v4 << 63) * 0x9E3779B97F4A7C15;

    return (size_t)(hash >> 32) & peers->mask;
}

/* The slot of the key, or the free one where it belongs. */
static size_t find(const struct peers *peers, struct key key)
{
    size_t at = home(peers, key);

    while (peers->slots[at].count > 0 && !same(peers->slots[at].key, key))
        at = (at + 1) & peers->mask;
    return at;
}

/* Frees a slot and moves up those that were only there because it was taken. */
static void vacate(struct peers *peers, size_t hole)
{
    size_t at = hole;

    peers->slots[hole].count = 0;
    for (;;) {
        size_t wanted;

        at = (at + 1) & peers->mask;
        if (peers->slots[at].count == 0)
            return;
        wanted = home(peers, peers->slots[at].key);
        if (((at - wanted) & peers->mask) < ((at - hole) & peers->mask))
            continue;
        peers->slots[hole] = peers->slots[at];
        peers->slots[at].count = 0;
        hole = at;
    }
}

enum err_code peers_open(size_t total_max, size_t per_address_max, struct peers **ret,
                         struct err *err)
{
    struct peers *peers = calloc(1, sizeof *peers);
    size_t slots = 2;

    while (slots < 2 * total_max)
        slots *= 2;
    if (peers != NULL)
        peers->slots = calloc(slots, sizeof *peers->slots);
    if (peers == NULL || peers->slots == NULL) {
        free(peers);
        return err_set(err, ERR_NO_MEMORY, "out of memory for connection counts");
    }
    pthread_mutex_init(&peers->lock, NULL);
    peers->mask = slots - 1;
    peers->total_max = total_max;
    peers->per_address_max = per_address_max;
    *ret = peers;
    return ERR_OK;
}

void peers_close(struct peers *peers)
{
    if (peers == NULL)
        return;
    pthread_mutex_destroy(&peers->lock);
    free(peers->slots);
    free(peers);
}

bool peers_enter(struct peers *peers, const struct sockaddr *address)
{
    struct key key = key_of(address);
    bool admitted;
    size_t at;

    pthread_mutex_lock(&peers->lock);
    at = find(peers, key);
    admitted = peers->total < peers->total_max && peers->slots[at].count < peers->per_address_max;
    if (admitted) {
        peers->slots[at].key = key;
        peers->slots[at].count++;
        peers->total++;
    }
    pthread_mutex_unlock(&peers->lock);
    return admitted;
}

void peers_leave(struct peers *peers, const struct sockaddr *address)
{
    size_t at;

    pthread_mutex_lock(&peers->lock);
    at = find(peers, key_of(address));
    if (peers->slots[at].count > 0) {
        peers->total--;
        if (--peers->slots[at].count == 0)
            vacate(peers, at);
    }
    pthread_mutex_unlock(&peers->lock);
}
