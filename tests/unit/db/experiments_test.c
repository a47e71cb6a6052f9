#include "tests/unit/db/place.h"

#include "core/rng.h"

static struct experiment full_run(const char *name, const struct tag *tags, size_t n_tags)
{
    struct experiment run = run_named(name, 2.5);

    run.obs = (struct obs){.n_active = 0.1 + 1e9,
                           .n_total = 8e9 / 3,
                           .tokens = 1e11 / 7,
                           .experts = 8,
                           .granularity = 2.5,
                           .loss = 2.0 / 3,
                           .weight = 0.3,
                           .train_flops = 1e20 / 3};
    run.loss_stderr = 0.01;
    run.seed = -3;
    run.step = (INT64_C(1) << 53) - 1;
    run.final = false;
    run.excluded = true;
    run.excluded_reason = "diverged";
    run.url = "https://example.org/r?a=1";
    run.tags = tags;
    run.n_tags = n_tags;
    run.present = ~0u;
    return run;
}

static void assert_same_run(const struct experiment *a, const struct experiment *b)
{
    assert_string_equal(a->study, b->study);
    assert_string_equal(a->name, b->name);
    assert_int_equal(obs_compare(&a->obs, &b->obs), 0);
    assert_true(a->loss_stderr == b->loss_stderr ||
                (isnan(a->loss_stderr) && isnan(b->loss_stderr)));
    assert_int_equal(a->seed, b->seed);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->final, b->final);
    assert_int_equal(a->excluded, b->excluded);
    assert_string_equal(a->url ? a->url : "", b->url ? b->url : "");
    assert_string_equal(a->excluded_reason ? a->excluded_reason : "",
                        b->excluded_reason ? b->excluded_reason : "");
    assert_int_equal(a->recorded_at_us, b->recorded_at_us);
    assert_int_equal(a->n_tags, b->n_tags);
    for (size_t i = 0; i < a->n_tags; i++) {
        assert_string_equal(a->tags[i].name, b->tags[i].name);
        assert_string_equal(a->tags[i].value, b->tags[i].value);
    }
}

/* The outcome of putting a run; fails on an error. */
static enum put_outcome outcome_of(struct place *place, const struct experiment *run,
                                   enum on_conflict on_conflict)
{
    enum put_outcome outcome;
    int64_t id;

    assert_ok(place, put(place, run, on_conflict, &outcome, &id));
    return outcome;
}

static void every_field_comes_back_as_it_was(void **state)
{
    static const struct tag tags[] = {{"a", "x \"quoted\" \\ \n\t"}, {"router", "S-Base"}};
    struct place *place = *state;
    struct experiment run = full_run("Δ run", tags, 2), stored;

    stored = read_run(place, insert(place, &run));
    assert_same_run(&stored, &run);
}

static void absent_fields_come_back_absent(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("bare", 3), stored;

    run.obs.n_total = NAN;
    stored = read_run(place, insert(place, &run));
    assert_true(isnan(stored.obs.n_total) && isnan(stored.obs.train_flops));
    assert_true(isnan(stored.loss_stderr));
    assert_null(stored.url);
    assert_null(stored.excluded_reason);
    assert_int_equal(stored.n_tags, 0);
    assert_int_equal(stored.present &
                         (EXPERIMENT_N_TOTAL | EXPERIMENT_TRAIN_FLOPS | EXPERIMENT_LOSS_STDERR |
                          EXPERIMENT_SEED | EXPERIMENT_STEP | EXPERIMENT_TAGS | EXPERIMENT_URL |
                          EXPERIMENT_EXCLUDED_REASON),
                     0);
    assert_int_equal(stored.present, EXPERIMENT_NAME | EXPERIMENT_EXPERTS | EXPERIMENT_GRANULARITY |
                                         EXPERIMENT_WEIGHT | EXPERIMENT_FINAL |
                                         EXPERIMENT_EXCLUDED | EXPERIMENT_RECORDED_AT);
}

