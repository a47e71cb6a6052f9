/* predict_query: what /v1/predict asks: one configuration in a query, or many in a body. */
#ifndef MOEPLAN_SERVER_PREDICT_QUERY_H
#define MOEPLAN_SERVER_PREDICT_QUERY_H

#include <math.h>

#include "server/model.h"

enum {
    PREDICT_POINT_FIELDS = 5, /* of predict_fields: the first, which an item has too */
    PREDICT_ITEMS_MAX = 10000,
    PREDICT_WORK_MAX = 20000000, /* items times draws: some seconds */
};

/* One configuration; NAN where the request is silent. */
struct predict_point {
    double n_active, tokens, experts, granularity, n_total;
};

static inline struct predict_point predict_point_absent(void)
{
    return (struct predict_point){NAN, NAN, NAN, NAN, NAN};
}

struct predict_query {
    struct predict_point point; /* first, so that its rows decode an item by themselves */
    struct model_query model;
    double level;
    const char *fields;
};

struct predict_body {
    struct model_query model;
    double level;
    struct predict_point *items;
    size_t n_items;
};

#endif
