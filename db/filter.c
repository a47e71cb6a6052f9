#include "db/filter.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* How a field's value lies in a struct experiment. */
enum storage { STORED_DOUBLE, STORED_INT64, STORED_BOOL, STORED_TEXT };

static const struct row {
    struct filter_field field;
    enum storage storage;
    size_t offset;
    unsigned bit; /* of experiment_field where only `present` says that it is there; else 0 */
} rows[] = {
#define AT(member) offsetof(struct experiment, member)
    {{"id", FILTER_INTEGER}, STORED_INT64, AT(id), 0},
    {{"name", FILTER_TEXT}, STORED_TEXT, AT(name), 0},
    {{"n_active", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.n_active), 0},
    {{"n_total", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.n_total), 0},
    {{"tokens", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.tokens), 0},
    {{"experts", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.experts), 0},
    {{"granularity", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.granularity), 0},
    {{"loss", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.loss), 0},
    {{"train_flops", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.train_flops), 0},
    {{"weight", FILTER_NUMBER}, STORED_DOUBLE, AT(obs.weight), 0},
    {{"loss_stderr", FILTER_NUMBER}, STORED_DOUBLE, AT(loss_stderr), 0},
    {{"seed", FILTER_INTEGER}, STORED_INT64, AT(seed), EXPERIMENT_SEED},
    {{"step", FILTER_INTEGER}, STORED_INT64, AT(step), EXPERIMENT_STEP},
    {{"final", FILTER_BOOL}, STORED_BOOL, AT(final), 0},
    {{"url", FILTER_TEXT}, STORED_TEXT, AT(url), 0},
    {{"excluded", FILTER_BOOL}, STORED_BOOL, AT(excluded), 0},
    {{"excluded_reason", FILTER_TEXT}, STORED_TEXT, AT(excluded_reason), 0},
    {{"recorded_at", FILTER_TIME}, STORED_INT64, AT(recorded_at_us), 0},
#undef AT
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

size_t filter_field_count(void)
{
    return ROW_COUNT;
}

const struct filter_field *filter_field_at(size_t index)
{
    return index < ROW_COUNT ? &rows[index].field : NULL;
}

/* The value as a number; NAN when it is absent or a text. */
static double number_of(const struct row *row, const struct experiment *experiment)
{
    const void *at = (const char *)experiment + row->offset;

    if (row->bit && !(experiment->present & row->bit))
        return NAN;
    switch (row->storage) {
    case STORED_DOUBLE:
        return *(const double *)at;
    case STORED_INT64:
        return (double)*(const int64_t *)at; /* the contract's integers are below 2^53 */
    case STORED_BOOL:
        return *(const bool *)at;
    case STORED_TEXT:
        break;
    }
    return NAN;
}

static const char *tag_value(const struct experiment *experiment, const char *name)
{
    for (size_t i = 0; i < experiment->n_tags; i++)
        if (strcmp(experiment->tags[i].name, name) == 0)
            return experiment->tags[i].value;
    return NULL;
}

static bool is_one_of_texts(const char *text, const struct filter_term *term)
{
    for (size_t i = 0; text && i < term->n_values; i++)
        if (strcmp(text, term->texts[i]) == 0)
            return true;
    return false;
}

/* Every comparison with NAN is false: an absent number satisfies no term. */
static bool number_satisfies(double value, const struct filter_term *term)
{
    switch (term->op) {
    case FILTER_MIN:
        return value >= term->numbers[0];
    case FILTER_MAX:
        return value <= term->numbers[0];
    case FILTER_ONE_OF:
        break;
    }
    for (size_t i = 0; i < term->n_values; i++)
        if (value == term->numbers[i])
            return true;
    return false;
}

static bool term_matches(const struct filter_term *term, const struct experiment *experiment)
{
    const struct row *row;

    if (term->field < 0)
        return is_one_of_texts(tag_value(experiment, term->tag), term);
    assert((size_t)term->field < ROW_COUNT);
    row = &rows[term->field];
    if (row->storage == STORED_TEXT) {
        const void *at = (const char *)experiment + row->offset;

        assert(term->op == FILTER_ONE_OF); /* texts have no ranges */
        return is_one_of_texts(*(const char *const *)at, term);
    }
    return number_satisfies(number_of(row, experiment), term);
}

bool filter_match(const struct filter *filter, const struct experiment *experiment)
{
    for (size_t i = 0; filter && i < filter->n_terms; i++)
        if (!term_matches(&filter->terms[i], experiment))
            return false;
    return true;
}

bool filter_names(const struct filter *filter, const char *field)
{
    for (size_t i = 0; filter && i < filter->n_terms; i++) {
        int index = filter->terms[i].field;

        if (index >= 0 && strcmp(rows[index].field.name, field) == 0)
            return true;
    }
    return false;
}