static void doubles_keep_every_bit(void **state)
{
    struct place *place = *state;
    struct rng rng = rng_stream(7, 1);

    for (int i = 0; i < 2000; i++) {
        char name[32];
        struct experiment run, stored;

        snprintf(name, sizeof name, "r%d", i);
        run = run_named(name, ldexp(rng_uniform(&rng) + 0.5, (int)rng_below(&rng, 2000) - 1000));
        run.obs.tokens = ldexp(rng_uniform(&rng) + 0.5, (int)rng_below(&rng, 2000) - 1000);
        stored = read_run(place, insert(place, &run));
        assert_memory_equal(&stored.obs.loss, &run.obs.loss, sizeof run.obs.loss);
        assert_memory_equal(&stored.obs.tokens, &run.obs.tokens, sizeof run.obs.tokens);
    }
}

static void an_unknown_id_is_not_found(void **state)
{
    struct place *place = *state;
    struct experiment run;

    assert_error(place, experiment_read(place->store, 1, &place->arena, &run, &place->err),
                 ERR_EXPERIMENT_NOT_FOUND);
}

static void an_unknown_study_is_refused(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3);
    enum put_outcome outcome;
    int64_t id;

    run.study = "nowhere";
    assert_error(place, put(place, &run, ON_CONFLICT_ERROR, &outcome, &id), ERR_STUDY_NOT_FOUND);
    run.study = "default";
    insert(place, &run);
}

static void the_same_again_is_unchanged(void **state)
{
    static const struct tag tags[] = {{"router", "S-Base"}};
    struct place *place = *state;
    struct experiment run = full_run("a", tags, 1);
    enum put_outcome outcome;
    int64_t first = insert(place, &run), id;

    for (int mode = ON_CONFLICT_ERROR; mode <= ON_CONFLICT_IGNORE; mode++) {
        assert_ok(place, put(place, &run, (enum on_conflict)mode, &outcome, &id));
        assert_int_equal(outcome, PUT_UNCHANGED);
        assert_int_equal(id, first);
    }
    assert_int_equal(count_runs(place, place->store, "default"), 1);
}

static void what_was_read_can_be_put_back_unchanged(void **state)
{
    static const struct tag tags[] = {{"router", "S-Base"}};
    struct place *place = *state;
    struct experiment full = full_run("full", tags, 1), bare = run_named("bare", 3), stored;
    int64_t ids[] = {insert(place, &full), insert(place, &bare)};

    for (int i = 0; i < 2; i++) {
        stored = read_run(place, ids[i]);
        assert_int_equal(outcome_of(place, &stored, ON_CONFLICT_ERROR), PUT_UNCHANGED);
    }
}

static void each_field_of_the_content_conflicts_by_itself(void **state)
{
    static const struct tag tags[] = {{"router", "S-Base"}}, other_tags[] = {{"router", "Dense"}};
    struct place *place = *state;
    struct experiment base = full_run("a", tags, 1), other[17];
    const char *named[] = {"n_active",  "tokens",     "loss", "experts",     "granularity",
                           "n_total",   "weight",     "seed", "loss_stderr", "train_flops",
                           "step",      "final",      "tags", "url",         "excluded",
                           "excluded_", "recorded_at"};

    insert(place, &base);
    for (size_t i = 0; i < 17; i++)
        other[i] = base;
    other[0].obs.n_active++;
    other[1].obs.tokens++;
    other[2].obs.loss = nextafter(base.obs.loss, 9);
    other[3].obs.experts = 4;
    other[4].obs.granularity = 1;
    other[5].obs.n_total *= 2;
    other[6].obs.weight = 1;
    other[7].seed++;
    other[8].loss_stderr = 0;
    other[9].obs.train_flops *= 2;
    other[10].step--;
    other[11].final = true;
    other[12].tags = other_tags;
    other[13].url = "https://example.org/";
    other[14].excluded = false;
    other[15].excluded_reason = "other";
    other[16].recorded_at_us++;
    for (size_t i = 0; i < 17; i++) {
        enum put_outcome outcome;
        int64_t id;

        assert_int_equal(put(place, &other[i], ON_CONFLICT_ERROR, &outcome, &id), ERR_CONFLICT);
        assert_non_null(strstr(place->err.detail, named[i]));
        assert_non_null(strstr(place->err.detail, "\"a\""));
        assert_int_equal(outcome_of(place, &other[i], ON_CONFLICT_IGNORE), PUT_IGNORED);
    }
    assert_int_equal(outcome_of(place, &base, ON_CONFLICT_ERROR), PUT_UNCHANGED);
}

