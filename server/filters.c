#include "server/filters.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "server/field_value.h"

enum { NAME_BYTES = TAG_NAME_MAX_BYTES + 8 };

static const char tag_prefix[] = "tag.";

/* Suffixes of a name, by filter_term's op. */
static const struct {
    const char *text;
    unsigned op;
} name_suffixes[] = {{"", FILTER_ONE_OF}, {"_min", FILTER_MIN}, {"_max", FILTER_MAX}};

static bool has_order(enum filter_kind kind)
{
    return kind == FILTER_NUMBER || kind == FILTER_INTEGER || kind == FILTER_TIME;
}

/* Finds the field and operation a name means; false when it means none. */
static bool find_field(const char *name, struct filter_term *ret_term)
{
    for (size_t i = 0; i < filter_field_count(); i++) {
        const struct filter_field *field = filter_field_at(i);
        size_t length = strlen(field->name);
        if (strncmp(name, field->name, length) != 0)
            continue;
        for (size_t k = 0; k < sizeof name_suffixes / sizeof name_suffixes[0]; k++)
            if (strcmp(name + length, name_suffixes[k].text) == 0 &&
                (name_suffixes[k].op == FILTER_ONE_OF || has_order(field->kind))) {
                *ret_term = (struct filter_term){.field = (int)i};
                ret_term->op = name_suffixes[k].op;
                return true;
            }
    }
    return false;
}

static enum filter_kind term_kind(const struct filter_term *term)
{
    return term->field < 0 ? FILTER_TEXT : filter_field_at((size_t)term->field)->kind;
}

/* What a name means. Returns false for an unknown one; true with *ret_term or with a fault added,
 * *ret_code telling which. */
static bool read_name(const struct filters *filters, const char *name,
                      const struct field_site *site, struct filter_term *ret_term,
                      enum err_code *ret_code)
{
    size_t prefix = sizeof tag_prefix - 1;
    *ret_code = ERR_OK;
    if (strncmp(name, tag_prefix, prefix) == 0) {
        size_t length = strlen(name + prefix);
        if (length == 0 || length > TAG_NAME_MAX_BYTES) {
            *ret_code = field_fault(site, "must name a tag, in 1 to %d bytes", TAG_NAME_MAX_BYTES);
            return true;
        }
        *ret_term = (struct filter_term){.field = -1};
        ret_term->tag = arena_copy(filters->arena, name + prefix, length);
        if (ret_term->tag == NULL)
            *ret_code = field_no_memory(site);
    } else if (!find_field(name, ret_term)) {
        return false;
    }
    if (*ret_code == ERR_OK && filters->filter->n_terms == FILTER_TERMS_MAX)
        *ret_code = field_fault(site, "is one of more than %d filters", FILTER_TERMS_MAX);
    return true;
}

/* Room for the values of a term, hung into it; NULL with a fault when there are too many. */
static void *make_room(struct filter_term *term, size_t count, const struct field_site *site)
{
    bool texts = term_kind(term) == FILTER_TEXT;
    void *values = NULL;
    if (term->op != FILTER_ONE_OF && count != 1) {
        field_fault(site, "must be one value, not a list");
    } else if (count == 0 || count > FILTER_VALUES_MAX) {
        field_fault(site, "must be between 1 and %d values", FILTER_VALUES_MAX);
    } else {
        values = arena_calloc(site->arena, count, texts ? sizeof(char *) : sizeof(double));
        if (values == NULL)
            field_no_memory(site);
    }
    term->n_values = count;
    if (texts)
        term->texts = values;
    else
        term->numbers = values;
    return values;
}

/* The field table's row that reads one value of each kind. */
static const struct field value_fields[] = {
    [FILTER_NUMBER] = {.name = "value", .kind = FIELD_COUNT, .min = -INFINITY, .max = INFINITY},
    [FILTER_INTEGER] = {.name = "value", .kind = FIELD_COUNT, .min = -INFINITY, .max = INFINITY},
    [FILTER_TEXT] = {.name = "value", .kind = FIELD_TEXT, .max = TEXT_MAX_BYTES},
    [FILTER_BOOL] = {.name = "value", .kind = FIELD_BOOL},
    [FILTER_TIME] = {.name = "value", .kind = FIELD_TIME},
};

