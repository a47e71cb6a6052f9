#include "server/answer.h"

#include <stddef.h>
#include <string.h>

#include "server/media.h"
#include "server/route.h"
#include "server/tables.h"

const struct field select_fields[] = {SELECT_FIELD(struct select_query, fields)};
TABLE_IS(select_fields, SELECT_FIELDS);

const char *const answer_format_names[] = {"json", "csv", "ndjson", NULL};

/* What each form is asked for by in Accept, and what it is sent as. */
static const struct {
    const char *asked, *sent;
} media_types[ANSWER_FORMAT_COUNT] = {
    [ANSWER_JSON] = {"application/json", "application/json"},
    [ANSWER_CSV] = {"text/csv", "text/csv; charset=utf-8; header=present"},
    [ANSWER_NDJSON] = {"application/x-ndjson", "application/x-ndjson"},
};

const char *answer_media_type(enum answer_format format)
{
    return media_types[format].sent;
}

enum err_code answer_query(struct call *call, field_other_query *other, void *ctx, void *target,
                           struct field_presence *ret_presence)
{
    return field_from_query(call->route->query, call->route->n_query, call->request.query, other,
                            ctx, target, ret_presence, &call->arena, &call->err);
}

enum err_code answer_no_query(struct call *call)
{
    struct field_presence presence;

    return field_from_query(NULL, 0, call->request.query, NULL, NULL, NULL, &presence, &call->arena,
                            &call->err);
}

enum err_code answer_json(struct call *call, struct json **ret_root)
{
    /* No body at all says nothing, which is what an empty object says. */
    bool none = call->request.body_length == 0;

    answer_no_query(call);
    return json_parse(none ? "{}" : call->request.body, none ? 2 : call->request.body_length,
                      ret_root, &call->err);
}

enum err_code answer_decode(struct call *call, const struct json *root, void *target)
{
    struct field_presence presence;

    field_from_json(call->route->body, call->route->n_body, root, "", NULL, NULL, target, &presence,
                    &call->arena, &call->err);
    return call->err.code;
}

enum err_code answer_body(struct call *call, void *target)
{
    struct json *root = NULL;

    if (answer_json(call, &root) == ERR_OK)
        answer_decode(call, root, target);
    json_release(root);
    return call->err.code;
}

enum err_code answer_format(struct call *call, int given, unsigned allowed,
                            enum answer_format *ret_format)
{
    const char *accept = request_header(&call->request, "Accept");
    int best = 0;

    if (given != ANSWER_BY_ACCEPT) {
        *ret_format = (enum answer_format)given;
        return ERR_OK;
    }
    for (int i = 0; i < ANSWER_FORMAT_COUNT; i++) {
        const char *type = media_types[i].asked;
        int quality = allowed >> i & 1 ? media_quality(accept, type, strlen(type)) : 0;

        if (quality > best) {
            best = quality;
            *ret_format = (enum answer_format)i;
        }
    }
    if (best > 0)
        return ERR_OK;
    return err_set(&call->err, ERR_NOT_ACCEPTABLE, "this is answered as %s%s%s", "application/json",
                   allowed >> ANSWER_CSV & 1 ? ", text/csv" : "",
                   allowed >> ANSWER_NDJSON & 1 ? ", application/x-ndjson" : "");
}

bool answer_next_name(const char **at, const char **ret_name, size_t *ret_length)
{
    const char *start = *at;

    if (start == NULL)
        return false;
    *ret_name = start;
    *ret_length = (size_t)(strchrnul(start, ',') - start);
    *at = start[*ret_length] == ',' ? start + *ret_length + 1 : NULL;
    return true;
}

const char *answer_find_name(const char *const *names, const char *name, size_t length)
{
    for (; *names != NULL; names++) /* the first letter rules most out by itself */
        if (**names == *name && strlen(*names) == length && memcmp(*names, name, length) == 0)
            return *names;
    return NULL;
}

enum err_code answer_no_member(struct call *call, const char *name, size_t length)
{
    return err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "fields", 0,
                   "there is no member '%.*s'", (int)(length > 100 ? 100 : length), name);
}

/* Whether the name stands in the list before `name`, which is a part of it. */
static bool is_named_before(const char *list, const char *name, size_t length)
{
    const char *other;
    size_t other_length;

    while (answer_next_name(&list, &other, &other_length) && other < name)
        if (other_length == length && memcmp(other, name, length) == 0)
            return true;
    return false;
}

enum err_code answer_select(struct call *call, struct out *out, const char *fields,
                            const char *const *members)
{
    const char *name;
    size_t length, count = 0;

    out_init(out, &call->arena);
    for (const char *at = fields; answer_next_name(&at, &name, &length); count++) {
        if (answer_find_name(members, name, length) == NULL)
            answer_no_member(call, name, length);
        else if (is_named_before(fields, name, length))
            err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "fields", 0,
                    "'%.*s' is listed twice", (int)length, name);
    }
    if (count > OUT_SELECT_MAX)
        err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "fields", 0, "at most %d members",
                OUT_SELECT_MAX);
    if (fields != NULL && call->err.code == ERR_OK)
        out_select(out, fields);
    return call->err.code;
}

enum err_code answer_begin(struct call *call, struct out *out, const char *const *members)
{
    struct select_query query = {0};
    struct field_presence presence;

    answer_query(call, NULL, NULL, &query, &presence);
    return answer_select(call, out, query.fields, members);
}

bool answer_is_faulty(const struct call *call, const char *name)
{
    for (const struct err_field *at = call->err.first; at != NULL; at = at->next)
        if (strcmp(at->name, name) == 0 || (*at->name == '/' && strcmp(at->name + 1, name) == 0))
            return true;
    return false;
}

void answer_fault(struct call *call, const char *name, const char *detail)
{
    if (!answer_is_faulty(call, name))
        err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, name, 0, "%s", detail);
}

bool answer_id(const char *text, int64_t *ret_id)
{
    int64_t id = 0;

    if (*text < '1' || *text > '9' || strlen(text) > 16)
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        id = id * 10 + (*text - '0');
    }
    if (id >= INT64_C(1) << 53)
        return false;
    *ret_id = id;
    return true;
}

enum err_code answer_out(struct call *call, int status, struct out *out)
{
    const char *text;
    size_t length;
    enum err_code code = out_finish(out, &text, &length, &call->err);

    if (code == ERR_OK)
        reply_json(call, status, text, length);
    return code;
}

enum err_code answer_text(struct call *call, int status, struct out *out, const char *content_type)
{
    enum err_code code = answer_out(call, status, out);

    if (code == ERR_OK)
        call->reply.content_type = content_type;
    return code;
}

enum err_code answer_nothing(struct call *call)
{
    call->reply.status = 204;
    call->reply.content_type = NULL;
    call->reply.body = NULL;
    call->reply.length = 0;
    return ERR_OK;
}
