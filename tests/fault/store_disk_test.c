/* The store on a disk that fails or is full: clean errors, nothing half-written, usable after. */
#include "tests/unit/db/place.h"

#include "db/handle.h"
#include "tests/fault/vfs.h"

static const struct store_setup on_faulty_disk = {.vfs = "faulty"};

struct bench {
    struct place *place;
    struct vfs *vfs;
};

static int make_bench(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    assert_non_null(bench);
    place_make((void **)&bench->place);
    bench->vfs = vfs_open(on_faulty_disk.vfs, 1);
    assert_non_null(bench->vfs);
    *state = bench;
    return 0;
}

static int drop_bench(void **state)
{
    struct bench *bench = *state;

    place_drop((void **)&bench->place);
    vfs_close(bench->vfs);
    free(bench);
    return 0;
}

static void open_faulty(struct place *place)
{
    assert_ok(place, handle_open_writer(place->path, &on_faulty_disk, &place->store, &place->err));
}

static enum err_code try_put(struct place *place, const char *name, double loss)
{
    const struct experiment run = run_named(name, loss);
    enum put_outcome outcome;
    int64_t id;

    return put(place, &run, ON_CONFLICT_REPLACE, &outcome, &id);
}

/* Puts `count` runs named prefix-0 … in the open transaction. */
static enum err_code try_put_many(struct place *place, const char *prefix, int count)
{
    enum err_code code = ERR_OK;

    for (int i = 0; i < count && code == ERR_OK; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s-%d", prefix, i);
        code = try_put(place, name, 3);
    }
    return code;
}

/* A day's work in five transactions, each of which holds or leaves nothing. Bit i of the answer
 * says that transaction i was acknowledged. */
enum { STEPS = 5, ALL_STEPS = (1 << STEPS) - 1, RUNS_A = 30, RUNS_B = 40 };

static enum err_code put_study(struct place *place)
{
    bool created;

    return study_put(place->store, &(struct study){.id = "s"}, &created, &place->err);
}

static enum err_code put_a(struct place *place)
{
    return try_put_many(place, "a", RUNS_A);
}

static enum err_code put_b_but_for_what_fails(struct place *place)
{
    enum err_code code = store_mark(place->store, &place->err);

    if (code == ERR_OK)
        code = try_put_many(place, "undone", 10);
    if (code == ERR_OK)
        store_undo(place->store);
    return code == ERR_OK ? try_put_many(place, "b", RUNS_B) : code;
}

static enum err_code put_fit(struct place *place)
{
    static const double draws[6] = {1, 2, 3, 4, 5, 6};
    static const int64_t runs[3] = {1, 2, 3};
    const struct fit_record fit = {.study = "default",
                                   .law = "joint",
                                   .status = FIT_FINISHED,
                                   .n_coefficients = 2,
                                   .coefficient = {1, 2},
                                   .coefficient_name = {"a", "b"},
                                   .n_draws = 3,
                                   .draws = draws,
                                   .n_runs = 3,
                                   .runs = runs,
                                   .document = "{}",
                                   .document_length = 2};
    int64_t id;

    return fit_put(place->store, &fit, &id, &place->err);
}

static enum err_code delete_and_replace(struct place *place)
{
    const struct experiment run = run_named("gone", 3);
    enum put_outcome outcome;
    int64_t id;
    enum err_code code = put(place, &run, ON_CONFLICT_ERROR, &outcome, &id);

    if (code == ERR_OK)
        code = experiment_delete(place->store, id, &place->err);
    return code == ERR_OK ? try_put(place, "a-1", 2) : code;
}

static enum err_code (*const steps[STEPS])(struct place *place) = {
    put_study, put_a, put_b_but_for_what_fails, put_fit, delete_and_replace};

/* Every step is tried, also after one that failed: the store must stay usable. */
static unsigned work(struct place *place)
{
    unsigned done = 0;

    for (int i = 0; i < STEPS; i++) {
        enum err_code code = store_begin(place->store, &place->err);

        if (code != ERR_OK)
            continue;
        code = steps[i](place);
        if (code == ERR_OK)
            code = store_commit(place->store, &place->err);
        else
            store_rollback(place->store);
        if (code == ERR_OK)
            done |= 1u << i;
        (void)store_checkpoint(place->store, &place->err);
    }
    err_init(&place->err, NULL);
    return done;
}