/* One value of any kind, as a field leaves it. */
union value {
    double number;
    const char *text;
    bool boolean;
    int64_t time_us;
};

static enum err_code store_value(enum filter_kind kind, const union value *value, void *values,
                                 size_t index, const struct field_site *site)
{
    switch (kind) {
    case FILTER_INTEGER: /* decoded as a count, for its suffixes */
        if (value->number != trunc(value->number))
            return field_fault(site, "must be a whole number");
        ((double *)values)[index] = value->number;
        break;
    case FILTER_NUMBER:
        ((double *)values)[index] = value->number;
        break;
    case FILTER_TEXT:
        ((const char **)values)[index] = value->text;
        break;
    case FILTER_BOOL:
        ((double *)values)[index] = value->boolean;
        break;
    case FILTER_TIME: /* exact: microseconds stay below 2^53 until the year 2255 */
        ((double *)values)[index] = (double)value->time_us;
        break;
    }
    return ERR_OK;
}

static enum err_code put_text(enum filter_kind kind, const char *text, void *values, size_t index,
                              const struct field_site *site)
{
    union value value;
    enum err_code code =
        field_put_text(&value_fields[kind], text, strlen(text), true, &value, site);
    return code == ERR_OK ? store_value(kind, &value, values, index, site) : code;
}

static enum err_code put_json(enum filter_kind kind, const struct json *json, void *values,
                              size_t index, const struct field_site *site)
{
    union value value;
    enum err_code code = field_put_json(&value_fields[kind], json, &value, site);
    return code == ERR_OK ? store_value(kind, &value, values, index, site) : code;
}

/* A list is a set: its values in their order, each once. values: those of the term. */
static void drop_repeats(struct filter_term *term, void *values)
{
    bool is_text = term_kind(term) == FILTER_TEXT;
    const char **texts = values;
    double *numbers = values;
    size_t kept = 0;
    for (size_t i = 0; i < term->n_values; i++) {
        size_t k = 0;
        while (k < kept && (is_text ? strcmp(texts[k], texts[i]) != 0 : numbers[k] != numbers[i]))
            k++;
        if (k < kept)
            continue;
        if (is_text)
            texts[kept++] = texts[i];
        else
            numbers[kept++] = numbers[i];
    }
    term->n_values = kept;
}

/* Cuts the next of the values off *at, in place; NULL after the last. */
static char *next_value(char **at)
{
    char *start = *at;
    if (start == NULL)
        return NULL;
    char *from = start, *to = start;
    for (; *from != '\0' && *from != ','; from++) {
        if (*from == '\\' && (from[1] == ',' || from[1] == '\\'))
            from++;
        *to++ = *from;
    }
    *at = *from == ',' ? from + 1 : NULL;
    *to = '\0';
    return start;
}

/* How many values next_value will find. */
static size_t count_values(const char *text)
{
    size_t count = 1;
    for (; *text != '\0'; text++) {
        if (*text == '\\' && (text[1] == ',' || text[1] == '\\'))
            text++;
        else
            count += *text == ',';
    }
    return count;
}

bool filters_query(void *ctx, const char *name, const char *value, struct err *err)
{
    struct filters *filters = ctx;
    struct field_site site = {ERR_AT_PARAMETER, name, 0, filters->arena, err};
    struct filter_term term = {.field = -1};
    enum err_code code = ERR_OK;
    if (!read_name(filters, name, &site, &term, &code))
        return false;
    if (code != ERR_OK || *value == '\0')
        return true; /* an empty value is the caller's fault to name */
    void *values = make_room(&term, count_values(value), &site);
    if (values == NULL)
        return true;
    char *rest = arena_copy(filters->arena, value, strlen(value));
    if (rest == NULL) {
        field_no_memory(&site);
        return true;
    }
    for (size_t i = 0; i < term.n_values; i++) {
        const char *one = next_value(&rest);
        if (*one == '\0') {
            field_fault(&site, "has an empty value in its list");
            return true;
        }
        if (put_text(term_kind(&term), one, values, i, &site) != ERR_OK)
            return true;
    }
    drop_repeats(&term, values);
    filters->filter->terms[filters->filter->n_terms++] = term;
    return true;
}