static void only_the_fields_in_the_request_count(void **state)
{
    static const struct tag tags[] = {{"router", "S-Base"}};
    struct place *place = *state;
    struct experiment full = full_run("a", tags, 1), request = run_named("a", full.obs.loss);

    insert(place, &full);
    request.obs.n_active = request.obs.n_total = full.obs.n_active;
    request.obs.tokens = full.obs.tokens; /* everything else is at its default */
    assert_int_equal(outcome_of(place, &request, ON_CONFLICT_ERROR), PUT_UNCHANGED);
    request.present |= EXPERIMENT_GRANULARITY;
    assert_int_equal(outcome_of(place, &request, ON_CONFLICT_IGNORE), PUT_IGNORED);
}

static void a_seed_of_zero_is_not_the_absent_seed(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3);

    insert(place, &run);
    run.present |= EXPERIMENT_SEED;
    run.seed = 0;
    assert_int_equal(outcome_of(place, &run, ON_CONFLICT_IGNORE), PUT_IGNORED);
}

static void empty_tags_are_no_tags(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3);

    insert(place, &run);
    run.present |= EXPERIMENT_TAGS;
    assert_int_equal(outcome_of(place, &run, ON_CONFLICT_ERROR), PUT_UNCHANGED);
}

static void a_replaced_run_keeps_its_id_and_takes_the_new_content(void **state)
{
    static const struct tag tags[] = {{"router", "S-Base"}};
    struct place *place = *state;
    struct experiment old = full_run("a", tags, 1), new = run_named("a", 1.5), stored;
    enum put_outcome outcome;
    int64_t first = insert(place, &old), id;

    assert_ok(place, put(place, &new, ON_CONFLICT_REPLACE, &outcome, &id));
    assert_int_equal(outcome, PUT_REPLACED);
    assert_int_equal(id, first);
    stored = read_run(place, id);
    new.excluded = true;
    new.excluded_reason = "diverged";
    assert_same_run(&stored, &new);
    assert_int_equal(count_runs(place, place->store, "default"), 1);
}

static void a_replacement_undoes_an_exclusion_only_when_it_says_so(void **state)
{
    struct place *place = *state;
    struct experiment run = full_run("a", NULL, 0), stored;
    int64_t id = insert(place, &run);

    run.obs.loss = 2;
    run.present &= ~(unsigned)(EXPERIMENT_EXCLUDED | EXPERIMENT_EXCLUDED_REASON);
    run.excluded = false;
    run.excluded_reason = NULL;
    assert_int_equal(outcome_of(place, &run, ON_CONFLICT_REPLACE), PUT_REPLACED);
    stored = read_run(place, id);
    assert_true(stored.excluded);
    assert_string_equal(stored.excluded_reason, "diverged");

    run.present |= EXPERIMENT_EXCLUDED;
    assert_int_equal(outcome_of(place, &run, ON_CONFLICT_REPLACE), PUT_REPLACED);
    stored = read_run(place, id);
    assert_false(stored.excluded);
    assert_null(stored.excluded_reason); /* a reason for nothing is none */
}

