#include "server/page.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

static const char *const members[] = {"id", "name", NULL};

static int make_call(void **state)
{
    struct call *call = calloc(1, sizeof *call);

    assert_non_null(call);
    call_init(call, NULL);
    arena_init(&call->arena, 1 << 20);
    err_init(&call->err, &call->arena);
    call->request.path = "/v1/things";
    *state = call;
    return 0;
}

static int drop_call(void **state)
{
    struct call *call = *state;

    arena_release(&call->arena);
    free(call);
    return 0;
}

static const char *link_of(const struct call *call)
{
    for (size_t i = 0; i < call->reply.n_headers; i++)
        if (strcmp(call->reply.header[i].name, "Link") == 0)
            return call->reply.header[i].value;
    return NULL;
}

/* The page of ids first … last behind the query's cursor; next_cursor is copied out. */
static void write_page(struct call *call, const struct page_query *query, int64_t last,
                       char ret_cursor[PAGE_CURSOR_MAX])
{
    struct page page;

    call->reply.n_headers = 0;
    assert_int_equal(page_begin(&page, call, PAGE_FITS, query, members), ERR_OK);
    for (int64_t id = page_after_id(&page) + 1; id <= last && page_wants(&page); id++) {
        out_object_begin(&page.item, NULL);
        out_integer(&page.item, "id", id);
        out_text(&page.item, "name", "x");
        out_object_end(&page.item);
        page_item_id(&page, id);
    }
    assert_int_equal(page_end(&page), ERR_OK);
    *ret_cursor = '\0';
    if (link_of(call) != NULL) {
        const char *at = strstr(call->reply.body, "\"next_cursor\":\"");

        assert_non_null(at);
        assert_int_equal(sscanf(at, "\"next_cursor\":\"%190[^\"]\"", ret_cursor), 1);
    }
}

static void pages_follow_each_other_to_the_end(void **state)
{
    struct call *call = *state;
    char cursor[PAGE_CURSOR_MAX];
    struct page_query query = {.limit = 2};

    write_page(call, &query, 5, cursor);
    assert_string_equal(cursor[0] ? "more" : "end", "more");
    assert_non_null(strstr(call->reply.body, "{\"items\":[{\"id\":1,\"name\":\"x\"},{\"id\":2,"));
    query.cursor = strdup(cursor);
    write_page(call, &query, 5, cursor);
    assert_non_null(strstr(call->reply.body, "{\"items\":[{\"id\":3,"));
    free((char *)query.cursor);
    query.cursor = strdup(cursor);
    write_page(call, &query, 5, cursor);
    assert_string_equal(call->reply.body,
                        "{\"items\":[{\"id\":5,\"name\":\"x\"}],\"next_cursor\":null}");
    assert_null(link_of(call));
    free((char *)query.cursor);
}

static void a_full_last_page_has_no_next(void **state)
{
    char cursor[PAGE_CURSOR_MAX];

    write_page(*state, &(struct page_query){.limit = 5}, 5, cursor);
    assert_string_equal(cursor, "");
    write_page(*state, &(struct page_query){.limit = 4}, 5, cursor);
    assert_int_not_equal(strlen(cursor), 0);
}

static void an_empty_list_is_a_page(void **state)
{
    struct call *call = *state;
    char cursor[PAGE_CURSOR_MAX];

    write_page(call, &(struct page_query){0}, 0, cursor);
    assert_string_equal(call->reply.body, "{\"items\":[],\"next_cursor\":null}");
}

static void cursors_of_every_id_are_of_the_stated_letters_and_lead_back(void **state)
{
    struct call *call = *state;
    static const int64_t ids[] = {1, 9, 10, 255, 256, 99999, INT64_C(9007199254740991)};

    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        struct page page;
        char cursor[PAGE_CURSOR_MAX];
        const char *link;

        call->reply.n_headers = 0;
        assert_int_equal(page_link(call, PAGE_FITS, ids[i]), ERR_OK);
        link = link_of(call);
        assert_int_equal(sscanf(link, "</v1/things?cursor=%190[^>]>; rel=\"next\"", cursor), 1);
        assert_int_equal(strspn(cursor, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                        "0123456789_-"),
                         strlen(cursor));
        assert_int_equal(
            page_begin(&page, call, PAGE_FITS, &(struct page_query){.cursor = cursor}, members),
            ERR_OK);
        assert_true(page_after_id(&page) == ids[i]);
    }
}

static bool is_refused(struct call *call, const char *cursor, enum page_list list)
{
    struct page page;
    enum err_code code;

    err_init(&call->err, &call->arena);
    code = page_begin(&page, call, list, &(struct page_query){.cursor = cursor}, members);
    if (code == ERR_OK)
        return false;
    assert_int_equal(code, ERR_INVALID);
    assert_string_equal(call->err.first->name, "cursor");
    return true;
}

