/* The power goes in the middle of the store's work, a hundred times on one database; and, on
 * databases of their own, at each single step of opening one and of closing one. */
#include "tests/unit/db/place.h"

#include "core/rng.h"
#include "db/handle.h"
#include "tests/fault/vfs.h"

enum { CUTS = 100, OPERATIONS_MAX = 600, LARGEST_BATCH = 17 };

static const struct store_setup on_faulty_disk = {.vfs = "faulty"};

/* What was acknowledged: batches 0 … next − 1. One more may have been on its way. */
struct story {
    struct place *place;
    struct vfs *vfs;
    struct rng rng;
    long next;
    int64_t fits; /* acknowledged likewise, one a batch now and then */
};

static int batch_size(long batch)
{
    return 1 + (int)(batch * 7 % LARGEST_BATCH);
}

/* Names scattered over the index, as hashes are. */
static void name_run(char name[64], long batch, int i)
{
    snprintf(name, 64, "%08lx-%ld-%d", (unsigned long)(batch * 2654435761u + (unsigned)i * 40503u),
             batch, i);
}

static enum err_code put_batch(struct store *store, long batch, struct err *err)
{
    static const struct tag tags[] = {{"router", "S-Base"}};
    enum err_code code = store_begin(store, err);

    for (int i = 0; i < batch_size(batch) && code == ERR_OK; i++) {
        char name[64];
        struct experiment run;
        enum put_outcome outcome;
        int64_t id;

        name_run(name, batch, i);
        run = run_named(name, 1 + (double)batch);
        run.tags = tags;
        run.n_tags = 1;
        run.present |= EXPERIMENT_TAGS;
        code = experiment_put(store, &run, ON_CONFLICT_ERROR, &outcome, &id, err);
    }
    if (code == ERR_OK)
        return store_commit(store, err);
    store_rollback(store);
    return code;
}

struct tally {
    long batch; /* whole ones before it */
    int inside; /* runs seen of it */
    bool torn;
};

/* Runs come in the order written: each batch whole before the next begins. */
static bool count_batches(void *ctx, const struct experiment *run)
{
    struct tally *tally = ctx;
    char want[64];

    name_run(want, tally->batch, tally->inside);
    tally->torn |= strcmp(run->name, want) != 0 || run->obs.loss != 1 + (double)tally->batch ||
                   run->n_tags != 1;
    if (++tally->inside == batch_size(tally->batch)) {
        tally->batch++;
        tally->inside = 0;
    }
    return !tally->torn;
}

/* Opens with power that stays: the file is checked, acknowledged batches are there, none in part.
 */
static void assert_nothing_lost(struct story *story)
{
    struct place *place = story->place;
    struct tally tally = {0};
    char answer[64];

    assert_ok(place, handle_open_writer(place->path, &on_faulty_disk, &place->store, &place->err));
    assert_ok(place, handle_query(place->store->db, "PRAGMA integrity_check", answer, sizeof answer,
                                  &place->err));
    assert_string_equal(answer, "ok");
    assert_ok(place, experiment_each(place->store, "default", NULL, 0, INT64_MAX, 0, count_batches,
                                     &tally, &place->err));
    assert_false(tally.torn);
    assert_int_equal(tally.inside, 0);
    assert_true(tally.batch == story->next || tally.batch == story->next + 1);
    story->next = tally.batch;
    place_close(place);
}

/* Opens; commits fold in the log far sooner than usual, so that cuts fall there too. */
static enum err_code open_to_work(struct place *place)
{
    enum err_code code =
        handle_open_writer(place->path, &on_faulty_disk, &place->store, &place->err);

    return code == ERR_OK
               ? handle_execute(place->store, "PRAGMA wal_autocheckpoint = 40", &place->err)
               : code;
}