static void the_same_name_in_another_study_is_another_run(void **state)
{
    const struct study study = {.id = "other"};
    struct place *place = *state;
    struct experiment run = run_named("a", 3);
    bool created;
    int64_t id = insert(place, &run);

    assert_ok(place, study_put(place->store, &study, &created, &place->err));
    run.study = "other";
    run.obs.loss = 2;
    assert_int_not_equal(insert(place, &run), id);
}

static void an_update_replaces_the_run_whole(void **state)
{
    struct place *place = *state;
    struct experiment run = full_run("a", NULL, 0), stored;
    int64_t id = insert(place, &run);

    run = run_named("b", 1.25);
    run.id = id;
    assert_ok(place, experiment_update(place->store, &run, &place->err));
    stored = read_run(place, id);
    assert_same_run(&stored, &run);
}

static void an_update_to_a_taken_name_conflicts(void **state)
{
    struct place *place = *state;
    struct experiment a = run_named("a", 3), b = run_named("b", 2), stored;

    insert(place, &a);
    b.id = insert(place, &b);
    b.name = "a";
    assert_error(place, experiment_update(place->store, &b, &place->err), ERR_CONFLICT);
    stored = read_run(place, b.id);
    assert_string_equal(stored.name, "b");
    b.id += 100;
    b.name = "c";
    assert_error(place, experiment_update(place->store, &b, &place->err), ERR_EXPERIMENT_NOT_FOUND);
}

static void a_deleted_run_is_gone_and_its_id_is_not_given_again(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3);
    int64_t id = insert(place, &run), high_water;

    assert_ok(place, experiment_delete(place->store, id, &place->err));
    assert_error(place, experiment_read(place->store, id, &place->arena, &run, &place->err),
                 ERR_EXPERIMENT_NOT_FOUND);
    assert_error(place, experiment_delete(place->store, id, &place->err), ERR_EXPERIMENT_NOT_FOUND);
    assert_ok(place, experiment_high_water(place->store, "default", &high_water, &place->err));
    assert_int_equal(high_water, id);
    place_reopen(place);
    run = run_named("a", 3);
    assert_true(insert(place, &run) > id);
}

static void ids_ascend_past_what_was_taken_back(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3);
    int64_t first = insert(place, &run), taken_back;

    run.name = "b";
    assert_ok(place, store_begin(place->store, &place->err));
    taken_back = insert(place, &run);
    store_rollback(place->store);
    assert_true(taken_back > first);
    assert_true(insert(place, &run) > first);
    place_reopen(place);
    run.name = "c";
    assert_true(insert(place, &run) > taken_back);
}

static void a_study_made_anew_is_not_taken_for_the_old_one(void **state)
{
    struct place *place = *state;
    const struct study study = {.id = "s"};
    struct experiment run = run_named("a", 3);
    enum put_outcome outcome;
    bool created;
    int64_t id;

    run.study = "s";
    assert_ok(place, store_begin(place->store, &place->err));
    assert_ok(place, store_mark(place->store, &place->err));
    assert_ok(place, study_put(place->store, &study, &created, &place->err));
    insert(place, &run);
    store_undo(place->store);
    assert_error(place, put(place, &run, ON_CONFLICT_ERROR, &outcome, &id), ERR_STUDY_NOT_FOUND);
    assert_ok(place, study_put(place->store, &study, &created, &place->err));
    insert(place, &run);
    assert_ok(place, study_delete(place->store, "s", true, &place->err));
    assert_error(place, put(place, &run, ON_CONFLICT_ERROR, &outcome, &id), ERR_STUDY_NOT_FOUND);
    assert_ok(place, store_commit(place->store, &place->err));
}

static void the_high_water_is_of_the_study(void **state)
{
    const struct study study = {.id = "other"};
    struct place *place = *state;
    struct experiment run = run_named("a", 3);
    bool created;
    int64_t id, high_water = -1;

    assert_ok(place, study_put(place->store, &study, &created, &place->err));
    id = insert(place, &run);
    assert_ok(place, experiment_high_water(place->store, "other", &high_water, &place->err));
    assert_int_equal(high_water, 0);
    assert_ok(place, experiment_high_water(place->store, "default", &high_water, &place->err));
    assert_int_equal(high_water, id);
    assert_error(place, experiment_high_water(place->store, "none", &high_water, &place->err),
                 ERR_STUDY_NOT_FOUND);
}

