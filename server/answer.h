/* answer: the two ends every API handler has: the request decoded by its route's tables, the reply
 * written from an `out`.
 *
 * Knows no noun of the domain and holds no state. Memory is the call's arena's; a parsed body alone
 * is released by the caller. Errors go to call->err.
 */
#ifndef MOEPLAN_SERVER_ANSWER_H
#define MOEPLAN_SERVER_ANSWER_H

#include "server/call.h"
#include "server/field.h"
#include "server/json.h"
#include "server/out.h"

/* The forms an answer can be asked for in, by `format=` or Accept; the order of the choices of
 * every `format` parameter. */
enum answer_format { ANSWER_JSON, ANSWER_CSV, ANSWER_NDJSON, ANSWER_FORMAT_COUNT };
enum { ANSWER_BY_ACCEPT = -1 }; /* the default of a `format` parameter: not given */

extern const char *const answer_format_names[]; /* "json", "csv", "ndjson", NULL */
const char *answer_media_type(enum answer_format format);

/* Decodes the query string by the table of the call's route into target, which holds the defaults.
 * other and ctx may be NULL. */
enum err_code answer_query(struct call *call, field_other_query *other, void *ctx, void *target,
                           struct field_presence *ret_presence);

/* Refuses every query parameter. */
enum err_code answer_no_query(struct call *call);

/* Decodes the body, which must be one JSON object or empty, by the body table of the call's route
 * into target, which holds the defaults; refuses query parameters. Every fault is in call->err,
 * whose code is returned. */
enum err_code answer_body(struct call *call, void *target);

/* The same in two steps, for those who have more to check when the text is JSON, however faulty its
 * fields. The caller releases *ret_root, which starts NULL. */
enum err_code answer_json(struct call *call, struct json **ret_root);
enum err_code answer_decode(struct call *call, const struct json *root, void *target);

/* The form to answer in: `given` by name, or the best of `allowed` (a bit per form) by the Accept
 * header, the first form where the client does not care. ERR_NOT_ACCEPTABLE. */
enum err_code answer_format(struct call *call, int given, unsigned allowed,
                            enum answer_format *ret_format);

/* Starts `out` with the members `fields` asks for (NULL: all). members: every name there is, ended
 * by NULL. An unknown name is ERR_INVALID naming it. Returns the call's first error so far, so that
 * faults of the decoding and of the selection are told together. */
enum err_code answer_select(struct call *call, struct out *out, const char *fields,
                            const char *const *members);

/* Both for a read that takes `fields` alone: struct select_query, the table select_fields. */
struct select_query {
    const char *fields;
};
enum err_code answer_begin(struct call *call, struct out *out, const char *const *members);

/* Adds "there is no member …" to call->err. */
enum err_code answer_no_member(struct call *call, const char *name, size_t length);

/* Adds a fault of the parameter `name`, unless decoding has found one in it already. */
void answer_fault(struct call *call, const char *name, const char *detail);

/* Whether something was said of the parameter, pointer or (without its slash) member of the body
 * already. */
bool answer_is_faulty(const struct call *call, const char *name);

/* Walks a comma-separated list: the next name at *at, its length, false at the end. */
bool answer_next_name(const char **at, const char **ret_name, size_t *ret_length);

/* The name as the list ended by NULL has it; NULL when it has not. */
const char *answer_find_name(const char *const *names, const char *name, size_t length);

/* A positive id from a path: false when the text is not one. */
bool answer_id(const char *text, int64_t *ret_id);

/* Replies with the finished out, as JSON or in another form. */
enum err_code answer_out(struct call *call, int status, struct out *out);
enum err_code answer_text(struct call *call, int status, struct out *out, const char *content_type);

/* 204 without a body. */
enum err_code answer_nothing(struct call *call);

#endif
