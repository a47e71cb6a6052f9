/* plans: the handlers of /v1/plan: the best configuration under limits. The hot path: inline, from
 * the snapshot, straight into the reply. */
#include "server/answer.h"
#include "server/export.h"
#include "server/handlers.h"
#include "server/plan_document.h"
#include "server/question.h"
#include "server/route.h"

enum {
    INLINE_WORK = 100000, /* draws and solves beyond this go to a reader's thread */
    SPREAD_MAX = 2000000, /* plans of a pair of E and G for a spread: 1 to 6 s of that thread */
};

static const char *const plan_members[] = {"fit",
                                           "law",
                                           "study",
                                           "constraints",
                                           "optimum",
                                           "candidates",
                                           "near_optimal",
                                           "dense",
                                           "compute_multiplier",
                                           "rule_of_thumb",
                                           "warnings",
                                           "training",
                                           "near_optimal_loss",
                                           "prices",
                                           "memory",
                                           "spread",
                                           "provenance",
                                           "parameter_convention",
                                           NULL};

/* The parts of the answer that `fields` leaves to be computed. */
static unsigned wanted_parts(const struct out *out, bool spread)
{
    static const struct {
        const char *member;
        unsigned parts;
    } table[] = {
        {"optimum", PLAN_ARCHITECTURE | PLAN_INTERVALS},
        {"candidates", PLAN_CANDIDATES | PLAN_ARCHITECTURE | PLAN_INTERVALS},
        {"near_optimal", PLAN_NEAR_OPTIMAL},
        {"dense", PLAN_DENSE | PLAN_ARCHITECTURE | PLAN_INTERVALS},
        {"compute_multiplier", PLAN_MULTIPLIER},
        {"rule_of_thumb", PLAN_RULE},
        {"near_optimal_loss", PLAN_NEAR_OPTIMAL},
        {"prices", PLAN_PRICES},
        {"memory", PLAN_ARCHITECTURE},
    };
    unsigned parts = 0;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (out_wants(out, table[i].member))
            parts |= table[i].parts;
    if (out_wants(out, "spread") && (spread || out->n_select > 0))
        parts |= PLAN_SPREAD;
    return parts;
}

/* What is known once the question is; kept when the work is too much for the event thread. */
struct stage {
    struct question_query query;
    struct model_choice choice;
    struct plan_question question;
    enum export_format format;
    struct out out;
};

static enum err_code answer_plan(struct call *call, struct stage *stage)
{
    struct plan_answer answer;
    enum err_code code = plan_solve(&stage->question, &call->arena, &answer, &call->err);

    if (call->route->method == METHOD_POST)
        model_fields_to_pointers(call, NULL);
    if (code != ERR_OK)
        return code;
    if (stage->format != EXPORT_JSON)
        return export_reply(call, stage->format, &stage->choice, &stage->query, &stage->question,
                            &answer.optimum);
    plan_document_write(&stage->out, &stage->query, &stage->choice, &stage->question, &answer);
    return answer_out(call, 200, &stage->out);
}

static enum err_code answer_later(struct call *call)
{
    return answer_plan(call, call->stage);
}

/* A spread plans every pair of E and G for every draw. */
static enum err_code check_spread(struct call *call, const struct stage *stage)
{
    const struct plan_question *question = &stage->question;
    size_t draws = question->model.n_draws;
    size_t pairs = question_pairs(question->experts, question->n_experts, question->n_granularity);

    if (!(question->parts & PLAN_SPREAD) || pairs * draws <= SPREAD_MAX)
        return ERR_OK;
    return err_add(
        &call->err, ERR_INVALID, ERR_AT_PARAMETER, stage->query.spread ? "spread" : "fields", 0,
        "a spread over the fit's %zu draws is for at most %zu pairs of E and G, not %zu: "
        "name fewer in experts and granularity",
        draws, SPREAD_MAX / draws, pairs);
}

/* From the query, decoded well or not, to the answer. */
static enum err_code plan(struct call *call, struct stage *stage)
{
    const struct question_query *query = &stage->query;
    struct stage *later;
    enum err_code code;

    answer_select(call, &stage->out, query->fields, plan_members);
    if (query->export > EXPORT_JSON && query->fields != NULL)
        answer_fault(call, "fields", "is for JSON: format has none");
    code = question_make(call, &stage->query, &stage->choice, &stage->question);
    if (code == ERR_OK)
        code = export_choose(call, query->export, &stage->format);
    if (code != ERR_OK)
        return code;
    stage->question.parts =
        stage->format == EXPORT_JSON ? wanted_parts(&stage->out, query->spread) : PLAN_ARCHITECTURE;
    if (stage->question.n_experts *
                (stage->question.n_granularity * 300 + stage->question.model.n_draws) <=
            INLINE_WORK &&
        !(stage->question.parts & PLAN_SPREAD && stage->question.model.n_draws > 0))
        return answer_plan(call, stage);
    if (check_spread(call, stage) != ERR_OK)
        return call->err.code;
    later = arena_alloc(&call->arena, sizeof *later);
    if (later == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    *later = *stage;
    if (later->choice.has_dense)
        later->question.dense = &later->choice.dense;
    call->stage = later;
    call_continue(call, LANE_READER, answer_later);
    return ERR_OK;
}

enum err_code plans_get(struct call *call)
{
    struct stage stage;
    struct field_presence presence;

    stage.query = question_default();
    answer_query(call, NULL, NULL, &stage.query, &presence);
    return plan(call, &stage);
}

enum err_code plans_post(struct call *call)
{
    struct stage stage;
    struct json *root = NULL;

    stage.query = question_default();
    if (answer_json(call, &root) == ERR_OK) {
        const struct err_field *of_query = call->err.last;

        answer_decode(call, root, &stage.query);
        plan(call, &stage);
        model_fields_to_pointers(call, of_query);
    }
    json_release(root);
    return call->err.code;
}
