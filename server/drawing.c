#include "server/drawing.h"

#include <math.h>
#include <string.h>

#include "server/answer.h"
#include "server/contour.h"
#include "server/csv.h"
#include "server/observed.h"

/* Columns that are 0 or 1 in core and true or false in JSON and CSV. */
static bool is_flag(const char *column)
{
    static const char *const flags[] = {"feasible", "optimum", "extrapolates"};

    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        if (strcmp(column, flags[i]) == 0)
            return true;
    return false;
}

/* One that holds an enum law_variable in core and its name in JSON and CSV. */
static bool is_variable(const char *column)
{
    return strcmp(column, "extrapolates_variable") == 0;
}

static enum law_variable variable_of(double value)
{
    return isnan(value) ? LAW_RANGE_COUNT : (enum law_variable)value;
}

const char *drawing_variable(enum law_variable variable)
{
    return variable < LAW_RANGE_COUNT ? law_variable_name(variable) : "";
}

void drawing_write_variable(struct out *out, enum law_variable variable)
{
    if (variable < LAW_RANGE_COUNT)
        out_constant(out, NULL, law_variable_name(variable));
    else
        out_null(out, NULL);
}

static void write_columns(struct out *out, const struct curve *curve)
{
    out_object_begin(out, "columns");
    for (size_t k = 0; k < curve->n_columns; k++) {
        const char *name = curve->column[k];
        const double *value = curve->value[k];
        bool flags = is_flag(name);

        if (!flags && !is_variable(name)) {
            out_numbers(out, name, value, curve->n_rows);
            continue;
        }
        out_array_begin(out, name);
        for (size_t i = 0; i < curve->n_rows; i++) {
            if (flags)
                out_bool(out, NULL, value[i] != 0);
            else
                drawing_write_variable(out, variable_of(value[i]));
        }
        out_array_end(out);
    }
    out_object_end(out);
}

static enum err_code reply_table_csv(struct call *call, const struct curve *curve)
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
            else if (is_variable(curve->column[k]))
                csv_write_text(&out, k == 0, drawing_variable(variable_of(value)));
            else
                csv_write_number(&out, k == 0, value);
        }
        csv_write_end(&out);
    }
    return answer_text(call, 200, &out, answer_media_type(ANSWER_CSV));
}

/* The model sizes at which an E meets the limits on bytes; of tokens, the tokens compute pays for
 * at the size drawn. */
static void write_line(struct out *out, const struct drawing *drawing, double experts,
                       double granularity, double d_model)
{
    const struct plan_question *question = &drawing->question;
    const struct plan_limits *limits = &question->limits;
    const struct shape *shape = &question->model.shape;
    double memory = limits->memory_bytes / limits->bytes_per_param;
    double trained = limits->train_memory_bytes / limits->train_bytes_per_param;
    double by_memory = NAN, by_training = NAN, tokens = NAN;

    if (isfinite(memory))
        by_memory =
            shape_n_active(shape, shape_d_from_memory(shape, memory, experts, limits->kv_tokens));
    if (isfinite(trained))
        by_training = shape_n_active(shape, shape_d_from_n_total(shape, trained, experts));
    if (isfinite(limits->compute_flops))
        tokens = (limits->compute_flops - SHAPE_INFERENCE_FLOPS_PER_PARAM *
                                              shape_n_active(shape, d_model) *
                                              limits->inference_tokens) /
                 shape_flops_per_token(shape, d_model, experts, granularity,
                                       question->model.law->routing_flops);
    out_object_begin(out, NULL);
    out_number(out, "experts", experts);
    out_number(out, "granularity", granularity);
    out_number(out, "n_active_by_memory", by_memory);
    out_number(out, "n_active_by_train_memory", by_training);
    out_number(out, "tokens_by_compute", tokens > 0 ? tokens : NAN);
    out_object_end(out);
}

/* One for each run of rows of one E and G. */
static void write_lines(struct out *out, const struct drawing *drawing)
{
    const struct curve *curve = &drawing->curve;
    bool of_tokens = strcmp(drawing->kind->name, "tokens") == 0;

    out_array_begin(out, "lines");
    if (drawing->kind->draw == NULL)
        write_line(out, drawing, drawing->cell.experts, drawing->cell.granularity, NAN);
    for (size_t i = 0; i < curve->n_rows; i++) {
        const double *experts = curve->value[0], *granularity = curve->value[1];

        if (i == 0 || experts[i] != experts[i - 1] || granularity[i] != granularity[i - 1])
            write_line(out, drawing, experts[i], granularity[i],
                       of_tokens ? curve->value[4][i] : NAN);
    }
    out_array_end(out);
}

enum err_code drawing_reply(struct call *call, const struct drawing *drawing, struct out *out)
{
    enum err_code code = ERR_OK;
    bool is_grid = drawing->kind->draw == NULL;

    out_object_begin(out, NULL);
    out_text(out, "kind", drawing->kind->name);
    model_write_head(out, &drawing->choice);
    question_write(out, &drawing->query, &drawing->question);
    out_integer(out, "rows", (int64_t)(is_grid ? drawing->contour.n_sizes : drawing->curve.n_rows));
    if (is_grid)
        code = contour_write(call, drawing, out);
    else
        write_columns(out, &drawing->curve);
    out_array_begin(out, "warnings");
    model_write_warnings(out, &drawing->choice, drawing->query.shape == NULL,
                         drawing->query.bands ? drawing->query.level : NAN);
    out_array_end(out);
    model_write_origin(out, &drawing->choice);
    write_lines(out, drawing);
    if (code == ERR_OK && out_wants(out, "runs"))
        code = observed_write(call, &drawing->choice, out);
    out_object_end(out);
    return code == ERR_OK ? answer_out(call, 200, out) : code;
}

enum err_code drawing_reply_csv(struct call *call, const struct drawing *drawing)
{
    if (model_reply_headers(call, &drawing->choice) != ERR_OK)
        return call->err.code;
    return drawing->kind->draw == NULL ? contour_reply_csv(call, drawing)
                                       : reply_table_csv(call, &drawing->curve);
}
