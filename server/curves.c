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

enum err_code curves_read(struct call *call)
{
    struct question_query query = question_default();
    enum answer_format format = ANSWER_JSON;
    struct field_presence presence;
    struct plan_question question;
    struct model_choice choice;
    struct curve curve;
    struct out out;
    enum err_code code;

    if (strcmp(call->path_param[0], "isoflop") != 0)
        return err_set(&call->err, ERR_NOT_FOUND, "there is no curve '%.100s'",
                       call->path_param[0]);
    answer_query(call, NULL, NULL, &query, &presence);
    answer_select(call, &out, query.fields, curve_members);
    code = question_make(call, &query, &choice, &question);
    if (code == ERR_OK)
        code = answer_format(call, query.format, 1 << ANSWER_JSON | 1 << ANSWER_CSV, &format);
    if (code == ERR_OK)
        code = curve_isoflop(&question, (size_t)query.points, query.n_active_min,
                             query.n_active_max, &call->arena, &curve, &call->err);
    if (code != ERR_OK)
        return code;
    if (format == ANSWER_CSV)
        return reply_csv(call, &curve);
    out_object_begin(&out, NULL);
    out_text(&out, "kind", "isoflop");
    model_write_head(&out, &choice);
    question_write(&out, &query, &question);
    out_integer(&out, "rows", (int64_t)curve.n_rows);
    write_columns(&out, &curve);
    out_array_begin(&out, "warnings");
    model_write_warnings(&out, &choice, query.shape == NULL);
    out_array_end(&out);
    out_object_end(&out);
    return answer_out(call, 200, &out);
}