struct seen {
    int64_t ids[32];
    size_t count, stop_at; /* 0: never */
};

static bool see(void *ctx, const struct experiment *run)
{
    struct seen *seen = ctx;

    assert_true(seen->count < 32);
    seen->ids[seen->count++] = run->id;
    return seen->count != seen->stop_at;
}

static void put_ten(struct place *place, int64_t ids[10])
{
    for (int i = 0; i < 10; i++) {
        char name[16];
        struct experiment run;

        snprintf(name, sizeof name, "r%d", i);
        run = run_named(name, 1 + i);
        ids[i] = insert(place, &run);
    }
}

static void each_pages_in_ascending_id(void **state)
{
    struct place *place = *state;
    struct seen seen = {0};
    int64_t ids[10], after = 0;

    put_ten(place, ids);
    for (int page = 0; page < 4; page++) {
        assert_ok(place, experiment_each(place->store, "default", NULL, after, INT64_MAX, 3, see,
                                         &seen, &place->err));
        after = seen.ids[seen.count - 1];
    }
    assert_int_equal(seen.count, 10);
    assert_memory_equal(seen.ids, ids, sizeof ids);
}

static void each_keeps_to_its_window_and_stops_when_told(void **state)
{
    struct place *place = *state;
    struct seen window = {0}, stopped = {.stop_at = 2};
    int64_t ids[10];

    put_ten(place, ids);
    assert_ok(place, experiment_each(place->store, "default", NULL, ids[2], ids[5], 0, see, &window,
                                     &place->err));
    assert_int_equal(window.count, 3);
    assert_memory_equal(window.ids, ids + 3, 3 * sizeof ids[0]);
    assert_ok(place, experiment_each(place->store, "default", NULL, 0, INT64_MAX, 0, see, &stopped,
                                     &place->err));
    assert_int_equal(stopped.count, 2);
    assert_error(
        place,
        experiment_each(place->store, "none", NULL, 0, INT64_MAX, 0, see, &stopped, &place->err),
        ERR_STUDY_NOT_FOUND);
}

static void a_limit_counts_the_runs_that_match(void **state)
{
    const double least = 4;
    const struct filter filter = {
        .n_terms = 1, .terms = {{.field = 7, .op = FILTER_MIN, .n_values = 1, .numbers = &least}}};
    struct place *place = *state;
    struct seen seen = {0};
    int64_t ids[10];

    assert_string_equal(filter_field_at(7)->name, "loss");
    put_ten(place, ids); /* losses 1 … 10 */
    assert_ok(place, experiment_each(place->store, "default", &filter, 0, INT64_MAX, 2, see, &seen,
                                     &place->err));
    assert_int_equal(seen.count, 2);
    assert_memory_equal(seen.ids, ids + 3, 2 * sizeof ids[0]);
}

static void ten_thousand_rows_arrive_whole_or_not_at_all(void **state)
{
    struct place *place = *state;
    enum { ROWS = 10000 };

    for (int keep = 0; keep <= 1; keep++) {
        assert_ok(place, store_begin(place->store, &place->err));
        for (int i = 0; i < ROWS; i++) {
            char name[32];
            struct experiment run;

            snprintf(name, sizeof name, "bulk-%d", i);
            run = run_named(name, 1 + i);
            insert(place, &run);
        }
        if (keep)
            assert_ok(place, store_commit(place->store, &place->err));
        else
            store_rollback(place->store);
        assert_int_equal(count_runs(place, place->store, "default"), keep ? ROWS : 0);
    }
    place_reopen(place);
    assert_int_equal(count_runs(place, place->store, NULL), ROWS);
}

