/* plan_reference: the planner's question answered by brute force, by another route.
 *
 * Written from the papers' formulas alone: it shares no arithmetic with core/ (law, shape, plan),
 * only the structs that carry the question. Model size is walked on a dense grid, then the best
 * grid cell again and again, each time twenty times finer; every limit is checked as it is written
 * in the contract.
 */
#ifndef MOEPLAN_TESTS_PLAN_REFERENCE_H
#define MOEPLAN_TESTS_PLAN_REFERENCE_H

#include <math.h>
#include <string.h>

#include "core/plan.h"

enum { REFERENCE_GRID = 2000, REFERENCE_ZOOMS = 12, REFERENCE_FINE = 60 };

struct reference_point {
    double experts, granularity, d, n_active, tokens, loss, cost;
};

static inline double reference_coefficient(const struct plan_model *model, const char *name)
{
    return model->coefficient[law_coefficient_index(model->law, name)];
}

/* L = m0·N^mu0 + m1·N^mu1 + n·D^nu + c at one (E, G); N is N_total where is_total. */
struct reference_law {
    double m0, mu0, m1, mu1, n, nu, c;
    bool is_total;
};

static inline struct reference_law reference_law(const struct plan_model *model, double experts,
                                                 double granularity)
{
#define AT(name) reference_coefficient(model, name)
    const char *law = model->law->name;
    struct reference_law at = {0};

    if (strcmp(law, "joint") == 0 || strcmp(law, "joint-granular") == 0) {
        double start = AT("E_start"), max = AT("E_max");
        double hat = 1 / (1 / (experts - 1 + 1 / (1 / start - 1 / max)) + 1 / max);

        at.m0 = AT("a") * pow(hat, AT("delta"));
        at.mu0 = AT("alpha") + AT("gamma") * log(hat);
        at.n = AT("b") * pow(hat, AT("omega"));
        at.nu = AT("beta") + AT("zeta") * log(hat);
        at.c = AT("c");
        if (strcmp(law, "joint-granular") == 0) {
            double t = AT("kappa") * log(hat / start);

            at.m0 *= (1 + t * pow(granularity, -AT("phi"))) / (1 + t);
        }
    } else if (strcmp(law, "fine-grained") == 0) {
        at.m0 = AT("g") * pow(granularity, -AT("gamma")) + AT("a");
        at.mu0 = -AT("alpha");
        at.n = AT("b");
        at.nu = -AT("beta");
        at.c = AT("c");
        at.is_total = true;
    } else if (strcmp(law, "chinchilla") == 0) {
        at.m0 = AT("A");
        at.mu0 = -AT("alpha");
        at.n = AT("B");
        at.nu = -AT("beta");
        at.c = AT("E_inf");
    } else if (strcmp(law, "sparsity") == 0) { /* 1 − S = 1/E */
        at.m0 = AT("a");
        at.mu0 = -AT("alpha");
        at.m1 = AT("d") * pow(experts, AT("delta"));
        at.mu1 = -AT("gamma");
        at.n = AT("b");
        at.nu = -AT("beta");
        at.c = AT("c") * pow(experts, AT("lambda")) + AT("e");
        at.is_total = true;
    } else {
        at.c = NAN;
    }
    return at;
#undef AT
}

static inline double reference_loss(const struct reference_law *at, double n_active, double n_total,
                                    double tokens)
{
    double n = at->is_total ? n_total : n_active;
    double loss = at->m0 * pow(n, at->mu0) + at->n * pow(tokens, at->nu) + at->c;

    return at->m1 > 0 ? loss + at->m1 * pow(n, at->mu1) : loss;
}

