#include "server/plan_warnings.h"

#include <stdio.h>
#include <string.h>

#include "server/number.h"
#include "server/warning.h"

enum { DETAIL_BYTES = 300 };

/* G of a law that does not read it. */
static void warn_unread(struct out *out, const struct question_query *query,
                        const struct plan_question *question)
{
    const struct law *law = question->model.law;
    char detail[DETAIL_BYTES];

    if (!query->granularity_given || law_reads(law, LAW_GRANULARITY) ||
        (question->n_granularity == 1 && question->granularity[0] == 1))
        return;
    snprintf(detail, sizeof detail,
             "law '%s' does not read granularity: it changes the architecture, not the loss",
             law->name);
    warning_write(out, "not_read", detail);
}

/* A dense answer from a fit without dense runs. */
static void warn_dense(struct out *out, const struct plan_configuration *dense)
{
    char detail[DETAIL_BYTES], least[NUMBER_BYTES], most[NUMBER_BYTES];

    for (size_t i = 0; i < dense->n_extrapolates; i++) {
        const struct plan_extrapolation *e = &dense->extrapolates[i];

        if (e->variable != LAW_EXPERTS)
            continue;
        least[number_write(e->min, least)] = '\0';
        most[number_write(e->max, most)] = '\0';
        snprintf(
            detail, sizeof detail,
            "the fit has no dense runs (its E is %s to %s): dense and compute_multiplier carry "
            "its trend in E on to E = 1",
            least, most);
        warning_write(out, "dense_extrapolated", detail);
    }
}

static const char *reason_at(const struct plan_answer *answer, size_t i)
{
    const struct plan_candidate *candidate = &answer->candidates[i];

    return candidate->feasible ? candidate->configuration.no_architecture : NULL;
}

static bool is_told_already(const struct plan_answer *answer, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (reason_at(answer, k) != NULL && strcmp(reason_at(answer, k), reason_at(answer, i)) == 0)
            return true;
    return false;
}

/* One warning for each reason, naming the E without an architecture. */
static void warn_architecture(struct out *out, const struct plan_answer *answer)
{
    const char *of_optimum = answer->optimum.no_architecture;
    char detail[DETAIL_BYTES];

    if (answer->n_candidates == 0 && of_optimum != NULL) {
        snprintf(detail, sizeof detail, "the optimum: %s", of_optimum);
        warning_write(out, "no_architecture", detail);
    }
    for (size_t i = 0; i < answer->n_candidates; i++) {
        const char *reason = reason_at(answer, i), *comma = "";
        size_t used = (size_t)snprintf(detail, sizeof detail, "E = ");

        if (reason == NULL || is_told_already(answer, i))
            continue;
        for (size_t k = i; k < answer->n_candidates && used < sizeof detail / 2; k++) {
            if (reason_at(answer, k) == NULL || strcmp(reason_at(answer, k), reason) != 0)
                continue;
            used += (size_t)snprintf(detail + used, sizeof detail - used, "%s%.6g", comma,
                                     answer->candidates[k].experts);
            comma = ", ";
        }
        snprintf(detail + used, sizeof detail - used, ": %s", reason);
        warning_write(out, "no_architecture", detail);
    }
}

void plan_warnings_write(struct out *out, const struct question_query *query,
                         const struct model_choice *choice, const struct plan_question *question,
                         const struct plan_answer *answer)
{
    if (!out_wants(out, "warnings"))
        return;
    out_array_begin(out, "warnings");
    model_write_warnings(out, choice, query->shape == NULL, query->level);
    for (size_t i = 0; i < answer->n_warnings; i++)
        warning_write(out, answer->warnings[i].code, answer->warnings[i].detail);
    warn_unread(out, query, question);
    if (answer->has_dense)
        warn_dense(out, &answer->dense);
    warn_architecture(out, answer);
    out_array_end(out);
}