static void a_cursor_that_was_touched_is_refused(void **state)
{
    struct call *call = *state;
    char cursor[PAGE_CURSOR_MAX];
    size_t length, accepted = 0, tried = 0;

    write_page(call, &(struct page_query){.limit = 3}, 5, cursor);
    length = strlen(cursor);
    assert_false(is_refused(call, cursor, PAGE_FITS));
    for (size_t i = 0; i < length; i++) {
        char touched[PAGE_CURSOR_MAX];

        for (const char *letter = "AZaz09-_"; *letter != '\0'; letter++) {
            memcpy(touched, cursor, length + 1);
            if (touched[i] == *letter)
                continue;
            touched[i] = *letter;
            tried++;
            accepted += !is_refused(call, touched, PAGE_FITS);
        }
        memcpy(touched, cursor, length + 1);
        touched[i] = '\0';
        assert_true(is_refused(call, touched, PAGE_FITS));
    }
    assert_true(tried > 30);
    assert_int_equal(accepted, 0);
}

static void a_cursor_of_another_list_is_refused(void **state)
{
    char cursor[PAGE_CURSOR_MAX];

    write_page(*state, &(struct page_query){.limit = 3}, 5, cursor);
    assert_false(is_refused(*state, cursor, PAGE_FITS));
    assert_true(is_refused(*state, cursor, PAGE_EXPERIMENTS));
    assert_true(is_refused(*state, cursor, PAGE_STUDIES));
}

static void what_is_no_cursor_is_refused(void **state)
{
    static const char *const made_up[] = {"!!", "A", "AAAA", "====", "Zg", "é", " "};

    for (size_t i = 0; i < sizeof made_up / sizeof *made_up; i++)
        assert_true(is_refused(*state, made_up[i], PAGE_FITS));
}

static void the_link_keeps_the_query_but_for_the_cursor(void **state)
{
    struct call *call = *state;

    call->request.query = "study=a%20b&cursor=old&limit=2&tag.x=<y>";
    assert_int_equal(page_link(call, PAGE_FITS, 7), ERR_OK);
    assert_true(
        strncmp(link_of(call), "</v1/things?study=a%20b&limit=2&tag.x=%3Cy%3E&cursor=", 53) == 0);
    assert_null(strstr(link_of(call), "old"));
}

static void fields_are_of_the_items_or_of_the_page(void **state)
{
    struct call *call = *state;
    char cursor[PAGE_CURSOR_MAX];

    write_page(call, &(struct page_query){.limit = 5, .fields = "name"}, 1, cursor);
    assert_string_equal(call->reply.body, "{\"items\":[{\"name\":\"x\"}],\"next_cursor\":null}");
    write_page(call, &(struct page_query){.limit = 5, .fields = "items,id"}, 1, cursor);
    assert_string_equal(call->reply.body, "{\"items\":[{\"id\":1}]}");
    write_page(call, &(struct page_query){.limit = 5, .fields = "next_cursor"}, 1, cursor);
    assert_string_equal(call->reply.body, "{\"next_cursor\":null}");
}

static void every_unknown_field_is_named(void **state)
{
    struct call *call = *state;
    struct page page;

    assert_int_equal(
        page_begin(&page, call, PAGE_FITS, &(struct page_query){.fields = "id,x,y"}, members),
        ERR_INVALID);
    assert_int_equal(call->err.n_fields, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(pages_follow_each_other_to_the_end, make_call, drop_call),
        cmocka_unit_test_setup_teardown(a_full_last_page_has_no_next, make_call, drop_call),
        cmocka_unit_test_setup_teardown(an_empty_list_is_a_page, make_call, drop_call),
        cmocka_unit_test_setup_teardown(cursors_of_every_id_are_of_the_stated_letters_and_lead_back,
                                        make_call, drop_call),
        cmocka_unit_test_setup_teardown(a_cursor_that_was_touched_is_refused, make_call, drop_call),
        cmocka_unit_test_setup_teardown(a_cursor_of_another_list_is_refused, make_call, drop_call),
        cmocka_unit_test_setup_teardown(what_is_no_cursor_is_refused, make_call, drop_call),
        cmocka_unit_test_setup_teardown(the_link_keeps_the_query_but_for_the_cursor, make_call,
                                        drop_call),
        cmocka_unit_test_setup_teardown(fields_are_of_the_items_or_of_the_page, make_call,
                                        drop_call),
        cmocka_unit_test_setup_teardown(every_unknown_field_is_named, make_call, drop_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