/* Works until something fails: batches, checkpoints, sometimes a close and an open. */
static void work(struct story *story)
{
    struct place *place = story->place;
    enum err_code code = open_to_work(place);

    while (code == ERR_OK) {
        switch (rng_below(&story->rng, 12)) {
        case 0:
            code = store_checkpoint(place->store, &place->err);
            break;
        case 1:
            place_close(place);
            code = open_to_work(place);
            break;
        default:
            code = put_batch(place->store, story->next, &place->err);
            if (code == ERR_OK)
                story->next++;
        }
    }
    place_close(place);
    assert_true(vfs_is_cut(story->vfs)); /* else the store failed by itself */
    err_init(&place->err, NULL);
}

static void no_acknowledged_run_is_lost_in_a_hundred_power_cuts(void **state)
{
    struct story story = {
        .place = *state, .vfs = vfs_open(on_faulty_disk.vfs, 2024), .rng = rng_stream(2024, 1)};

    assert_non_null(story.vfs);
    for (int cut = 0; cut < CUTS; cut++) {
        vfs_cut_at(story.vfs, 1 + rng_below(&story.rng, OPERATIONS_MAX));
        work(&story);
        vfs_restore(story.vfs);
        assert_nothing_lost(&story);
    }
    print_message("%ld batches acknowledged over %d power cuts\n", story.next, CUTS);
    assert_true(story.next > CUTS);
    vfs_close(story.vfs);
}

/* A new database, one batch, and closed, with the power going at the n-th operation. */
static bool survives_cut_at(struct place *place, uint64_t n)
{
    struct story story = {.place = place, .vfs = vfs_open(on_faulty_disk.vfs, n)};
    enum err_code code;
    bool cut;

    snprintf(place->path, sizeof place->path, "%s/%llu.db", place->directory,
             (unsigned long long)n);
    vfs_cut_at(story.vfs, n);
    code = handle_open_writer(place->path, &on_faulty_disk, &place->store, &place->err);
    if (code == ERR_OK && put_batch(place->store, 0, &place->err) == ERR_OK)
        story.next = 1;
    place_close(place);
    err_init(&place->err, NULL);
    cut = vfs_is_cut(story.vfs);
    vfs_restore(story.vfs);
    assert_nothing_lost(&story);
    vfs_close(story.vfs);
    return cut;
}

static void a_cut_at_any_step_of_a_short_life_loses_nothing(void **state)
{
    uint64_t steps = 1;

    while (survives_cut_at(*state, steps))
        steps++;
    print_message("%llu steps\n", (unsigned long long)steps);
    assert_true(steps > 20);
}

/* The tool itself: a disk that forgets must be able to lose what was not synced. */
static void a_store_that_does_not_sync_loses_runs(void **state)
{
    struct place *place = *state;
    struct vfs *vfs = vfs_open(on_faulty_disk.vfs, 7);
    int lost = 0;

    for (int i = 0; i < 20; i++) {
        struct store *store;
        uint64_t count;

        snprintf(place->path, sizeof place->path, "%s/%d.db", place->directory, i);
        assert_ok(place,
                  handle_open_writer(place->path, &on_faulty_disk, &place->store, &place->err));
        assert_ok(place, handle_execute(place->store, "PRAGMA synchronous = OFF", &place->err));
        assert_ok(place, put_batch(place->store, 0, &place->err));
        vfs_cut_at(vfs, 1);
        place_close(place);
        vfs_restore(vfs);
        if (handle_open_writer(place->path, &on_faulty_disk, &store, &place->err) != ERR_OK) {
            lost++;
            continue;
        }
        assert_ok(place, experiment_count(store, NULL, &count, &place->err));
        lost += count == 0;
        store_close(store);
    }
    assert_true(lost > 0);
    vfs_close(vfs);
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(no_acknowledged_run_is_lost_in_a_hundred_power_cuts),
        WITH_PLACE(a_cut_at_any_step_of_a_short_life_loses_nothing),
        WITH_PLACE(a_store_that_does_not_sync_loses_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