/* The values of a JSON array, every bad one reported. */
static enum err_code put_array(const struct filter_term *term, const struct json *array,
                               void *values, const struct field_site *site)
{
    enum err_code code = ERR_OK;
    const struct json *item = json_first(array);
    for (size_t i = 0; item != NULL; item = json_next(item), i++) {
        struct field_site at = *site;
        at.name = json_pointer_index(site->arena, site->name, i);
        if (at.name == NULL)
            return field_no_memory(site);
        enum err_code one = put_json(term_kind(term), item, values, i, &at);
        if (one == ERR_NO_MEMORY)
            return one;
        code = one != ERR_OK ? one : code;
    }
    return code;
}

bool filters_json(void *ctx, const char *name, const struct json *value, const char *pointer,
                  struct err *err)
{
    struct filters *filters = ctx;
    struct field_site site = {ERR_AT_POINTER, pointer, 0, filters->arena, err};
    struct filter_term term = {.field = -1};
    enum err_code code = ERR_OK;
    size_t count = 1;
    bool is_array = json_kind(value) == JSON_ARRAY;
    if (!read_name(filters, name, &site, &term, &code))
        return false;
    if (is_array) {
        count = 0;
        for (const struct json *item = json_first(value); item != NULL; item = json_next(item))
            count++;
    }
    void *values = code == ERR_OK ? make_room(&term, count, &site) : NULL;
    if (values == NULL)
        return true;
    code = is_array ? put_array(&term, value, values, &site)
                    : put_json(term_kind(&term), value, values, 0, &site);
    if (code != ERR_OK)
        return true;
    drop_repeats(&term, values);
    filters->filter->terms[filters->filter->n_terms++] = term;
    return true;
}

enum err_code filters_custom(const struct json *value, const char *pointer, void *target,
                             struct arena *arena, struct err *err)
{
    struct filters filters = {target, arena};
    struct field_presence presence;
    return field_from_json(NULL, 0, value, pointer, filters_json, &filters, target, &presence,
                           arena, err);
}

static void write_value(struct out *out, const char *name, const struct filter_term *term,
                        size_t index)
{
    switch (term_kind(term)) {
    case FILTER_NUMBER:
    case FILTER_INTEGER:
        out_number(out, name, term->numbers[index]);
        break;
    case FILTER_TEXT:
        out_text(out, name, term->texts[index]);
        break;
    case FILTER_BOOL:
        out_bool(out, name, term->numbers[index] != 0);
        break;
    case FILTER_TIME:
        out_time(out, name, (int64_t)term->numbers[index]);
        break;
    }
}

void filters_write(struct out *out, const char *name, const struct filter *filter)
{
    out_object_begin(out, name);
    for (size_t i = 0; i < filter->n_terms; i++) {
        const struct filter_term *term = &filter->terms[i];
        char member[NAME_BYTES];
        if (term->field < 0)
            snprintf(member, sizeof member, "%s%s", tag_prefix, term->tag);
        else
            snprintf(member, sizeof member, "%s%s", filter_field_at((size_t)term->field)->name,
                     name_suffixes[term->op].text);
        if (term->n_values == 1) {
            write_value(out, member, term, 0);
            continue;
        }
        out_array_begin(out, member);
        for (size_t k = 0; k < term->n_values; k++)
            write_value(out, NULL, term, k);
        out_array_end(out);
    }
    out_object_end(out);
}