static uint64_t query(struct place *place, const char *sql)
{
    char answer[32];

    assert_ok(place, handle_query(place->store->db, sql, answer, sizeof answer, &place->err));
    return strtoull(answer, NULL, 10);
}

/* What each step leaves: all of it or nothing. Acknowledged means all. */
static void assert_steps(struct place *place, unsigned done)
{
    const struct {
        const char *sql;
        uint64_t all;
    } traces[STEPS] = {
        {"SELECT count(*) FROM study WHERE id = 's'", 1},
        {"SELECT count(*) FROM experiment WHERE name GLOB 'a-*' AND loss = 3", RUNS_A},
        {"SELECT count(*) FROM experiment WHERE name GLOB 'b-*'", RUNS_B},
        {"SELECT count(*) FROM fit_coefficient JOIN fit ON fit = fit.id", 2},
        {"SELECT count(*) FROM experiment WHERE name = 'a-1' AND loss = 2", 1},
    };
    char answer[64];

    for (int i = 0; i < STEPS; i++) {
        uint64_t found = query(place, traces[i].sql);
        uint64_t replaced = i == 1 && query(place, traces[4].sql) ? 1 : 0; /* a-1, since */

        if (done & 1u << i)
            assert_int_equal(found, traces[i].all - replaced);
        else /* nothing, or all of what could not be told of */
            assert_true(found == 0 || found == traces[i].all - replaced);
    }
    assert_int_equal(query(place, "SELECT count(*) FROM experiment WHERE name = 'gone'"), 0);
    assert_int_equal(query(place, "SELECT count(*) FROM experiment WHERE name GLOB 'undone*'"), 0);
    assert_ok(place, handle_query(place->store->db, "PRAGMA integrity_check", answer, sizeof answer,
                                  &place->err));
    assert_string_equal(answer, "ok");
}

static void fresh_path(struct place *place, const char *prefix, uint64_t n)
{
    snprintf(place->path, sizeof place->path, "%s/%s%llu.db", place->directory, prefix,
             (unsigned long long)n);
}

/* The n-th operation of the work fails; whether there were so many. */
static bool works_with_failure_at(struct bench *bench, uint64_t n, bool lasting)
{
    struct place *place = bench->place;
    unsigned done, again;
    bool failed;

    fresh_path(place, lasting ? "l" : "s", n);
    open_faulty(place);
    vfs_fail_at(bench->vfs, n, lasting);
    done = work(place);
    failed = vfs_has_failed(bench->vfs);
    vfs_fail_at(bench->vfs, 0, false);
    assert_steps(place, done); /* the handle still tells the truth */
    place_close(place);
    open_faulty(place);
    assert_steps(place, done);
    if (!failed)
        assert_int_equal(done, ALL_STEPS);
    again = work(place); /* all may be done now: names allow for a second time */
    assert_int_equal(again & 0xf, 0xf);
    place_close(place);
    return failed;
}

static void any_single_failure_of_the_disk_leaves_whole_transactions(void **state)
{
    uint64_t n = 1;

    while (works_with_failure_at(*state, n, false))
        n++;
    print_message("%llu operations\n", (unsigned long long)n);
    assert_true(n > 50);
}

static void a_disk_that_stays_broken_leaves_whole_transactions(void **state)
{
    uint64_t n = 1;

    while (works_with_failure_at(*state, n, true))
        n++;
    assert_true(n > 50);
}

static void any_failure_while_opening_is_an_error_and_harms_nothing(void **state)
{
    struct bench *bench = *state;
    struct place *place = bench->place;
    bool failed = true;

    for (uint64_t n = 1; failed; n++) {
        enum err_code code;

        fresh_path(place, "o", n);
        vfs_fail_at(bench->vfs, n, false);
        code = handle_open_writer(place->path, &on_faulty_disk, &place->store, &place->err);
        failed = vfs_has_failed(bench->vfs);
        vfs_fail_at(bench->vfs, 0, false);
        if (code != ERR_OK) {
            assert_true(failed);
            assert_null(place->store);
            assert_true(strlen(place->err.detail) > 0);
            open_faulty(place);
        }
        assert_int_equal(work(place), ALL_STEPS);
        place_close(place);
    }
}

