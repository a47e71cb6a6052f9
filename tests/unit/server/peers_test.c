#include "tests/unit/check.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/rng.h"
#include "server/peers.h"

static struct sockaddr_storage address(const char *text)
{
    struct sockaddr_storage storage = {.ss_family = AF_INET};

    if (inet_pton(AF_INET, text, &((struct sockaddr_in *)&storage)->sin_addr) == 1)
        return storage;
    storage.ss_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&storage)->sin6_addr), 1);
    return storage;
}

static bool enter(struct peers *peers, const char *text)
{
    struct sockaddr_storage at = address(text);

    return peers_enter(peers, (const struct sockaddr *)&at);
}

static void leave(struct peers *peers, const char *text)
{
    struct sockaddr_storage at = address(text);

    peers_leave(peers, (const struct sockaddr *)&at);
}

static struct peers *open_peers(size_t total, size_t each)
{
    struct peers *peers = NULL;
    struct err err;

    err_init(&err, NULL);
    assert_int_equal(peers_open(total, each, &peers, &err), ERR_OK);
    return peers;
}

static void an_address_has_its_limit_and_others_theirs(void **state)
{
    struct peers *peers = open_peers(100, 2);

    (void)state;
    assert_true(enter(peers, "10.0.0.1"));
    assert_true(enter(peers, "10.0.0.1"));
    assert_false(enter(peers, "10.0.0.1"));
    assert_true(enter(peers, "10.0.0.2"));
    leave(peers, "10.0.0.1");
    assert_true(enter(peers, "10.0.0.1"));
    assert_false(enter(peers, "10.0.0.1"));
    peers_close(peers);
}

static void the_total_has_its_limit(void **state)
{
    struct peers *peers = open_peers(3, 100);

    (void)state;
    assert_true(enter(peers, "10.0.0.1"));
    assert_true(enter(peers, "10.0.0.2"));
    assert_true(enter(peers, "10.0.0.3"));
    assert_false(enter(peers, "10.0.0.4"));
    leave(peers, "10.0.0.2");
    assert_true(enter(peers, "10.0.0.4"));
    peers_close(peers);
}

static void an_ipv6_customer_is_one_network(void **state)
{
    struct peers *peers = open_peers(100, 1);

    (void)state;
    assert_true(enter(peers, "2001:db8:1:2::1"));
    assert_false(enter(peers, "2001:db8:1:2:ffff::2"));
    assert_true(enter(peers, "2001:db8:1:3::1"));
    peers_close(peers);
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
    struct peers *peers = open_peers(100, 1);

    (void)state;
    assert_true(enter(peers, "10.0.0.1"));
    assert_false(enter(peers, "::ffff:10.0.0.1"));
    assert_true(enter(peers, "::ffff:10.0.0.2"));
    peers_close(peers);
}

/* Against plain counters, through many comings and goings of more addresses than fit apart. */
static void counts_stay_right_whatever_comes_and_goes(void **state)
{
    enum { ADDRESSES = 40, TOTAL = 60, EACH = 3, STEPS = 200000 };
    struct peers *peers = open_peers(TOTAL, EACH);
    struct rng rng = rng_stream(5, 0);
    int counts[ADDRESSES] = {0}, total = 0;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        size_t which = (size_t)rng_below(&rng, ADDRESSES);
        char text[32];

        snprintf(text, sizeof text, "10.0.%zu.1", which);
        if (rng_below(&rng, 2) == 0) {
            bool admitted = total < TOTAL && counts[which] < EACH;

            assert_true(enter(peers, text) == admitted);
            counts[which] += admitted;
            total += admitted;
        } else if (counts[which] > 0) {
            leave(peers, text);
            counts[which]--;
            total--;
        }
    }
    peers_close(peers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_its_limit_and_others_theirs),
        cmocka_unit_test(the_total_has_its_limit),
        cmocka_unit_test(an_ipv6_customer_is_one_network),
        cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
        cmocka_unit_test(counts_stay_right_whatever_comes_and_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
