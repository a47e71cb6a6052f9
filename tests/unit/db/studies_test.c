#include "tests/unit/db/place.h"

#include "db/handle.h"

static bool put_study(struct place *place, const struct study *study)
{
    bool created;

    assert_ok(place, study_put(place->store, study, &created, &place->err));
    return created;
}

static struct study read_study(struct place *place, const char *id)
{
    struct study study;

    assert_ok(place, study_read(place->store, id, &place->arena, &study, &place->err));
    return study;
}

static void default_is_there_from_the_start(void **state)
{
    struct study study = read_study(*state, "default");

    assert_string_equal(study.id, "default");
    assert_int_equal(study.loss_unit, LOSS_NATS_PER_TOKEN);
    assert_int_equal(study.parameter_convention, PARAMETERS_WITH_EMBEDDING);
    assert_null(study.description);
    assert_null(study.default_fit);
    assert_true(study.created_at_us > 1700000000000000); /* a time, in microseconds */
    assert_int_equal(study.created_at_us, study.updated_at_us);
}

static void every_field_comes_back_as_it_was(void **state)
{
    const struct study study = {.id = "a.b-c_9",
                                .description = "Δ \"quoted\"\n",
                                .eval_set = "c4",
                                .tokenizer = "llama3",
                                .loss_unit = LOSS_BITS_PER_BYTE,
                                .parameter_convention = PARAMETERS_NON_EMBEDDING,
                                .default_fit = "joint-2025",
                                .created_at_us = 5,
                                .updated_at_us = 6};
    struct study stored;

    assert_true(put_study(*state, &study));
    stored = read_study(*state, "a.b-c_9");
    assert_string_equal(stored.description, study.description);
    assert_string_equal(stored.eval_set, study.eval_set);
    assert_string_equal(stored.tokenizer, study.tokenizer);
    assert_int_equal(stored.loss_unit, LOSS_BITS_PER_BYTE);
    assert_int_equal(stored.parameter_convention, PARAMETERS_NON_EMBEDDING);
    assert_string_equal(stored.default_fit, "joint-2025");
    assert_int_equal(stored.created_at_us, 5);
    assert_int_equal(stored.updated_at_us, 6);
}

static void a_second_put_replaces_all_but_the_creation(void **state)
{
    const struct study first = {
        .id = "s", .description = "one", .created_at_us = 5, .updated_at_us = 5};
    const struct study second = {
        .id = "s", .tokenizer = "two", .created_at_us = 9, .updated_at_us = 9};
    struct study stored;

    assert_true(put_study(*state, &first));
    assert_false(put_study(*state, &second));
    stored = read_study(*state, "s");
    assert_null(stored.description);
    assert_string_equal(stored.tokenizer, "two");
    assert_int_equal(stored.created_at_us, 5);
    assert_int_equal(stored.updated_at_us, 9);
}

static void an_unknown_study_is_not_found(void **state)
{
    struct place *place = *state;
    struct study study;
    uint64_t count;

    assert_error(place, study_read(place->store, "none", &place->arena, &study, &place->err),
                 ERR_STUDY_NOT_FOUND);
    assert_error(place, study_delete(place->store, "none", true, &place->err), ERR_STUDY_NOT_FOUND);
    assert_error(place, experiment_count(place->store, "none", &count, &place->err),
                 ERR_STUDY_NOT_FOUND);
}

static void the_table_refuses_an_id_out_of_form(void **state)
{
    static const char *const bad[] = {"", "A", "-a", "a b", "é", "a/b"};
    struct place *place = *state;
    char id[66];
    bool created;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_error(place,
                     study_put(place->store, &(struct study){.id = bad[i]}, &created, &place->err),
                     ERR_INTERNAL);
    memset(id, 'a', 65);
    id[65] = '\0';
    assert_error(place, study_put(place->store, &(struct study){.id = id}, &created, &place->err),
                 ERR_INTERNAL);
    id[STUDY_ID_MAX] = '\0';
    assert_true(put_study(place, &(struct study){.id = id}));
}

static void lists_page_in_ascending_id(void **state)
{
    static const char *const want[] = {"a", "b", "c-1", "default", "e", "e.e"};
    struct place *place = *state;
    struct study *studies;
    const char *after = NULL;
    size_t count, seen = 0;

    for (size_t i = 6; i-- > 0;)
        put_study(place, &(struct study){.id = want[i]});
    do {
        assert_ok(place,
                  study_list(place->store, after, 4, &place->arena, &studies, &count, &place->err));
        for (size_t i = 0; i < count; i++)
            assert_string_equal(studies[i].id, want[seen++]);
        after = count ? studies[count - 1].id : NULL;
    } while (count == 4);
    assert_int_equal(seen, 6);
}

