/* curves: the handler of /v1/curves/{kind}: columns to plot, from one fit. */
#include <math.h>
#include <string.h>

#include "core/curve.h"
#include "server/answer.h"
#include "server/csv.h"
#include "server/handlers.h"
#include "server/observed.h"
#include "server/question.h"

static const char *const curve_members[] = {"kind",        "fit",  "law",     "study",
                                            "constraints", "rows", "columns", "warnings",
                                            "lines",       "runs", NULL};

enum { CONTOUR_POINTS_MAX = 500 }; /* a side */

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

/* A contour is of one E and G: those of the plan, where there is more than one and a plan. */
static enum err_code choose_cell(const struct plan_question *question, struct plan_question *ret,
                                 struct plan_configuration *ret_best, struct arena *arena)
{
    struct plan_answer answer;
    struct err ignored;
    enum err_code code;

    err_init(&ignored, arena);
    *ret = *question;
    ret->n_experts = ret->n_granularity = 1;
    ret_best->experts = question->experts[0];
    ret_best->granularity = ret_best->experts > 1 ? question->granularity[0] : 1;
    if (question->n_experts * question->n_granularity == 1)
        return ERR_OK;
    code = plan_solve(question, arena, &answer, &ignored);
    if (code == ERR_NO_MEMORY)
        return code;
    if (code == ERR_OK)
        *ret_best = answer.optimum;
    ret->experts = &ret_best->experts;
    ret->granularity = &ret_best->granularity;
    return ERR_OK;
}

/* The kinds of curve. The ranges a kind does not read are refused, not ignored. The contour, which
 * is a grid, has no draw. */
static const struct kind {
    const char *name;
    enum err_code (*draw)(const struct question_query *query, const struct plan_question *question,
                          struct arena *arena, struct curve *ret, struct err *err);
    bool needs_compute;
    const char *ranges[2]; /* the variables of its range parameters, or NULL */
} kinds[] = {
    {"isoflop", draw_isoflop, true, {"n_active"}},
    {"tokens", draw_tokens, false, {"tokens"}},
    {"experts", draw_experts, false, {NULL}},
    {"frontier", draw_frontier, false, {"compute"}},
    {"contour", NULL, false, {"n_active", "tokens"}},
};

static const struct kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static bool reads_range(const struct kind *kind, const char *variable)
{
    for (size_t i = 0; i < 2 && kind->ranges[i] != NULL; i++)
        if (strcmp(kind->ranges[i], variable) == 0)
            return true;
    return false;
}

