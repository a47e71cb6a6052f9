#include "tests/unit/server/served.h"

#include <semaphore.h>

/* Handlers of the tests' own; what they share hangs at call->stage. */
struct shared {
    sem_t entered, go; /* a handler that holds the writer up */
    const char *study;
    enum err_code code;
};

static enum err_code hold_up(struct call *call)
{
    struct shared *shared = call->stage;

    sem_post(&shared->entered);
    sem_wait(&shared->go);
    reply_json(call, 200, "{}", 2);
    return ERR_OK;
}

/* Puts a study, then ends as it is told. */
static enum err_code put_study(struct call *call)
{
    struct shared *shared = call->stage;
    struct study study = {.id = shared->study, .created_at_us = 1, .updated_at_us = 1};
    bool created;
    enum err_code code = study_put(call->store, &study, &created, &call->err);

    if (code != ERR_OK)
        return code;
    writer_touch_studies(call->app->writer);
    if (shared->code != ERR_OK)
        return err_set(&call->err, shared->code, "as the test wants it");
    reply_json(call, 201, "{}", 2);
    return ERR_OK;
}

static struct asked *submit(struct served *served, call_handler *handler, struct shared *shared)
{
    struct asked *asked = asked_make(served, "POST", "/test");

    asked->call.stage = shared;
    assert_int_equal(writer_submit(served->app.writer, &asked->call, handler, &asked->call.err),
                     ERR_OK);
    return asked;
}

static int finish(struct asked *asked)
{
    int status = asked_wait(asked);

    asked_drop(asked);
    return status;
}

static bool study_is_shown(struct served *served, const char *id)
{
    struct snapshot *snapshot = snapshot_acquire(served->app.snapshots);
    bool shown = snapshot_study(snapshot, id) != NULL;

    snapshot_release(snapshot);
    return shown;
}

/* Holds the writer in one item, so that what is submitted meanwhile becomes one batch. */
static struct asked *hold(struct served *served, struct shared *shared)
{
    struct asked *asked;

    sem_init(&shared->entered, 0, 0);
    sem_init(&shared->go, 0, 0);
    asked = submit(served, hold_up, shared);
    sem_wait(&shared->entered);
    return asked;
}

static void release(struct asked *held, struct shared *shared)
{
    sem_post(&shared->go);
    assert_int_equal(finish(held), 200);
    sem_destroy(&shared->entered);
    sem_destroy(&shared->go);
}

static void a_reply_comes_after_the_commit_and_the_snapshot_shows_it(void **state)
{
    struct served *served = *state;
    struct shared shared = {.study = "s"};

    assert_int_equal(finish(submit(served, put_study, &shared)), 201);
    assert_true(study_is_shown(served, "s"));
    assert_int_equal(served_get(served, "/v1/studies/s"), 200);
}

static void whatever_waits_shares_one_commit(void **state)
{
    enum { ITEMS = 50 };
    struct served *served = *state;
    struct shared held_shared = {.study = NULL}, shared[ITEMS];
    struct asked *held = hold(served, &held_shared), *asked[ITEMS];
    struct writer_stats before, after;
    char names[ITEMS][16];

    for (int i = 0; i < ITEMS; i++) {
        snprintf(names[i], sizeof names[i], "s%d", i);
        shared[i] = (struct shared){.study = names[i]};
        asked[i] = submit(served, put_study, &shared[i]);
    }
    before = writer_stats(served->app.writer);
    assert_int_equal(before.queued, ITEMS + 1);
    release(held, &held_shared);
    for (int i = 0; i < ITEMS; i++)
        assert_int_equal(finish(asked[i]), 201);
    after = writer_stats(served->app.writer);
    assert_int_equal(after.commits - before.commits, 2); /* the held one, and all others */
    assert_int_equal(after.items - before.items, ITEMS + 1);
    assert_int_equal(after.queued, 0);
    for (int i = 0; i < ITEMS; i++)
        assert_true(study_is_shown(served, names[i]));
}

static void an_item_that_fails_is_undone_alone(void **state)
{
    struct served *served = *state;
    struct shared held_shared = {.study = NULL};
    struct shared good = {.study = "good"}, bad = {.study = "bad", .code = ERR_CONFLICT},
                  better = {.study = "better"};
    struct asked *held = hold(served, &held_shared), *asked[3];

    asked[0] = submit(served, put_study, &good);
    asked[1] = submit(served, put_study, &bad);
    asked[2] = submit(served, put_study, &better);
    release(held, &held_shared);
    assert_int_equal(finish(asked[0]), 201);
    assert_int_equal(finish(asked[1]), 409);
    assert_int_equal(finish(asked[2]), 201);
    assert_true(study_is_shown(served, "good"));
    assert_false(study_is_shown(served, "bad"));
    assert_true(study_is_shown(served, "better"));
}

static void when_the_engine_is_in_trouble_nobody_before_is_told_of_success(void **state)
{
    struct served *served = *state;
    struct shared held_shared = {.study = NULL};
    struct shared before = {.study = "before"}, full = {.study = "full", .code = ERR_STORAGE_FULL},
                  after = {.study = "after"};
    struct asked *held, *asked[3];

    held = hold(served, &held_shared);
    asked[0] = submit(served, put_study, &before);
    asked[1] = submit(served, put_study, &full);
    asked[2] = submit(served, put_study, &after);
    release(held, &held_shared);
    assert_int_equal(finish(asked[0]), 507);
    assert_int_equal(finish(asked[1]), 507);
    assert_int_equal(finish(asked[2]), 201); /* a transaction of its own */
    assert_false(study_is_shown(served, "before"));
    assert_false(study_is_shown(served, "full"));
    assert_true(study_is_shown(served, "after"));
}

