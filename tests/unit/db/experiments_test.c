#include "tests/unit/db/place.h"

static void a_new_name_is_inserted(void **state)
{
    struct place *place = *state;
    struct experiment run = run_named("a", 3.0), stored;
    int64_t id = insert(place, &run);

    stored = read_run(place, id);
    assert_string_equal(stored.name, "a");
    assert_string_equal(stored.study, "default");
    assert_true(stored.obs.loss == 3.0);
    assert_int_equal(count_runs(place, place->store, "default"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_name_is_inserted, place_make_open, place_drop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
