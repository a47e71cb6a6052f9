/* curves: the handler of /v1/curves/{kind}: columns to plot, from one fit. */
#include <math.h>
#include <string.h>

#include "server/answer.h"
#include "server/drawing.h"
#include "server/handlers.h"

static const char *const curve_members[] = {
    "kind",     "fit",   "law",  "study",      "constraints",          "rows", "columns",
    "warnings", "lines", "runs", "provenance", "parameter_convention", NULL};

enum {
    CONTOUR_POINTS_MAX = 500, /* a side */
    WORK_MAX = 200000000,     /* rows times draws: 2 s; a contour's points: 0.3 s */
    SOLVES_MAX = 2000000,     /* rows, each the best of so many E and G: 2 to 6 s */
};

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

/* What the greatest budget and memory were given by. */
static struct plan_wording frontier_wording(const struct question_query *query,
                                            const struct plan_wording *given)
{
    struct plan_wording wording = {.words = {{{.name = NULL}}}};
    struct plan_words *compute = wording.words[PLAN_LIMIT_COMPUTE];

    if (given != NULL)
        wording = *given;
    if (!isnan(query->compute_max)) {
        compute[0] = (struct plan_words){"compute_max", "FLOPs", 1, INFINITY};
        compute[1].name = NULL;
    } else if (compute[0].name == NULL) {
        compute[0] = (struct plan_words){"compute", "FLOPs", CURVE_REACH, INFINITY};
    } else {
        compute[0].per *= CURVE_REACH;
        compute[1].per *= CURVE_REACH;
    }
    if (query->memory_limits.count > 0)
        wording.words[PLAN_LIMIT_MEMORY][0] =
            (struct plan_words){"memory_limits", "bytes", 1, INFINITY};
    return wording;
}

static enum err_code draw_frontier(const struct question_query *query,
                                   const struct plan_question *question, struct arena *arena,
                                   struct curve *ret, struct err *err)
{
    struct plan_wording wording = frontier_wording(query, question->wording);
    struct plan_question asked = *question;

    asked.wording = &wording;
    return curve_frontier(&asked, (size_t)query->points, query->compute_min, query->compute_max,
                          query->memory_limits.values, query->memory_limits.count, arena, ret, err);
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

/* The ranges a kind does not read are refused, not ignored. The contour, which is a grid, has no
 * draw. */
static const struct drawing_kind kinds[] = {
    {"isoflop", draw_isoflop, true, {"n_active"}},
    {"tokens", draw_tokens, false, {"tokens"}},
    {"experts", draw_experts, false, {NULL}},
    {"frontier", draw_frontier, false, {"compute"}},
    {"contour", NULL, false, {"n_active", "tokens"}},
};

static const struct drawing_kind *find_kind(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

static bool reads_range(const struct drawing_kind *kind, const char *variable)
{
    for (size_t i = 0; i < 2 && kind->ranges[i] != NULL; i++)
        if (strcmp(kind->ranges[i], variable) == 0)
            return true;
    return false;
}

/* Both ends of a range must be given, or neither. */
static void check_range(struct call *call, const struct drawing_kind *kind, const char *variable,
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
            answer_fault(call, name, "is required with the other end");
    }
}

static void check_memory_limits(struct call *call, const struct drawing *drawing)
{
    const struct question_query *query = &drawing->query;

    if (query->memory_limits.count == 0)
        return;
    if (drawing->kind->draw != draw_frontier)
        err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "memory_limits", 0,
                "is not for curves of kind %s", drawing->kind->name);
    else if (query->limits.memory_bytes < INFINITY || !isnan(query->budget.memory_gpus))
        answer_fault(call, "memory_limits", "stands in the place of memory: give one of them");
    else if (query->memory_limits.count * (size_t)query->points > CURVE_POINTS_MAX)
        err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "memory_limits", 0,
                "times points is at most %d", CURVE_POINTS_MAX);
}

/* Rows of frontiers and of experts are plans. */
static enum err_code check_solves(struct call *call, const struct drawing *drawing)
{
    const struct plan_question *question = &drawing->question;
    bool of_frontier = drawing->kind->draw == draw_frontier;
    size_t runs = of_frontier && drawing->query.memory_limits.count > 0
                      ? drawing->query.memory_limits.count
                      : 1;
    size_t each = question->n_granularity * (of_frontier ? runs * question->n_experts : 1);

    if ((!of_frontier && drawing->kind->draw != draw_experts) ||
        (size_t)drawing->query.points * each <= SOLVES_MAX)
        return ERR_OK;
    return err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "points", 0,
                   "is at most %zu where each is the best of %zu plans: name fewer in experts and "
                   "granularity",
                   SOLVES_MAX / each, each);
}

/* Bands ask every draw at every row, or point of a contour. */
static enum err_code check_work(struct call *call, const struct drawing *drawing)
{
    const struct plan_question *question = &drawing->question;
    bool by_experts = drawing->kind->draw == draw_isoflop || drawing->kind->draw == draw_tokens;
    bool is_grid = drawing->kind->draw == NULL;
    size_t curves = by_experts ? question->n_experts : 1, points = (size_t)drawing->query.points;
    size_t draws = question->model.n_draws, rows, most;

    if (draws == 0)
        return ERR_OK;
    rows = WORK_MAX / draws;
    most = is_grid ? (size_t)sqrt((double)rows) : rows / curves;
    if (points <= most)
        return ERR_OK;
    return err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "points", 0,
                   "is at most %zu for %s of %zu draws, or more with bands=false", most,
                   is_grid      ? "the points of a contour"
                   : curves > 1 ? "the curves of all E"
                                : "a curve",
                   draws);
}

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
    check_memory_limits(call, &drawing);
    if (drawing.kind->draw == NULL && query->points > CONTOUR_POINTS_MAX)
        err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "points", 0,
                "is at most %d a side for a contour", CONTOUR_POINTS_MAX);
    code = question_make(call, query, &drawing.choice, &drawing.question);
    drawing.question.parts = 0;
    if (!query->bands)
        drawing.question.model.n_draws = 0;
    if (code == ERR_OK)
        code = answer_format(call, query->format, 1 << ANSWER_JSON | 1 << ANSWER_CSV, &format);
    if (code == ERR_OK)
        code = check_solves(call, &drawing);
    if (code == ERR_OK)
        code = check_work(call, &drawing);
    if (code == ERR_OK)
        code = draw(call, &drawing);
    if (code != ERR_OK)
        return code;
    return format == ANSWER_JSON ? drawing_reply(call, &drawing, &out)
                                 : drawing_reply_csv(call, &drawing);
}
