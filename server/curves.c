/* curves: the handler of /v1/curves/{kind}: columns to plot, from one fit. */
#include <math.h>
#include <string.h>

#include "core/curve.h"
#include "server/answer.h"
#include "server/csv.h"
#include "server/handlers.h"
#include "server/question.h"

static const char *const curve_members[] = {"kind", "fit",     "law",      "study", "constraints",
                                            "rows", "columns", "warnings", NULL};

/* Columns that are 0 or 1 in core and true or false in JSON and CSV. */
static bool is_flag(const char *column)
{
    static const char *const flags[] = {"feasible", "optimum", "extrapolates"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(column, flags[i]) == 0)
            return true;
    return false;
}

static void write_columns(struct out *out, const struct curve *curve)
{
    out_object_begin(out, "columns");
    for (size_t k = 0; k < curve->n_columns; k++) {
        if (!is_flag(curve->column[k])) {
            out_numbers(out, curve->column[k], curve->value[k], curve->n_rows);
            continue;
        }
        out_array_begin(out, curve->column[k]);
        for (size_t i = 0; i < curve->n_rows; i++)
            out_bool(out, NULL, curve->value[k][i] != 0);
        out_array_end(out);
    }
    out_object_end(out);
}

static enum err_code reply_csv(struct call *call, const struct curve *curve)
{
    struct out out;

    out_init(&out, &call->arena);
    for (size_t k = 0; k < curve->n_columns; k++)
        csv_write_text(&out, k == 0, curve->column[k]);
    csv_write_end(&out);
    for (size_t i = 0; i < curve->n_rows; i++) {
        for (size_t k = 0; k < curve->n_columns; k++) {
            double value = curve->value[k][i];

            if (is_flag(curve->column[k]))
                csv_write_text(&out, k == 0, value != 0 ? "true" : "false");
            else
                csv_write_number(&out, k == 0, value);
        }
        csv_write_end(&out);
    }
    return answer_text(call, 200, &out, answer_media_type(ANSWER_CSV));
}

static enum err_code draw_isoflop(const struct question_query *query,
                                  const struct plan_question *question, struct arena *arena,
                                  struct curve *ret, struct err *err)
{
    return curve_isoflop(question, (size_t)query->points, query->n_active_min, query->n_active_max,
                         arena, ret, err);
}

static enum err_code draw_tokens(const struct question_query *query,
                                 const struct plan_question *question, struct arena *arena,
                                 struct curve *ret, struct err *err)
{
    return curve_tokens(question, (size_t)query->points, query->tokens_min, query->tokens_max,
                        arena, ret, err);
}

static enum err_code draw_experts(const struct question_query *query,
                                  const struct plan_question *question, struct arena *arena,
                                  struct curve *ret, struct err *err)
{
    return curve_experts(question, (size_t)query->points, arena, ret, err);
}

static enum err_code draw_frontier(const struct question_query *query,
                                   const struct plan_question *question, struct arena *arena,
                                   struct curve *ret, struct err *err)
{
    return curve_frontier(question, (size_t)query->points, query->compute_min, query->compute_max,
                          NULL, 0, arena, ret, err);
}

/* The kinds of curve. The ranges a kind does not read are refused, not ignored. */
static const struct kind {
    const char *name;
    enum err_code (*draw)(const struct question_query *query, const struct plan_question *question,
                          struct arena *arena, struct curve *ret, struct err *err);
    bool needs_compute;
    const char *range; /* the variable of its range parameters, or NULL */
} kinds[] = {
    {"isoflop", draw_isoflop, true, "n_active"},
    {"tokens", draw_tokens, false, "tokens"},
    {"experts", draw_experts, false, NULL},
    {"frontier", draw_frontier, false, "compute"},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

/* Both ends of a range must be given, or neither. */
static void check_range(struct call *call, const struct kind *kind, const char *variable,
                        double min, double max)
{
    bool reads = kind->range != NULL && strcmp(kind->range, variable) == 0;

    for (int end = 0; end < 2; end++) {
        double value = end == 0 ? min : max, other = end == 0 ? max : min;
        const char *name = arena_printf(&call->arena, "%s_%s", variable, end == 0 ? "min" : "max");

        if (name == NULL)
            err_set(&call->err, ERR_NO_MEMORY, "out of memory");
        else if (!reads && !isnan(value))
            err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, name, 0,
                    "is not for curves of kind %s", kind->name);
        else if (reads && isnan(value) && !isnan(other))
            err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, name, 0,
                    "is required with the other end");
    }
}

static enum err_code reply_curve(struct call *call, const struct kind *kind,
                                 const struct question_query *query,
                                 const struct model_choice *choice,
                                 const struct plan_question *question, const struct curve *curve,
                                 struct out *out)
{
    out_object_begin(out, NULL);
    out_text(out, "kind", kind->name);
    model_write_head(out, choice);
    question_write(out, query, question);
    out_integer(out, "rows", (int64_t)curve->n_rows);
    write_columns(out, curve);
    out_array_begin(out, "warnings");
    model_write_warnings(out, choice, query->shape == NULL);
    out_array_end(out);
    out_object_end(out);
    return answer_out(call, 200, out);
}

enum err_code curves_read(struct call *call)
{
    const struct kind *kind = find_kind(call->path_param[0]);
    struct question_query query = question_default();
    enum answer_format format = ANSWER_JSON;
    struct field_presence presence;
    struct plan_question question;
    struct model_choice choice;
    struct curve curve;
    struct out out;
    enum err_code code;

    if (kind == NULL)
        return err_set(&call->err, ERR_NOT_FOUND, "there is no curve '%.100s'",
                       call->path_param[0]);
    query.needs_compute = kind->needs_compute;
    answer_query(call, NULL, NULL, &query, &presence);
    answer_select(call, &out, query.fields, curve_members);
    check_range(call, kind, "n_active", query.n_active_min, query.n_active_max);
    check_range(call, kind, "tokens", query.tokens_min, query.tokens_max);
    check_range(call, kind, "compute", query.compute_min, query.compute_max);
    code = question_make(call, &query, &choice, &question);
    if (code == ERR_OK)
        code = answer_format(call, query.format, 1 << ANSWER_JSON | 1 << ANSWER_CSV, &format);
    if (code == ERR_OK)
        code = kind->draw(&query, &question, &call->arena, &curve, &call->err);
    if (code != ERR_OK)
        return code;
    return format == ANSWER_CSV ? reply_csv(call, &curve)
                                : reply_curve(call, kind, &query, &choice, &question, &curve, &out);
}
