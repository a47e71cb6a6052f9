/* The store when memory runs out: at every single allocation of opening, of each verb, of a
 * transaction. A clean error, nothing half-written, nothing leaked, and the next call works. */
#include "tests/unit/db/place.h"

#include "db/handle.h"
#include "tests/fault/alloc.c"

static const struct tag tags[] = {{"router", "S-Base"}, {"team", "a"}};

static struct experiment tagged_run(const char *name, double loss)
{
    struct experiment run = run_named(name, loss);

    run.tags = tags;
    run.n_tags = 2;
    run.url = "https://example.org";
    run.present |= EXPERIMENT_TAGS | EXPERIMENT_URL;
    return run;
}

static struct fit_record some_fit(enum fit_status status)
{
    static const double draws[4] = {1, 2, 3, 4};
    static const int64_t runs[2] = {1, 2};

    return (struct fit_record){.study = "default",
                               .law = "joint",
                               .label = "x",
                               .status = status,
                               .n_coefficients = 2,
                               .coefficient = {1, 2},
                               .coefficient_name = {"a", "b"},
                               .n_experts = 1,
                               .experts = {1},
                               .n_draws = 2,
                               .draws = draws,
                               .n_runs = 2,
                               .runs = runs,
                               .document = "{}",
                               .document_length = 2};
}

/* The verbs, each on a store that holds study "s", runs 1 "a" and 2 "b", fits 1 (running) and 2.
 * `sql` counts what a verb that failed must have left alone. */
static bool see_run(void *ctx, const struct experiment *run)
{
    *(size_t *)ctx += run->n_tags;
    return true;
}

static bool see_fit(void *ctx, const struct fit_record *fit)
{
    *(size_t *)ctx += fit->n_draws;
    return true;
}

static enum err_code put_new(struct place *place)
{
    const struct experiment run = tagged_run("new", 3);
    enum put_outcome outcome;
    int64_t id;

    return put(place, &run, ON_CONFLICT_ERROR, &outcome, &id);
}

static enum err_code put_replacing(struct place *place)
{
    const struct experiment run = tagged_run("a", 2);
    enum put_outcome outcome;
    int64_t id;

    return put(place, &run, ON_CONFLICT_REPLACE, &outcome, &id);
}

static enum err_code read_one(struct place *place)
{
    struct experiment run;

    return experiment_read(place->store, 1, &place->arena, &run, &place->err);
}

static enum err_code update_one(struct place *place)
{
    struct experiment run = tagged_run("new", 2);

    run.id = 1;
    return experiment_update(place->store, &run, &place->err);
}

static enum err_code delete_one(struct place *place)
{
    return experiment_delete(place->store, 1, &place->err);
}

static enum err_code walk(struct place *place)
{
    size_t seen = 0;
    enum err_code code = experiment_each(place->store, "default", NULL, 0, INT64_MAX, 0, see_run,
                                         &seen, &place->err);

    if (code == ERR_OK)
        assert_int_equal(seen, 4); /* never a run with half its tags */
    return code;
}

static enum err_code count_and_mark(struct place *place)
{
    uint64_t count;
    int64_t high_water;
    enum err_code code = experiment_count(place->store, "default", &count, &place->err);

    return code == ERR_OK ? experiment_high_water(place->store, "default", &high_water, &place->err)
                          : code;
}

static enum err_code put_study(struct place *place)
{
    const struct study study = {.id = "t", .default_fit = "2", .description = "d"};
    bool created;

    return study_put(place->store, &study, &created, &place->err);
}

static enum err_code list_studies(struct place *place)
{
    struct study *studies;
    size_t count;

    return study_list(place->store, NULL, 10, &place->arena, &studies, &count, &place->err);
}

static enum err_code delete_study(struct place *place)
{
    return study_delete(place->store, "s", true, &place->err);
}

static enum err_code put_fit(struct place *place)
{
    const struct fit_record fit = some_fit(FIT_FINISHED);
    int64_t id;

    return fit_put(place->store, &fit, &id, &place->err);
}

static enum err_code finish_fit(struct place *place)
{
    struct fit_record fit = some_fit(FIT_FINISHED);
    int64_t id;

    fit.id = 1;
    return fit_put(place->store, &fit, &id, &place->err);
}

static enum err_code walk_fits(struct place *place)
{
    size_t seen = 0;
    enum err_code code = fit_each(place->store, see_fit, &seen, &place->err);

