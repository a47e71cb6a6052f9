/* Work shared out over threads: every item once, errors and cancelling heard. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "server/share.h"
#include "tests/unit/check.h"

enum { ITEMS = 1003 /* no whole number of chunks */ };

struct tally {
    atomic_int made[ITEMS];
    atomic_bool elsewhere; /* a part ran on another thread */
    pthread_t owner;
    size_t bad;            /* the item that fails */
    size_t told, told_max; /* by progress */
    size_t cancel_at;
};

static struct tally tally;

static struct share begin(size_t threads)
{
    memset(&tally, 0, sizeof tally);
    tally.owner = pthread_self();
    tally.bad = tally.cancel_at = SIZE_MAX;
    return (struct share){.threads = threads};
}

static enum err_code make(void *ctx, size_t first, size_t n, struct err *err)
{
    struct tally *at = ctx;

    if (!pthread_equal(pthread_self(), at->owner))
        atomic_store(&at->elsewhere, true);
    for (size_t i = first; i < first + n; i++) {
        if (i == at->bad)
            return err_set(err, ERR_NO_MEMORY, "item %zu", i);
        atomic_fetch_add(&at->made[i], 1);
    }
    return ERR_OK;
}

/* Holds the owner up until another thread has made a part. */
static enum err_code make_with_help(void *ctx, size_t first, size_t n, struct err *err)
{
    struct tally *at = ctx;

    while (pthread_equal(pthread_self(), at->owner) && !atomic_load(&at->elsewhere))
        sched_yield();
    return make(ctx, first, n, err);
}

static bool tell(void *ctx, size_t done, size_t count)
{
    struct tally *at = ctx;

    assert_int_equal(count, ITEMS);
    assert_true(done >= at->told_max && done <= count);
    at->told_max = done;
    return ++at->told < at->cancel_at;
}

static size_t made(void)
{
    size_t sum = 0;

    for (size_t i = 0; i < ITEMS; i++)
        sum += (size_t)atomic_load(&tally.made[i]);
    return sum;
}

static void every_item_is_made_once_on_any_number_of_threads(void **state)
{
    (void)state;
    for (size_t threads = 0; threads <= 5; threads++) {
        struct share share = begin(threads);
        struct err err;

        err_init(&err, NULL);
        share.progress = tell;
        share.progress_ctx = &tally;
        assert_int_equal(share_run(&share, ITEMS, make, &tally, &err), ERR_OK);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(tally.made[i], 1);
        assert_int_equal(tally.told_max, ITEMS); /* the end is told */
        assert_true(threads > 1 || !tally.elsewhere);
    }
}

static void other_threads_take_part(void **state)
{
    struct share share = begin(2);
    struct err err;

    (void)state;
    err_init(&err, NULL);
    assert_int_equal(share_run(&share, ITEMS, make_with_help, &tally, &err), ERR_OK);
    assert_true(tally.elsewhere);
    assert_int_equal(made(), ITEMS);
}

static void no_items_are_no_work(void **state)
{
    struct share share = begin(4);
    struct err err;

    (void)state;
    err_init(&err, NULL);
    assert_int_equal(share_run(&share, 0, make, &tally, &err), ERR_OK);
    assert_int_equal(made(), 0);
}

static void the_error_of_a_part_is_the_error_of_all(void **state)
{
    (void)state;
    for (size_t threads = 1; threads <= 3; threads++) {
        struct share share = begin(threads);
        struct err err;

        err_init(&err, NULL);
        tally.bad = 200;
        assert_int_equal(share_run(&share, ITEMS, make, &tally, &err), ERR_NO_MEMORY);
        assert_string_equal(err.detail, "item 200");
        assert_true(made() < ITEMS);
    }
}

static void progress_cancels(void **state)
{
    struct share share = begin(1);
    struct err err;

    (void)state;
    err_init(&err, NULL);
    tally.cancel_at = 10;
    share.progress = tell;
    share.progress_ctx = &tally;
    assert_int_equal(share_run(&share, ITEMS, make, &tally, &err), ERR_CANCELLED);
    assert_true(made() < ITEMS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_made_once_on_any_number_of_threads),
        cmocka_unit_test(other_threads_take_part),
        cmocka_unit_test(no_items_are_no_work),
        cmocka_unit_test(the_error_of_a_part_is_the_error_of_all),
        cmocka_unit_test(progress_cancels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
