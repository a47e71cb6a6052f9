/* laws: the handlers of /v1/laws: what the registry knows, for people and programs. */
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "core/law.h"
#include "core/preset.h"
#include "server/answer.h"
#include "server/handlers.h"
#include "server/page.h"
#include "server/tables.h"

static const char *const law_members[] = {
    "name",          "title", "formula",     "latex",        "source",  "provenance", "variables",
    "size_variable", "plans", "fewest_runs", "coefficients", "presets", NULL};

struct list_query {
    struct page_query page;
};

const struct field laws_list_fields[] = {PAGE_FIELDS(struct list_query, page)};
TABLE_IS(laws_list_fields, LAWS_LIST_FIELDS);

static const char *const roles[] = {
    [LAW_AMPLITUDE] = "amplitude", [LAW_EXPONENT] = "exponent", [LAW_SATURATION] = "saturation"};

static void write_variables(struct out *out, const char *name, unsigned bits)
{
    out_array_begin(out, name);
    for (int v = 0; v < LAW_VARIABLE_COUNT; v++)
        if (bits >> v & 1)
            out_text(out, NULL, law_variable_name((enum law_variable)v));
    out_array_end(out);
}

/* Infinite bounds are null: there is none. */
static void write_coefficient(struct out *out, const struct law_coefficient *coefficient)
{
    out_object_begin(out, NULL);
    out_text(out, "name", coefficient->name);
    out_text(out, "meaning", coefficient->meaning);
    out_text(out, "role", roles[coefficient->role]);
    out_text(out, "transform", law_transform_name(coefficient->transform));
    out_number(out, "lower", coefficient->lower);
    out_number(out, "upper", coefficient->upper);
    write_variables(out, "needs", coefficient->needs);
    out_object_end(out);
}

/* One more than the coefficients that are free by default when the runs hold few values of E. */
static size_t fewest_runs(const struct law *law)
{
    size_t count = 1;

    for (size_t i = 0; i < law->n_coefficients; i++)
        count += law->coefficients[i].role != LAW_SATURATION;
    return count;
}

static void write_law(struct out *out, const struct law *law)
{
    out_object_begin(out, NULL);
    out_text(out, "name", law->name);
    out_text(out, "title", law->title);
    out_text(out, "formula", law->formula);
    out_text(out, "latex", law->latex);
    out_text(out, "source", law->source);
    out_text(out, "provenance", law->provenance);
    write_variables(out, "variables", law->variables);
    out_text(out, "size_variable", law_variable_name(law->size_variable));
    out_bool(out, "plans", law->slice != NULL);
    out_integer(out, "fewest_runs", (int64_t)fewest_runs(law));
    out_array_begin(out, "coefficients");
    for (size_t i = 0; i < law->n_coefficients; i++)
        write_coefficient(out, &law->coefficients[i]);
    out_array_end(out);
    out_array_begin(out, "presets");
    for (size_t i = 0; i < preset_count(); i++)
        if (strcmp(preset_at(i)->law, law->name) == 0)
            out_text(out, NULL, preset_at(i)->id);
    out_array_end(out);
    out_object_end(out);
}

/* The law whose name comes next in the alphabet; NULL after the last. */
static const struct law *next_law(const char *after)
{
    const struct law *next = NULL;

    for (size_t i = 0; i < law_count(); i++) {
        const struct law *law = law_at(i);

        if ((after == NULL || strcmp(law->name, after) > 0) &&
            (next == NULL || strcmp(law->name, next->name) < 0))
            next = law;
    }
    return next;
}

enum err_code laws_list(struct call *call)
{
    struct list_query query = {0};
    struct field_presence presence;
    struct page page;
    enum err_code code;

    answer_query(call, NULL, NULL, &query, &presence);
    code = page_begin(&page, call, PAGE_LAWS, &query.page, law_members);
    if (code != ERR_OK)
        return code;
    for (const struct law *law = next_law(page.after); law != NULL && page_wants(&page);
         law = next_law(law->name)) {
        write_law(&page.item, law);
        page_item(&page, law->name);
    }
    return page_end(&page);
}

enum err_code laws_read(struct call *call)
{
    struct out out;
    const struct law *law = law_find(call->path_param[0]);
    enum err_code code = answer_begin(call, &out, law_members);

    if (code != ERR_OK)
        return code;
    if (law == NULL)
        return err_set(&call->err, ERR_LAW_NOT_FOUND, "there is no law '%.100s'",
                       call->path_param[0]);
    write_law(&out, law);
    return answer_out(call, 200, &out);
}