static void a_list_may_be_longer_than_its_first_room(void **state)
{
    struct place *place = *state;
    struct study *studies;
    size_t count;

    for (int i = 0; i < 100; i++)
        put_study(place, &(struct study){.id = arena_printf(&place->arena, "s%03d", i)});
    assert_ok(place, study_list(place->store, "s", SIZE_MAX, &place->arena, &studies, &count,
                                &place->err));
    assert_int_equal(count, 100);
    assert_string_equal(studies[0].id, "s000");
    assert_string_equal(studies[99].id, "s099");
    assert_ok(place, study_list(place->store, "z", SIZE_MAX, &place->arena, &studies, &count,
                                &place->err));
    assert_int_equal(count, 0);
}

static void default_stays(void **state)
{
    struct place *place = *state;

    assert_error(place, study_delete(place->store, "default", true, &place->err), ERR_READ_ONLY);
    read_study(place, "default");
}

static void a_study_with_runs_goes_only_by_force(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3);
    struct study study;

    put_study(place, &(struct study){.id = "s"});
    run.study = "s";
    run.id = insert(place, &run);
    assert_error(place, study_delete(place->store, "s", false, &place->err), ERR_STUDY_NOT_EMPTY);
    assert_ok(place, study_delete(place->store, "s", true, &place->err));
    assert_error(place, study_read(place->store, "s", &place->arena, &study, &place->err),
                 ERR_STUDY_NOT_FOUND);
    assert_error(place, experiment_read(place->store, run.id, &place->arena, &run, &place->err),
                 ERR_EXPERIMENT_NOT_FOUND);
}

static void an_empty_study_goes_without_force(void **state)
{
    struct place *place = *state;

    put_study(place, &(struct study){.id = "s"});
    assert_ok(place, study_delete(place->store, "s", false, &place->err));
    assert_true(put_study(place, &(struct study){.id = "s"}));
}

static int64_t put_fit_in(struct place *place, const char *study)
{
    const struct fit_record fit = {.study = study, .law = "joint", .status = FIT_FINISHED};
    int64_t id;

    assert_ok(place, fit_put(place->store, &fit, &id, &place->err));
    return id;
}

static void deleting_a_study_deletes_its_fits(void **state)
{
    struct place *place = *state;
    struct fit_record fit;
    int64_t id;

    put_study(place, &(struct study){.id = "s"});
    id = put_fit_in(place, "s");
    put_study(place,
              &(struct study){.id = "s",
                              .default_fit = arena_printf(&place->arena, "%lld", (long long)id)});
    assert_ok(place, study_delete(place->store, "s", false, &place->err));
    assert_error(place, fit_read(place->store, id, &place->arena, &fit, &place->err),
                 ERR_FIT_NOT_FOUND);
}

static void a_study_whose_fit_another_uses_stays(void **state)
{
    struct place *place = *state;
    struct study other = {.id = "other"};

    put_study(place, &(struct study){.id = "s"});
    other.default_fit = arena_printf(&place->arena, "%lld", (long long)put_fit_in(place, "s"));
    put_study(place, &other);
    assert_error(place, study_delete(place->store, "s", true, &place->err), ERR_FIT_IN_USE);
    other.default_fit = NULL;
    put_study(place, &other);
    assert_ok(place, study_delete(place->store, "s", true, &place->err));
}

static void a_default_fit_in_digits_must_exist(void **state)
{
    struct place *place = *state;
    struct study study = {.id = "s", .default_fit = "7"};
    bool created;
    int64_t id;

    assert_error(place, study_put(place->store, &study, &created, &place->err), ERR_FIT_NOT_FOUND);
    id = put_fit_in(place, "default");
    study.default_fit = arena_printf(&place->arena, "0%lld", (long long)id);
    assert_error(place, study_put(place->store, &study, &created, &place->err), ERR_FIT_NOT_FOUND);
    study.default_fit++;
    assert_true(put_study(place, &study));
}

int main(void)
{
#define WITH_STORE(test) cmocka_unit_test_setup_teardown(test, place_make_open, place_drop)
    const struct CMUnitTest tests[] = {
        WITH_STORE(default_is_there_from_the_start),
        WITH_STORE(every_field_comes_back_as_it_was),
        WITH_STORE(a_second_put_replaces_all_but_the_creation),
        WITH_STORE(an_unknown_study_is_not_found),
        WITH_STORE(the_table_refuses_an_id_out_of_form),
        WITH_STORE(lists_page_in_ascending_id),
        WITH_STORE(a_list_may_be_longer_than_its_first_room),
        WITH_STORE(default_stays),
        WITH_STORE(a_study_with_runs_goes_only_by_force),
        WITH_STORE(an_empty_study_goes_without_force),
        WITH_STORE(deleting_a_study_deletes_its_fits),
        WITH_STORE(a_study_whose_fit_another_uses_stays),
        WITH_STORE(a_default_fit_in_digits_must_exist),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
