/* The fields of /v1/predict: of a query, and of a body, whose items have the first of the query's.
 */
#include "server/predict_query.h"

#include "server/tables.h"

#define AT(member) offsetof(struct predict_query, member)

const struct field predict_fields[] = {
    {.name = "n_active",
     .kind = FIELD_COUNT,
     .offset = AT(point.n_active),
     .min_exclusive = true,
     .unit = "parameters",
     .help = "Parameters active for one token; required unless the law reads n_total alone and "
             "that is given."},
    {.name = "tokens",
     .kind = FIELD_COUNT,
     .offset = AT(point.tokens),
     .min_exclusive = true,
     .unit = "tokens",
     .help = "Training tokens; required by the laws that read them."},
    {.name = "experts",
     .kind = FIELD_NUMBER,
     .offset = AT(point.experts),
     .min = 1,
     .fallback = "1, or the only E the fit holds for",
     .help = "Expansion rate E."},
    {.name = "granularity",
     .kind = FIELD_NUMBER,
     .offset = AT(point.granularity),
     .min_exclusive = true,
     .fallback = "1",
     .help = "Granularity G."},
    {.name = "n_total",
     .kind = FIELD_COUNT,
     .offset = AT(point.n_total),
     .min_exclusive = true,
     .unit = "parameters",
     .help = "All parameters, for the laws that read them or whose range of them is known; from "
             "n_active and the shape if left out."},
    MODEL_FIELDS(struct predict_query, model),
    LEVEL_FIELD(struct predict_query, level),
    SELECT_FIELD(struct predict_query, fields),
};
TABLE_IS(predict_fields, PREDICT_FIELDS);

#undef AT
#define AT(member) offsetof(struct predict_body, member)

static enum err_code decode_items(const struct json *value, const char *pointer, void *target,
                                  struct arena *arena, struct err *err)
{
    struct predict_body *body = (struct predict_body *)((char *)target - AT(items));
    struct field_presence presence;
    size_t count = 0;
    enum err_code code = ERR_OK;

    if (json_kind(value) != JSON_ARRAY)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "must be an array, not %s",
                       json_kind_name(json_kind(value)));
    for (const struct json *at = json_first(value); at != NULL; at = json_next(at))
        count++;
    if (count > PREDICT_ITEMS_MAX)
        return err_add(err, ERR_INVALID, ERR_AT_POINTER, pointer, 0, "at most %d items",
                       PREDICT_ITEMS_MAX);
    body->items = arena_calloc(arena, count + 1, sizeof *body->items);
    if (body->items == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory");
    for (const struct json *at = json_first(value); at != NULL; at = json_next(at)) {
        const char *base = json_pointer_index(arena, pointer, body->n_items);
        struct predict_point *point = &body->items[body->n_items++];
        enum err_code item;

        if (base == NULL)
            return err_set(err, ERR_NO_MEMORY, "out of memory");
        *point = predict_point_absent();
        item = field_from_json(predict_fields, PREDICT_POINT_FIELDS, at, base, NULL, NULL, point,
                               &presence, arena, err);
        code = item == ERR_OK ? code : item;
    }
    return code;
}

const struct field predict_body_fields[] = {
    MODEL_FIELDS(struct predict_body, model),
    LEVEL_FIELD(struct predict_body, level),
    {.name = "items",
     .kind = FIELD_CUSTOM,
     .offset = AT(items),
     .required = true,
     .schema = "PredictItems",
     .custom = decode_items,
     .help = "The configurations: at most 10000, and 20000000 over the fit's draws."},
};
TABLE_IS(predict_body_fields, PREDICT_BODY_FIELDS);