/* A handler that spoils the transaction, so that its commit fails. */
static enum err_code end_transaction(struct call *call)
{
    store_rollback(call->store);
    reply_json(call, 201, "{}", 2);
    return ERR_OK;
}

static void when_the_commit_fails_every_item_fails(void **state)
{
    struct served *served = *state;
    struct shared held_shared = {.study = NULL}, first = {.study = "first"},
                  last = {.study = "last"};
    struct asked *held = hold(served, &held_shared), *asked[3];
    struct writer_stats before = writer_stats(served->app.writer), after;

    asked[0] = submit(served, put_study, &first);
    asked[1] = submit(served, end_transaction, NULL);
    release(held, &held_shared);
    assert_in_range(finish(asked[0]), 500, 599);
    assert_in_range(finish(asked[1]), 500, 599);
    after = writer_stats(served->app.writer);
    assert_int_equal(after.commits - before.commits, 1);
    assert_false(study_is_shown(served, "first"));
    asked[2] = submit(served, put_study, &last);
    assert_int_equal(finish(asked[2]), 201);
}

static enum err_code put_by_ctx(struct store *store, void *ctx, struct err *err)
{
    struct study study = {.id = ctx, .created_at_us = 1, .updated_at_us = 1};
    bool created;

    return study_put(store, &study, &created, err);
}

static enum err_code fail_by_ctx(struct store *store, void *ctx, struct err *err)
{
    put_by_ctx(store, ctx, err);
    return err_set(err, ERR_CONFLICT, "as the test wants it");
}

static void a_fit_thread_waits_for_its_own_commit(void **state)
{
    struct served *served = *state;
    struct place *place = served->place;
    char kept[] = "kept", undone[] = "undone";

    assert_ok(place, writer_run(served->app.writer, put_by_ctx, kept, &place->err));
    assert_error(place, writer_run(served->app.writer, fail_by_ctx, undone, &place->err),
                 ERR_CONFLICT);
    assert_int_equal(served_get(served, "/v1/experiments?study=kept"), 404); /* nobody touched */
    {
        struct shared shared = {.study = "other"};

        finish(submit(served, put_study, &shared));
    }
    assert_int_equal(served_get(served, "/v1/experiments?study=kept"), 200);
    assert_int_equal(served_get(served, "/v1/experiments?study=undone"), 404);
}

static enum err_code read_back(struct call *call)
{
    struct shared *shared = call->stage;
    struct study study;
    enum err_code code = study_read(call->store, shared->study, &call->arena, &study, &call->err);

    if (code == ERR_OK)
        reply_json(call, 200, "{}", 2);
    return code;
}

static enum err_code put_then_read(struct call *call)
{
    enum err_code code = put_study(call);

    if (code == ERR_OK)
        call_continue(call, LANE_READER, read_back);
    return code;
}

static void a_handler_goes_on_elsewhere_only_after_its_commit(void **state)
{
    struct served *served = *state;
    struct shared shared = {.study = "staged"};
    struct asked *asked = submit(served, put_then_read, &shared);

    assert_int_equal(finish(asked), 200);
    shared = (struct shared){.study = "never", .code = ERR_CONFLICT};
    assert_int_equal(finish(submit(served, put_then_read, &shared)), 409);
}

static void a_full_queue_refuses_and_loses_nothing(void **state)
{
    struct served *served = *state;
    struct shared held_shared = {.study = NULL}, shared = {.study = "one"};
    struct asked *held = hold(served, &held_shared), **asked, *refused;
    struct place *place = served->place;

    asked = test_calloc(WRITER_QUEUE_MAX, sizeof *asked);
    for (int i = 0; i < WRITER_QUEUE_MAX - 1; i++) /* the held one counts */
        asked[i] = submit(served, put_study, &shared);
    refused = asked_make(served, "POST", "/test");
    assert_error(place, writer_submit(served->app.writer, &refused->call, put_study, &place->err),
                 ERR_UNAVAILABLE);
    asked_drop(refused);
    release(held, &held_shared);
    for (int i = 0; i < WRITER_QUEUE_MAX - 1; i++)
        assert_int_equal(finish(asked[i]), 201);
    test_free(asked);
}

static void closing_finishes_what_is_queued(void **state)
{
    struct served *served = *state;
    struct shared shared = {.study = "last"};
    struct asked *asked[20];

    for (int i = 0; i < 20; i++)
        asked[i] = submit(served, put_study, &shared);
    writer_close(served->app.writer);
    served->app.writer = NULL;
    for (int i = 0; i < 20; i++)
        assert_int_equal(finish(asked[i]), 201);
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, served_make, served_drop)
    const struct CMUnitTest tests[] = {
        SERVED(a_reply_comes_after_the_commit_and_the_snapshot_shows_it),
        SERVED(whatever_waits_shares_one_commit),
        SERVED(an_item_that_fails_is_undone_alone),
        SERVED(when_the_engine_is_in_trouble_nobody_before_is_told_of_success),
        SERVED(when_the_commit_fails_every_item_fails),
        SERVED(a_fit_thread_waits_for_its_own_commit),
        SERVED(a_handler_goes_on_elsewhere_only_after_its_commit),
        SERVED(a_full_queue_refuses_and_loses_nothing),
        SERVED(closing_finishes_what_is_queued),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
