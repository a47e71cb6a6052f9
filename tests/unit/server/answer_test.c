#include "server/answer.h"

#include <stdlib.h>
#include <string.h>

#include "server/route.h"
#include "server/tables.h"
#include "tests/unit/check.h"

static const struct route route = {.query = select_fields, .n_query = SELECT_FIELDS};

static int make(void **state)
{
    struct call *call = calloc(1, sizeof *call);

    assert_non_null(call);
    call_init(call, NULL);
    arena_init(&call->arena, 1 << 20);
    err_init(&call->err, &call->arena);
    call->route = &route;
    *state = call;
    return 0;
}

static int drop(void **state)
{
    struct call *call = *state;

    arena_release(&call->arena);
    free(call);
    return 0;
}

static void ids_are_positive_whole_numbers_below_2_to_53(void **state)
{
    static const char *const refused[] = {"",
                                          "0",
                                          "-1",
                                          "+1",
                                          "01",
                                          " 1",
                                          "1 ",
                                          "1.0",
                                          "1e3",
                                          "abc",
                                          "٣",
                                          "9007199254740992",
                                          "99999999999999999999"};
    int64_t id;

    (void)state;
    assert_true(answer_id("1", &id) && id == 1);
    assert_true(answer_id("9007199254740991", &id) && id == INT64_C(9007199254740991));
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (answer_id(refused[i], &id))
            fail_msg("'%s' is taken for an id", refused[i]);
}

static void names_of_a_list_are_walked_as_they_stand(void **state)
{
    const char *at = "a,,bc", *name;
    size_t length;

    (void)state;
    assert_true(answer_next_name(&at, &name, &length) && length == 1 && *name == 'a');
    assert_true(answer_next_name(&at, &name, &length) && length == 0);
    assert_true(answer_next_name(&at, &name, &length) && length == 2);
    assert_false(answer_next_name(&at, &name, &length));
}

/* The form chosen for an Accept header, or −1 when there is none. */
static int form_for(struct call *call, const char *accept, int given, unsigned allowed)
{
    enum answer_format format = ANSWER_JSON;

    err_init(&call->err, &call->arena);
    call->request.n_headers = accept != NULL ? 1 : 0;
    call->request.header[0] = (struct header){"accept", accept};
    if (answer_format(call, given, allowed, &format) == ERR_OK)
        return (int)format;
    assert_int_equal(call->err.code, ERR_NOT_ACCEPTABLE);
    return -1;
}

static void the_form_is_the_one_liked_best(void **state)
{
    static const struct {
        const char *accept;
        int form;
    } cases[] = {
        {NULL, ANSWER_JSON},
        {"*/*", ANSWER_JSON},
        {"text/csv", ANSWER_CSV},
        {"TEXT/CSV", ANSWER_CSV},
        {"application/x-ndjson", ANSWER_NDJSON},
        {"text/*", ANSWER_CSV},
        {"application/*", ANSWER_JSON},
        {"text/html, */*;q=0.1", ANSWER_JSON},
        {"text/csv;q=0.9, application/json;q=0.8", ANSWER_CSV},
        {"text/csv;q=0.7, application/json;q=0.8", ANSWER_JSON},
        {"application/json;q=0, */*", ANSWER_CSV},
        {"text/html", -1},
        {"text/csv;q=0", -1},
    };
    unsigned all = 1 << ANSWER_JSON | 1 << ANSWER_CSV | 1 << ANSWER_NDJSON;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (form_for(*state, cases[i].accept, ANSWER_BY_ACCEPT, all) != cases[i].form)
            fail_msg("%s", cases[i].accept != NULL ? cases[i].accept : "(none)");
}

static void a_form_that_is_not_offered_is_not_chosen(void **state)
{
    unsigned some = 1 << ANSWER_JSON | 1 << ANSWER_CSV;

    assert_int_equal(form_for(*state, "application/x-ndjson", ANSWER_BY_ACCEPT, some), -1);
    assert_int_equal(
        form_for(*state, "application/x-ndjson, text/csv;q=0.1", ANSWER_BY_ACCEPT, some),
        ANSWER_CSV);
}

static void a_form_given_by_name_outranks_the_header(void **state)
{
    assert_int_equal(form_for(*state, "text/html", ANSWER_NDJSON, 7), ANSWER_NDJSON);
}

static void fields_are_selected_and_unknown_ones_named(void **state)
{
    static const char *const members[] = {"a", "b", NULL};
    struct call *call = *state;
    struct out out;

    call->request.query = "fields=b";
    assert_int_equal(answer_begin(call, &out, members), ERR_OK);
    assert_true(out_wants(&out, "b") && !out_wants(&out, "a"));
    call->request.query = "fields=b,c,,a";
    assert_int_equal(answer_begin(call, &out, members), ERR_INVALID);
    assert_int_equal(call->err.n_fields, 2);
}

static void faults_of_the_query_and_of_the_selection_come_together(void **state)
{
    static const char *const members[] = {"a", NULL};
    struct call *call = *state;
    struct out out;

    call->request.query = "fields=x&nope=1";
    assert_int_equal(answer_begin(call, &out, members), ERR_INVALID);
    assert_int_equal(call->err.n_fields, 2);
}

static void nothing_is_204_without_a_body(void **state)
{
    struct call *call = *state;

    assert_int_equal(answer_nothing(call), ERR_OK);
    assert_int_equal(call->reply.status, 204);
    assert_null(call->reply.body);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ids_are_positive_whole_numbers_below_2_to_53),
        TEST(names_of_a_list_are_walked_as_they_stand),
        TEST(the_form_is_the_one_liked_best),
        TEST(a_form_that_is_not_offered_is_not_chosen),
        TEST(a_form_given_by_name_outranks_the_header),
        TEST(fields_are_selected_and_unknown_ones_named),
        TEST(faults_of_the_query_and_of_the_selection_come_together),
        TEST(nothing_is_204_without_a_body),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