static void a_name_twice_in_one_transaction_follows_the_same_rules(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3);
    enum put_outcome outcome;
    int64_t id;

    assert_ok(place, store_begin(place->store, &place->err));
    insert(place, &run);
    assert_int_equal(outcome_of(place, &run, ON_CONFLICT_ERROR), PUT_UNCHANGED);
    run.obs.loss = 2;
    assert_error(place, put(place, &run, ON_CONFLICT_ERROR, &outcome, &id), ERR_CONFLICT);
    assert_ok(place, store_commit(place->store, &place->err));
}

static void a_value_no_run_can_have_is_refused_by_the_table(void **state)
{
    struct place *place = *state;
    struct experiment bad[8];
    enum put_outcome outcome;
    int64_t id;

    for (size_t i = 0; i < 8; i++)
        bad[i] = run_named("bad", 3);
    bad[0].obs.n_active = 0;
    bad[1].obs.tokens = INFINITY;
    bad[2].obs.loss = -1;
    bad[3].obs.experts = 0.5;
    bad[4].obs.n_total = bad[4].obs.n_active / 2;
    bad[5].obs.weight = -1;
    bad[6].name = "";
    bad[7].obs.loss = NAN;
    for (size_t i = 0; i < 8; i++)
        assert_error(place, put(place, &bad[i], ON_CONFLICT_ERROR, &outcome, &id), ERR_INTERNAL);
    assert_int_equal(count_runs(place, place->store, "default"), 0);
}

static void names_are_counted_in_characters(void **state)
{
    char name[4 * 201 + 1] = "";
    struct place *place = *state;
    struct experiment run;
    enum put_outcome outcome;
    int64_t id;

    for (int i = 0; i < 201; i++)
        memcpy(name + 4 * i, "𝛼", 5);
    run = run_named(name, 3);
    assert_error(place, put(place, &run, ON_CONFLICT_ERROR, &outcome, &id), ERR_INTERNAL);
    name[4 * 200] = '\0';
    insert(place, &run);
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, place_make_open, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_STORE(every_field_comes_back_as_it_was),
        WITH_STORE(absent_fields_come_back_absent),
        WITH_STORE(doubles_keep_every_bit),
        WITH_STORE(an_unknown_id_is_not_found),
        WITH_STORE(an_unknown_study_is_refused),
        WITH_STORE(the_same_again_is_unchanged),
        WITH_STORE(what_was_read_can_be_put_back_unchanged),
        WITH_STORE(each_field_of_the_content_conflicts_by_itself),
        WITH_STORE(only_the_fields_in_the_request_count),
        WITH_STORE(a_seed_of_zero_is_not_the_absent_seed),
        WITH_STORE(empty_tags_are_no_tags),
        WITH_STORE(a_replaced_run_keeps_its_id_and_takes_the_new_content),
        WITH_STORE(a_replacement_undoes_an_exclusion_only_when_it_says_so),
        WITH_STORE(the_same_name_in_another_study_is_another_run),
        WITH_STORE(an_update_replaces_the_run_whole),
        WITH_STORE(an_update_to_a_taken_name_conflicts),
        WITH_STORE(a_deleted_run_is_gone_and_its_id_is_not_given_again),
        WITH_STORE(ids_ascend_past_what_was_taken_back),
        WITH_STORE(a_study_made_anew_is_not_taken_for_the_old_one),
        WITH_STORE(the_high_water_is_of_the_study),
        WITH_STORE(each_pages_in_ascending_id),
        WITH_STORE(each_keeps_to_its_window_and_stops_when_told),
        WITH_STORE(a_limit_counts_the_runs_that_match),
        WITH_STORE(ten_thousand_rows_arrive_whole_or_not_at_all),
        WITH_STORE(a_name_twice_in_one_transaction_follows_the_same_rules),
        WITH_STORE(a_value_no_run_can_have_is_refused_by_the_table),
        WITH_STORE(names_are_counted_in_characters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
