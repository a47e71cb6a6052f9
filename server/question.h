/* question: what GET and POST /v1/plan and the curves ask: one table, one struct, and the
 * plan_question it comes to for the fit that answers.
 */
#ifndef MOEPLAN_SERVER_QUESTION_H
#define MOEPLAN_SERVER_QUESTION_H

#include "core/curve.h"
#include "core/plan.h"
#include "server/budget.h"
#include "server/call.h"
#include "server/footprint.h"
#include "server/model.h"
#include "server/tables.h"

/* The most that E and G may be in a request: far beyond any use, so that no product overflows. */
#define QUESTION_EXPERTS_MAX 1e9
#define QUESTION_GRANULARITY_MAX 1e9

struct question_query {
    /* Curves only. */
    int64_t points;
    bool bands;
    /* The ends of ranges, NAN when not given. */
    double n_active_min, n_active_max, tokens_min, tokens_max, compute_min, compute_max;
    struct field_numbers memory_limits; /* bytes; count 0 when not given */
    int format;
    /* Both. */
    struct model_query model;
    struct plan_limits limits;
    struct budget_query budget;
    struct budget spent;                       /* what budget comes to, filled by question_make */
    struct field_numbers experts, granularity; /* count 0 when not given */
    bool granularity_given;                    /* set by question_make, which fills the lists in */
    double level;
    const char *shape, *fields;
    /* Plans only. */
    int objective; /* enum plan_objective */
    double target_loss, slack;
    bool spread;
    int export; /* enum export_format, or EXPORT_BY_ACCEPT */
    struct footprint_query footprint;
    bool needs_compute; /* set by the handler: the question is void without a budget */
};

/* The choices of `objective`, by enum plan_objective. */
extern const char *const question_objectives[];

/* What a request that says nothing asks. */
struct question_query question_default(void);

/* The model that answers and the question to it. Lists that are not given are filled in
 * from the fit. What must be there and is not is ERR_INVALID naming the parameter; also a shape
 * that is not known. Errors as snapshot_choose. ret_question points into *ret_choice. */
enum err_code question_make(struct call *call, struct question_query *query,
                            struct model_choice *ret_choice, struct plan_question *ret_question);

/* Of E and G: a dense model is one whatever G there are. */
size_t question_pairs(const double *experts, size_t n_experts, size_t n_granularity);

/* The member `constraints`: every limit in base units, null where there is none. */
void question_write(struct out *out, const struct question_query *query,
                    const struct plan_question *question);

#endif