/* The best tokens at one d_model for the question's objective; cost INFINITY when none will do. */
static inline struct reference_point reference_at(const struct plan_question *question,
                                                  const struct reference_law *law, double experts,
                                                  double granularity, double d)
{
    const struct plan_limits *limits = &question->limits;
    const struct shape *shape = &question->model.shape;
    double layers = d / shape->d_per_layer, ffn = shape->ffn_matrices * shape->ffn_ratio;
    double embedding = shape->embeddings * shape->vocabulary * d;
    double moe_layers = layers / shape->moe_layer_freq;
    double n_total = embedding + (shape->attention * layers + ffn * experts * moe_layers +
                                  ffn * (layers - moe_layers)) *
                                     d * d;
    double n_active =
        (shape->active_embeddings ? embedding : 0) + (shape->attention + ffn) * layers * d * d;
    double per_token = 6 * n_active;
    double served =
        (n_total + 2 * shape->kv_ratio * limits->kv_tokens * layers * d) * limits->bytes_per_param;
    double least = fmax(1, limits->min_tokens_per_param * n_active), most;
    struct reference_point point = {experts, granularity, d, n_active, NAN, INFINITY, INFINITY};

    if (question->model.law->routing_flops && experts > 1)
        per_token += 14 * d * (experts * granularity - shape->shared_experts) * moe_layers;
    most = (limits->compute_flops - 2 * n_active * limits->inference_tokens) / per_token;
    most = fmin(most, fmin(limits->max_tokens, limits->max_tokens_per_param * n_active));
    if (served > limits->memory_bytes || n_active > limits->max_n_active || most < least ||
        n_total * limits->train_bytes_per_param > limits->train_memory_bytes)
        return point;
#define LOSS(tokens) reference_loss(law, n_active, n_total, (tokens))
    point.tokens = LOSS(least) < LOSS(fmin(most, 1e300)) ? least : most;
    point.loss = LOSS(point.tokens);
    if (question->objective == PLAN_LEAST_LOSS) {
        point.cost = point.loss;
    } else if (point.loss > question->target_loss) {
        point.loss = INFINITY;
    } else if (question->objective == PLAN_LEAST_MEMORY) {
        point.cost = served;
    } else {
        double low = log(least), high = log(fmin(most, 1e300));

        for (int i = 0; i < 60 && high - low > 1e-15 * high; i++) {
            double middle = (low + high) / 2;

            if (LOSS(exp(middle)) <= question->target_loss)
                high = middle;
            else
                low = middle;
        }
        point.tokens = LOSS(least) <= question->target_loss ? least : exp(high);
        point.loss = LOSS(point.tokens);
        point.cost = per_token * point.tokens + 2 * n_active * limits->inference_tokens;
    }
#undef LOSS
    return point;
}

/* The best d_model in [d_low, d_high]. */
static inline struct reference_point reference_walk(const struct plan_question *question,
                                                    double experts, double granularity,
                                                    double d_low, double d_high)
{
    double low = log(fmax(d_low, question->model.shape.d_per_layer)), high = log(d_high);
    struct reference_law law = reference_law(&question->model, experts, granularity);
    struct reference_point best = {.cost = INFINITY};
    int grid = REFERENCE_GRID;

    for (int zoom = 0; zoom <= REFERENCE_ZOOMS; zoom++) {
        double step = (high - low) / grid, at = log(best.d > 0 ? best.d : 1);

        for (int i = 0; i <= grid; i++) {
            double x = low + i * step;
            struct reference_point point =
                reference_at(question, &law, experts, granularity, exp(x));

            if (point.cost < best.cost) {
                best = point;
                at = x;
            }
        }
        if (best.cost == INFINITY)
            break;
        low = fmax(log(question->model.shape.d_per_layer), at - 1.5 * step);
        high = at + 1.5 * step;
        grid = REFERENCE_FINE;
    }
    return best;
}

static inline struct reference_point reference_cell(const struct plan_question *question,
                                                    double experts, double granularity)
{
    return reference_walk(question, experts, granularity, question->model.shape.d_per_layer, 1e9);
}

/* The best of all allowed (E, G); cost INFINITY when nothing fits. */
static inline struct reference_point reference_solve(const struct plan_question *question)
{
    struct reference_point best = {.cost = INFINITY};

    for (size_t i = 0; i < question->n_experts; i++) {
        for (size_t j = 0; j < question->n_granularity; j++) {
            double experts = question->experts[i];
            struct reference_point point;

            if (experts == 1 && j > 0)
                continue;
            point = reference_cell(question, experts, experts == 1 ? 1 : question->granularity[j]);
            if (point.cost < best.cost)
                best = point;
        }
    }
    return best;
}

#endif
