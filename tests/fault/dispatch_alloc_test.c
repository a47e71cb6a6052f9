/* Requests when memory runs out: at every allocation of any thread between dispatch and the reply,
 * on every lane. The whole answer or a problem document, the same request works right afterwards,
 * and nothing half-done is stored. */
#include <gsl/gsl_errno.h>

#include "tests/unit/server/served.h"

#include "tests/fault/alloc.c"

enum { REFUSED_AT_LEAST = 50 }; /* of all cases: some need one block, or none */

struct request_case {
    const char *method, *target, *type, *body;
    int status;       /* with memory */
    int again;        /* when asked once more: what was stored is there already */
    const char *undo; /* DELETEd before each attempt, NULL for none */
};

static const char run[] =
    "{\"name\":\"one\",\"n_active\":1e8,\"tokens\":1e10,\"loss\":3,\"tags\":{\"a\":\"b\"}}";
static const char csv[] = "name,n_active,tokens,loss\none,1e8,1e10,3\ntwo,2e8,1e10,2.9\n";
static const char fit[] = "{\"study\":\"few\",\"law\":\"chinchilla\",\"starts\":8,\"bootstrap\":5}";
static const char few[] = "n_active,tokens,loss\n1e8,1e9,4.1\n3e8,2e9,3.6\n1e9,5e10,2.6\n"
                          "2e9,3e9,3.2\n4e8,9e10,2.7\n7e8,7e9,2.95\n1.5e8,4e9,3.5\n";

static const struct request_case cases[] = {
    {"GET", "/v1/plan?compute=1e22&memory=80GB", NULL, NULL, 200, 200, NULL},
    {"POST", "/v1/plan", "application/json", "{\"compute\":1e22,\"experts\":[1,8]}", 200, 200,
     NULL},
    {"GET", "/v1/plan?compute=x&nope=1", NULL, NULL, 400, 400, NULL},
    {"GET", "/v1/curves/isoflop?compute=1e21", NULL, NULL, 200, 200, NULL},
    {"GET", "/v1/predict?n_active=1e9&tokens=1e10", NULL, NULL, 200, 200, NULL},
    {"GET", "/v1/laws", NULL, NULL, 200, 200, NULL},
    {"GET", "/v1/experiments?study=few&format=csv", NULL, NULL, 200, 200, NULL},
    {"GET", "/v1/experiments?study=few&loss_max=3", NULL, NULL, 200, 200, NULL},
    {"POST", "/v1/experiments?study=gone", "application/json", run, 201, 200,
     "/v1/studies/gone?force=true"},
    {"POST", "/v1/experiments?study=gone", "text/csv", csv, 201, 200,
     "/v1/studies/gone?force=true"},
    {"POST", "/v1/experiments?study=gone", "application/x-ndjson", run, 201, 200,
     "/v1/studies/gone?force=true"},
    {"PUT", "/v1/studies/few", "application/json", "{\"description\":\"few runs\"}", 200, 200,
     NULL},
    {"POST", "/v1/fits", "application/json", fit, 201, 201, NULL},
    {"POST", "/v1/compare", "application/json",
     "{\"study\":\"few\",\"laws\":[\"chinchilla\"],\"starts\":8}", 200, 200, NULL},
};

static int ask(struct served *served, const struct request_case *request, size_t fail_at,
               bool *ret_failed)
{
    struct asked *asked = asked_make(served, request->method, request->target);
    const struct reply *reply = &asked->call.reply;
    int status;

    if (request->body != NULL)
        asked_body(asked, request->type, request->body);
    if (fail_at > 0)
        alloc_fail_anywhere(fail_at);
    status = asked_send(asked);
    alloc_never_fail();
    *ret_failed = alloc_failed();
    if (status != request->status && status != request->again) {
        assert_true(*ret_failed);
        if (status != 413 && status != 503 && status != 500)
            print_error("%s %s without allocation %zu: %d\n", request->method, request->target,
                        fail_at, status);
        assert_true(status == 413 || status == 503 || status == 500);
        assert_string_equal(reply->content_type, "application/problem+json");
    }
    asked_drop(asked);
    return status;
}

static void prepare(struct served *served, const struct request_case *request)
{
    static const struct request_case put = {
        "PUT", "/v1/studies/gone", "application/json", "{}", 201, 200, NULL};
    struct request_case delete = {"DELETE", request->undo, NULL, NULL, 204, 404, NULL};
    bool failed;

    if (request->undo == NULL)
        return;
    ask(served, &delete, 0, &failed);
    ask(served, &put, 0, &failed);
}

/* Fails the first allocation, then the second, … until an attempt needs no more of them; how many
 * attempts were refused. */
static size_t fail_each(struct served *served, const struct request_case *request)
{
    size_t refused = 0, k = 0;
    bool hit, spared;

    do {
        int status;

        prepare(served, request);
        status = ask(served, request, ++k, &hit);
        refused += status != request->status;
        /* All or nothing: what was refused is not there yet, what was answered is. */
        assert_int_equal(ask(served, request, 0, &spared),
                         status == request->status ? request->again : request->status);
    } while (hit);
    return refused;
}

static void every_failing_allocation_is_the_whole_answer_or_a_problem(void **state)
{
    static const struct request_case load[] = {
        {"PUT", "/v1/studies/few", "application/json", "{}", 201, 200, NULL},
        {"POST", "/v1/experiments?study=few", "text/csv", few, 201, 200, NULL},
    };
    struct served *served = *state;
    size_t refused = 0;
    bool failed;

    if (!ALLOC_CAN_FAIL)
        skip();
    served->log.level = LOG_OFF; /* nobody reads that pipe */
    for (size_t i = 0; i < sizeof load / sizeof load[0]; i++)
        assert_int_equal(ask(served, &load[i], 0, &failed), load[i].status);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refused += fail_each(served, &cases[i]);
    assert_true(refused > REFUSED_AT_LEAST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_failing_allocation_is_the_whole_answer_or_a_problem,
                                        served_make, served_drop),
    };

    gsl_set_error_handler_off(); /* as main does */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