/* Both ends of a range must be given, or neither. */
static void check_range(struct call *call, const struct kind *kind, const char *variable,
                        double min, double max)
{
    bool reads = reads_range(kind, variable);

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

/* Everything one answer is made of. */
struct drawing {
    const struct kind *kind;
    struct question_query query;
    struct model_choice choice;
    struct plan_question question;
    struct curve curve;
    struct plan_configuration cell; /* of the contour: experts and granularity alone may be set */
    struct curve_contour contour;
};

static enum err_code draw(struct call *call, struct drawing *drawing)
{
    const struct question_query *query = &drawing->query;
    const double n_active[2] = {query->n_active_min, query->n_active_max};
    const double tokens[2] = {query->tokens_min, query->tokens_max};
    size_t points = (size_t)query->points;
    struct plan_question one;
    enum err_code code;

    if (drawing->kind->draw != NULL)
        return drawing->kind->draw(query, &drawing->question, &call->arena, &drawing->curve,
                                   &call->err);
    code = choose_cell(&drawing->question, &one, &drawing->cell, &call->arena);
    if (code != ERR_OK)
        return err_set(&call->err, code, "out of memory");
    return curve_contour(&one, points, points, n_active, tokens, &call->arena, &drawing->contour,
                         &call->err);
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

static void write_grid(struct out *out, const struct curve_contour *contour)
{
    out_object_begin(out, "columns");
    out_numbers(out, "n_active", contour->n_active, contour->n_sizes);
    out_numbers(out, "tokens", contour->tokens, contour->n_tokens);
    out_array_begin(out, "loss");
    for (size_t i = 0; i < contour->n_sizes; i++)
        out_numbers(out, NULL, contour->loss + i * contour->n_tokens, contour->n_tokens);
    out_array_end(out);
    out_numbers(out, "tokens_by_compute", contour->tokens_by_compute, contour->n_sizes);
    out_object_end(out);
}

static enum err_code reply_grid_csv(struct call *call, const struct curve_contour *contour)
{
    struct out out;

    out_init(&out, &call->arena);
    csv_write_text(&out, true, "n_active");
    csv_write_text(&out, false, "tokens");
    csv_write_text(&out, false, "loss");
    csv_write_end(&out);
    for (size_t i = 0; i < contour->n_sizes; i++)
        for (size_t j = 0; j < contour->n_tokens; j++) {
            csv_write_number(&out, true, contour->n_active[i]);
            csv_write_number(&out, false, contour->tokens[j]);
            csv_write_number(&out, false, contour->loss[i * contour->n_tokens + j]);
            csv_write_end(&out);
        }
    return answer_text(call, 200, &out, answer_media_type(ANSWER_CSV));
}

static enum err_code reply_drawing(struct call *call, const struct drawing *drawing,
                                   struct out *out)
{
    enum err_code code = ERR_OK;
    bool is_grid = drawing->kind->draw == NULL;

    out_object_begin(out, NULL);
    out_text(out, "kind", drawing->kind->name);
    model_write_head(out, &drawing->choice);
    question_write(out, &drawing->query, &drawing->question);
    out_integer(out, "rows", (int64_t)(is_grid ? drawing->contour.n_sizes : drawing->curve.n_rows));
    if (is_grid)
        write_grid(out, &drawing->contour);
    else
        write_columns(out, &drawing->curve);
    out_array_begin(out, "warnings");
    model_write_warnings(out, &drawing->choice, drawing->query.shape == NULL);
    out_array_end(out);
    write_lines(out, drawing);
    if (out_wants(out, "runs"))
        code = observed_write(call, &drawing->choice, out);
    out_object_end(out);
    return code == ERR_OK ? answer_out(call, 200, out) : code;
}

enum err_code curves_read(struct call *call)
{
    struct drawing drawing = {.kind = find_kind(call->path_param[0]), .query = question_default()};
    struct question_query *query = &drawing.query;
    enum answer_format format = ANSWER_JSON;
    struct field_presence presence;
    struct out out;
    enum err_code code;

    if (drawing.kind == NULL)
        return err_set(&call->err, ERR_NOT_FOUND, "there is no curve '%.100s'",
                       call->path_param[0]);
    query->needs_compute = drawing.kind->needs_compute;
    answer_query(call, NULL, NULL, query, &presence);
    answer_select(call, &out, query->fields, curve_members);
    check_range(call, drawing.kind, "n_active", query->n_active_min, query->n_active_max);
    check_range(call, drawing.kind, "tokens", query->tokens_min, query->tokens_max);
    check_range(call, drawing.kind, "compute", query->compute_min, query->compute_max);
    if (drawing.kind->draw == NULL && query->points > CONTOUR_POINTS_MAX)
        err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "points", 0,
                "is at most %d a side for a contour", CONTOUR_POINTS_MAX);
    code = question_make(call, query, &drawing.choice, &drawing.question);
    drawing.question.parts = 0;
    if (code == ERR_OK)
        code = answer_format(call, query->format, 1 << ANSWER_JSON | 1 << ANSWER_CSV, &format);
    if (code == ERR_OK)
        code = draw(call, &drawing);
    if (code != ERR_OK)
        return code;
    if (format == ANSWER_JSON)
        return reply_drawing(call, &drawing, &out);
    return drawing.kind->draw == NULL ? reply_grid_csv(call, &drawing.contour)
                                      : reply_csv(call, &drawing.curve);
}