    if (code == ERR_OK)
        assert_int_equal(seen, 2); /* the running one has none yet */
    return code;
}

static enum err_code delete_fit(struct place *place)
{
    return fit_delete(place->store, 2, &place->err);
}

static enum err_code back_up(struct place *place)
{
    char path[128];
    enum err_code code;

    snprintf(path, sizeof path, "%s.copy", place->path);
    code = store_backup(place->store, path, &place->err);
    assert_int_equal(access(path, F_OK) == 0, code == ERR_OK);
    (void)unlink(path);
    return code;
}

static enum err_code transaction(struct place *place)
{
    enum err_code code = store_begin(place->store, &place->err);

    if (code != ERR_OK)
        return code;
    code = store_mark(place->store, &place->err);
    if (code == ERR_OK)
        code = put_new(place);
    if (code == ERR_OK)
        store_undo(place->store);
    if (code == ERR_OK)
        code = put_new(place);
    if (code == ERR_OK)
        return store_commit(place->store, &place->err);
    store_rollback(place->store);
    return code;
}

static const struct {
    const char *name;
    enum err_code (*verb)(struct place *place);
} verbs[] = {
    {"put_new", put_new},           {"put_replacing", put_replacing},
    {"read_one", read_one},         {"update_one", update_one},
    {"delete_one", delete_one},     {"walk", walk},
    {"list_studies", list_studies}, {"count_and_mark", count_and_mark},
    {"put_study", put_study},       {"delete_study", delete_study},
    {"put_fit", put_fit},           {"finish_fit", finish_fit},
    {"walk_fits", walk_fits},       {"delete_fit", delete_fit},
};

static void fill(struct place *place)
{
    const struct experiment a = tagged_run("a", 3), b = tagged_run("b", 3);
    const struct fit_record running = some_fit(FIT_RUNNING), finished = some_fit(FIT_FINISHED);
    bool created;
    int64_t id;

    insert(place, &a);
    insert(place, &b);
    assert_ok(place, study_put(place->store, &(struct study){.id = "s"}, &created, &place->err));
    assert_ok(place, fit_put(place->store, &running, &id, &place->err));
    assert_ok(place, fit_put(place->store, &finished, &id, &place->err));
}

enum { DUMP_BYTES = 4096 };

/* Everything a database holds, as one text, read past the store's verbs. */
static void dump(struct place *place, char ret_text[DUMP_BYTES])
{
    static const char sql[] =
        "SELECT (SELECT group_concat(id || name || loss || ifnull(tags, '')) FROM experiment) "
        "|| (SELECT group_concat(id || high_water || ifnull(default_fit, '')) FROM study) "
        "|| (SELECT group_concat(id || status || hex(draws)) FROM fit) "
        "|| (SELECT count(*) FROM fit_coefficient) || (SELECT count(*) FROM fit_level)";

    assert_ok(place, handle_query(place->store->db, sql, ret_text, DUMP_BYTES, &place->err));
    assert_true(strlen(ret_text) > 0);
}

/* Calls verb with its k-th allocation failing; whether there were so many. */
static bool fails_cleanly_at(struct place *place, enum err_code (*verb)(struct place *place),
                             const char *name, size_t k)
{
    enum err_code code;

    arena_release(&place->arena); /* its blocks are among the allocations */
    alloc_fail_at(k);
    code = verb(place);
    alloc_never_fail();
    if (code != ERR_OK && code != ERR_NO_MEMORY)
        print_error("%s, allocation %zu: %s\n", name, k, place->err.detail);
    if (code != ERR_OK) {
        assert_true(alloc_failed());
        assert_int_equal(code, ERR_NO_MEMORY);
        assert_int_equal(place->err.code, ERR_NO_MEMORY);
    }
    err_init(&place->err, NULL);
    return alloc_failed();
}

/* Inside a transaction that is taken back each time, so that every k meets the same database. */
static void every_verb_survives_every_failed_allocation(void **state)
{
    struct place *place = *state;

    if (!ALLOC_CAN_FAIL)
        skip();
    place_open(place);
    fill(place);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        char before[DUMP_BYTES], after[DUMP_BYTES];
        bool failed = true;

        dump(place, before);
        for (size_t k = 1; failed; k++) {
            assert_ok(place, store_begin(place->store, &place->err));
            failed = fails_cleanly_at(place, verbs[i].verb, verbs[i].name, k);
            store_rollback(place->store);
            dump(place, after);
            assert_string_equal(after, before);
        }
    }
}

