/* api: requests to a served app, their replies as JSON. */
#ifndef MOEPLAN_TESTS_API_H
#define MOEPLAN_TESTS_API_H

#include "server/json.h"
#include "tests/unit/check.h"
#include "tests/unit/server/served.h"

/* One exchange; free with api_drop. */
struct api {
    struct asked *asked;
    int status;
    struct json *root; /* of a JSON reply; NULL for others */
};

static inline struct api api_ask(void **state, const char *method, const char *target,
                                 const char *type, const char *body)
{
    struct api api = {.asked = asked_make(*state, method, target)};
    const struct reply *reply = &api.asked->call.reply;
    const char *end;
    struct err err;

    if (body != NULL)
        asked_body(api.asked, type, body);
    api.status = asked_send(api.asked);
    end = reply->content_type != NULL ? strstr(reply->content_type, "json") : NULL;
    if (end != NULL && strcmp(end, "json") == 0 && reply->body != NULL &&
        strstr(reply->content_type, "ndjson") == NULL) {
        err_init(&err, NULL);
        assert_int_equal(json_parse(reply->body, reply->length, &api.root, &err), ERR_OK);
    }
    return api;
}

static inline struct api api_get(void **state, const char *target)
{
    return api_ask(state, "GET", target, NULL, NULL);
}

static inline struct api api_post(void **state, const char *target, const char *body)
{
    return api_ask(state, "POST", target, "application/json", body);
}

static inline struct api api_put(void **state, const char *target, const char *body)
{
    return api_ask(state, "PUT", target, "application/json", body);
}

static inline void api_drop(struct api *api)
{
    json_release(api->root);
    asked_drop(api->asked);
    api->asked = NULL;
}

/* Sends, and expects nothing but the status. */
static inline void api_expect(void **state, int status, const char *method, const char *target,
                              const char *body)
{
    struct api api = api_ask(state, method, target, "application/json", body);

    if (api.status != status)
        print_error("%s %s: %d, want %d: %.500s\n", method, target, api.status, status,
                    api.asked->call.reply.body != NULL ? api.asked->call.reply.body : "");
    assert_int_equal(api.status, status);
    api_drop(&api);
}

/* The value at "a/b/0/c"; a failure when there is none. */
static inline const struct json *api_at(const struct api *api, const char *path)
{
    const struct json *value = api->root;
    char name[100];

    while (*path != '\0') {
        size_t length = strcspn(path, "/");

        assert_true(length < sizeof name);
        memcpy(name, path, length);
        name[length] = '\0';
        if (value != NULL && json_kind(value) == JSON_ARRAY) {
            value = json_first(value);
            for (long left = strtol(name, NULL, 10); left > 0 && value != NULL; left--)
                value = json_next(value);
        } else {
            value =
                value != NULL && json_kind(value) == JSON_OBJECT ? json_member(value, name) : NULL;
        }
        if (value == NULL)
            print_error("no %s in %.1000s\n", name, api->asked->call.reply.body);
        assert_non_null(value);
        path += length + (path[length] == '/');
    }
    return value;
}

static inline double api_number(const struct api *api, const char *path)
{
    const struct json *value = api_at(api, path);

    assert_int_equal(json_kind(value), JSON_NUMBER);
    return json_number(value);
}

static inline const char *api_text(const struct api *api, const char *path)
{
    const struct json *value = api_at(api, path);

    assert_int_equal(json_kind(value), JSON_TEXT);
    return json_text(value);
}

static inline bool api_null(const struct api *api, const char *path)
{
    return json_kind(api_at(api, path)) == JSON_NULL;
}

/* How many children the value has. */
static inline size_t api_count(const struct api *api, const char *path)
{
    size_t count = 0;

    for (const struct json *at = json_first(api_at(api, path)); at != NULL; at = json_next(at))
        count++;
    return count;
}

/* Whether the problem names the field: by pointer, parameter or column. */
static inline bool api_names(const struct api *api, const char *name)
{
    static const char *const places[] = {"pointer", "parameter", "column"};
    const struct json *errors = json_member(api->root, "errors");

    for (const struct json *at = errors != NULL ? json_first(errors) : NULL; at != NULL;
         at = json_next(at))
        for (int i = 0; i < 3; i++) {
            const struct json *place = json_member(at, places[i]);

            if (place != NULL && strcmp(json_text(place), name) == 0)
                return true;
        }
    return false;
}

#endif
