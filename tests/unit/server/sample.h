/* sample: a served app whose study "marin" holds the sample runs. */
#ifndef MOEPLAN_TESTS_SAMPLE_H
#define MOEPLAN_TESTS_SAMPLE_H

#include "server/assets.h"
#include "tests/unit/server/api.h"

enum { SAMPLE_RUNS = 64 };

/* Puts a study and posts the sample into it. */
static inline void sample_load(void **state, const char *study)
{
    const struct asset *asset = asset_find("examples/marin-moe.csv");
    char target[100], *text;
    struct api api;

    assert_non_null(asset);
    text = strndup(asset->data, (size_t)asset->length);
    assert_non_null(text);
    snprintf(target, sizeof target, "/v1/studies/%s", study);
    api_expect(state, 201, "PUT", target, "{}");
    snprintf(target, sizeof target, "/v1/experiments?study=%s", study);
    api = api_ask(state, "POST", target, "text/csv", text);
    assert_int_equal(api.status, 201);
    assert_int_equal(api_count(&api, "ids"), SAMPLE_RUNS);
    api_drop(&api);
    free(text);
}

static inline int sample_make(void **state)
{
    served_make(state);
    sample_load(state, "marin");
    return 0;
}

/* The id of a new fit of the study "marin". */
static inline int sample_fit(void **state, const char *body)
{
    struct api api = api_post(state, "/v1/fits", body);
    int id;

    if (api.status != 201)
        print_error("%.1000s\n", api.asked->call.reply.body);
    assert_int_equal(api.status, 201);
    id = (int)api_number(&api, "id");
    api_drop(&api);
    return id;
}

#endif