static void any_failure_while_copying_leaves_no_copy(void **state)
{
    struct bench *bench = *state;
    struct place *place = bench->place;
    bool failed = true;

    open_faulty(place);
    assert_int_equal(work(place), ALL_STEPS);
    for (uint64_t n = 1; failed; n++) {
        const char *copy = arena_printf(&place->arena, "%s/c%d.db", place->directory, (int)n);
        enum err_code code;

        vfs_fail_at(bench->vfs, n, false);
        code = store_backup(place->store, copy, &place->err);
        failed = vfs_has_failed(bench->vfs);
        vfs_fail_at(bench->vfs, 0, false);
        assert_int_equal(access(copy, F_OK) == 0, code == ERR_OK);
        assert_int_not_equal(access(arena_printf(&place->arena, "%s.partial", copy), F_OK), 0);
        if (!failed)
            assert_int_equal(code, ERR_OK);
        err_init(&place->err, NULL);
    }
    assert_steps(place, ALL_STEPS);
}

/* A full disk. */

static void a_full_disk_is_said_and_passes(void **state)
{
    enum { MANY = 5000 };
    struct bench *bench = *state;
    struct place *place = bench->place;

    open_faulty(place);
    assert_int_equal(work(place), ALL_STEPS);
    vfs_set_room(bench->vfs, 1000);
    for (int i = 0; i < 3; i++) {
        assert_ok(place, store_begin(place->store, &place->err));
        assert_ok(place, try_put_many(place, "more", MANY));
        assert_error(place, store_commit(place->store, &place->err), ERR_STORAGE_FULL);
    }
    assert_ok(place, store_ping(place->store, &place->err)); /* reading goes on */
    assert_steps(place, ALL_STEPS);
    vfs_set_room(bench->vfs, UINT64_MAX);
    assert_ok(place, store_begin(place->store, &place->err));
    assert_ok(place, try_put_many(place, "more", MANY));
    assert_ok(place, store_commit(place->store, &place->err));
    place_close(place);
    open_faulty(place);
    assert_int_equal(query(place, "SELECT count(*) FROM experiment WHERE name GLOB 'more-*'"),
                     MANY);
    assert_steps(place, ALL_STEPS);
}

/* With a small cache SQLite meets the full disk inside a verb, and rolls the transaction back by
 * itself: what follows must not be committed piece by piece. */
static void a_lost_transaction_stays_lost_until_it_is_ended(void **state)
{
    struct bench *bench = *state;
    struct place *place = bench->place;
    enum err_code code;

    open_faulty(place);
    assert_ok(place, handle_execute(place->store, "PRAGMA cache_size = 10", &place->err));
    vfs_set_room(bench->vfs, 100000);
    assert_ok(place, store_begin(place->store, &place->err));
    assert_ok(place, store_mark(place->store, &place->err));
    code = try_put_many(place, "many", 100000);
    assert_error(place, code, ERR_STORAGE_FULL);
    store_undo(place->store);
    vfs_set_room(bench->vfs, UINT64_MAX); /* from here on everything could be written */
    assert_error(place, store_mark(place->store, &place->err), ERR_STORAGE_FULL);
    assert_error(place, try_put(place, "alone", 3), ERR_STORAGE_FULL);
    assert_error(place, put_fit(place), ERR_STORAGE_FULL);
    assert_error(place, put_study(place), ERR_STORAGE_FULL);
    assert_error(place, store_commit(place->store, &place->err), ERR_STORAGE_FULL);
    assert_int_equal(count_runs(place, place->store, NULL), 0);
    assert_int_equal(work(place), ALL_STEPS);
    assert_steps(place, ALL_STEPS);
}

int main(void)
{
#define WITH_BENCH(test) cmocka_unit_test_setup_teardown(test, make_bench, drop_bench)
    const struct CMUnitTest tests[] = {
        WITH_BENCH(any_single_failure_of_the_disk_leaves_whole_transactions),
        WITH_BENCH(a_disk_that_stays_broken_leaves_whole_transactions),
        WITH_BENCH(any_failure_while_opening_is_an_error_and_harms_nothing),
        WITH_BENCH(any_failure_while_copying_leaves_no_copy),
        WITH_BENCH(a_full_disk_is_said_and_passes),
        WITH_BENCH(a_lost_transaction_stays_lost_until_it_is_ended),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
