/* suggestion: what POST /v1/suggest asks. */
#ifndef MOEPLAN_SERVER_SUGGESTION_H
#define MOEPLAN_SERVER_SUGGESTION_H

#include "server/question.h"

enum { SUGGESTION_RUNS_DEFAULT = 4 };

struct suggestion_query {
    struct model_query model;
    double budget, noise;
    int64_t runs;
    bool within_plan;
    struct field_numbers experts, granularity;
    double n_active_min, n_active_max, tokens_min, tokens_max;
    const char *fields;
    struct question_query plan;
};

#endif