/* A verb that failed has left nothing, or its transaction is lost: what is committed after it is
 * whole. */
static void what_a_failed_verb_leaves_can_be_committed(void **state)
{
    struct place *place = *state;

    if (!ALLOC_CAN_FAIL)
        skip();
    place_open(place);
    fill(place);
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        char before[DUMP_BYTES], after[DUMP_BYTES];
        enum err_code code = ERR_NO_MEMORY;

        dump(place, before);
        for (size_t k = 1; code != ERR_OK; k++) {
            assert_ok(place, store_begin(place->store, &place->err));
            alloc_fail_at(k);
            code = verbs[i].verb(place);
            alloc_never_fail();
            if (code == ERR_OK) {
                store_rollback(place->store);
                break;
            }
            (void)store_commit(place->store, &place->err);
            dump(place, after);
            assert_string_equal(after, before);
        }
        err_init(&place->err, NULL);
    }
}

static void a_transaction_and_a_copy_fail_as_a_whole(void **state)
{
    struct place *place = *state;
    bool failed = true;

    if (!ALLOC_CAN_FAIL)
        skip();
    place_open(place);
    fill(place);
    for (size_t k = 1; failed; k++) {
        uint64_t before = count_runs(place, place->store, NULL), after;

        failed = fails_cleanly_at(place, transaction, "transaction", k);
        after = count_runs(place, place->store, NULL);
        assert_true(after == before || after == before + 1);
        if (after > before)
            assert_ok(place,
                      handle_execute(place->store, "DELETE FROM experiment WHERE name = 'new'",
                                     &place->err));
    }
    failed = true;
    for (size_t k = 1; failed; k++)
        failed = fails_cleanly_at(place, back_up, "back_up", k);
}

/* Opening, one put, closing, with the k-th allocation failing. */
static bool live_with_failure_at(struct place *place, size_t k, bool onwards)
{
    struct experiment run = tagged_run("a", 3);
    enum put_outcome outcome;
    enum err_code code;
    int64_t id;
    bool failed;

    if (onwards)
        alloc_fail_from(k);
    else
        alloc_fail_at(k);
    code = store_open(place->path, &place->store, &place->err);
    if (code == ERR_OK)
        code = put(place, &run, ON_CONFLICT_ERROR, &outcome, &id);
    failed = alloc_failed();
    alloc_never_fail();
    place_close(place);
    if (code != ERR_OK) {
        if (code != ERR_NO_MEMORY)
            print_error("allocation %zu: %s\n", k, place->err.detail);
        assert_true(failed);
        assert_int_equal(code, ERR_NO_MEMORY);
        assert_int_equal(place->err.code, ERR_NO_MEMORY);
    }
    err_init(&place->err, NULL);
    return failed;
}

static void every_failed_allocation_of_a_short_life_is_clean(void **state)
{
    struct place *place = *state;

    if (!ALLOC_CAN_FAIL)
        skip();
    for (int onwards = 0; onwards <= 1; onwards++) {
        bool failed = true;
        size_t k, in_use;

        snprintf(place->path, sizeof place->path, "%s/life%d.db", place->directory, onwards);
        live_with_failure_at(place, 0, false); /* what the library keeps for ever is kept now */
        in_use = alloc_live();
        for (k = 1; failed; k++) {
            failed = live_with_failure_at(place, k, onwards);
            assert_int_equal(alloc_live(), in_use);
        }
        print_message("%zu allocations\n", k);
        assert_true(k > 100);
        place_open(place);
        assert_int_equal(count_runs(place, place->store, NULL), 1);
        place_close(place);
    }
}

int main(void)
{
#define WITH_PLACE(test) cmocka_unit_test_setup_teardown(test, place_make, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_PLACE(every_verb_survives_every_failed_allocation),
        WITH_PLACE(what_a_failed_verb_leaves_can_be_committed),
        WITH_PLACE(a_transaction_and_a_copy_fail_as_a_whole),
        WITH_PLACE(every_failed_allocation_of_a_short_life_is_clean),
    };

    if (access("/dev/shm", W_OK) == 0)
        setenv("TMPDIR", "/dev/shm", 0); /* thousands of syncs, none of which matters here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
