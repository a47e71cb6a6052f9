#include "core/suggest.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

enum { DRAWS_MIN = 20, DRAWS_MAX = 200, ROUNDS_MAX = 10 };

/* An exchange for less than this is not worth another round. */
static const double least_gain = 1e-6;

/* How a list of runs is picked. */
enum strategy {
    BY_REDUCTION,
    BY_REDUCTION_PER_FLOP,
    EVENLY, /* by reduction, no run dearer than an even share of what is left */
    STRATEGIES
};

/* Every candidate run and target as its ln losses over the draws, less their mean. */
struct design {
    const struct suggest_question *question;
    size_t n_draws, n_candidates;
    struct suggest_run *candidate;
    double *run;     /* n_candidates × n_draws; then, in one block of n_doubles: */
    double *target;  /* n_targets × n_draws */
    double *fresh;   /* the block before any pick */
    double *scratch; /* n_draws */
    size_t n_doubles;
};

static double dot(const double *a, const double *b, size_t count)
{
    double sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += a[i] * b[i];
    return sum;
}

/* ln losses over the draws, centred. A draw without a finite one counts as the mean. */
static void centred(const struct design *design, const struct law_x *x, double *ret)
{
    const struct plan_model *model = &design->question->model;
    size_t stride = model->n_draws / design->n_draws, finite = 0;
    double mean = 0;

    for (size_t i = 0; i < design->n_draws; i++) {
        const double *draw = model->draws + i * stride * model->law->n_coefficients;

        ret[i] = log(law_loss(model->law, draw, x));
        if (isfinite(ret[i])) {
            mean += ret[i];
            finite++;
        }
    }
    mean /= finite > 0 ? (double)finite : 1;
    for (size_t i = 0; i < design->n_draws; i++)
        ret[i] = isfinite(ret[i]) ? ret[i] - mean : 0;
}

static double target_variance(const struct design *design)
{
    size_t n = design->question->n_targets * design->n_draws;

    return dot(design->target, design->target, n) / (double)n;
}

/* The sum over targets of cov²/(var + noise²) per draw: what the run takes off their variances. */
static double reduction(const struct design *design, const double *run)
{
    double noise = design->question->noise_log, n = (double)design->n_draws, sum = 0;
    double variance = dot(run, run, design->n_draws) / n + noise * noise;

    for (size_t t = 0; t < design->question->n_targets; t++) {
        double covariance = dot(run, design->target + t * design->n_draws, design->n_draws) / n;

        sum += covariance * covariance / variance;
    }
    return sum;
}

/* row −= what is known of it once the picked run is observed with noise. The draws' covariance must
 * fall by cov·cov'/(var + noise²), which the factor does exactly: (1 − f)² shrinks var to
 * var·noise²/(var + noise²) along the run. */
static void condition(const double *picked, double variance, double factor, double *row,
                      size_t count)
{
    double share = factor * dot(row, picked, count) / ((double)count * variance);

    for (size_t i = 0; i < count; i++)
        row[i] -= share * picked[i];
}

static void observe(struct design *design, size_t index, double *picked)
{
    size_t n = design->n_draws;
    double noise = design->question->noise_log, variance, factor;

    memcpy(picked, design->run + index * n, n * sizeof *picked);
    variance = dot(picked, picked, n) / (double)n;
    if (!(variance > 0))
        return;
    factor = 1 - noise / sqrt(variance + noise * noise);
    for (size_t k = 0; k < design->n_candidates; k++)
        condition(picked, variance, factor, design->run + k * n, n);
    for (size_t t = 0; t < design->question->n_targets; t++)
        condition(picked, variance, factor, design->target + t * n, n);
}

/* The best affordable candidate, or n_candidates. */
static size_t best_candidate(const struct design *design, enum strategy strategy, double most_flops)
{
    double best = 0;
    size_t index = design->n_candidates;

    for (size_t k = 0; k < design->n_candidates; k++) {
        double flops = design->candidate[k].train_flops, gain;

        if (flops > most_flops)
            continue;
        gain = reduction(design, design->run + k * design->n_draws);
        gain = strategy == BY_REDUCTION_PER_FLOP ? gain / flops : gain;
        if (gain > best) {
            best = gain;
            index = k;
        }
    }
    return index;
}

/* A list of picks, by index of candidate. */
struct picks {
    size_t count, index[SUGGEST_RUNS_MAX];
    double variance; /* of the targets once all are made */
};

static double flops_of(const struct design *design, const struct picks *picks)
{
    double sum = 0;

    for (size_t i = 0; i < picks->count; i++)
        sum += design->candidate[picks->index[i]].train_flops;
    return sum;
}

/* The design as the study left it, then with all picks but one (or none: SIZE_MAX) observed. */
static void replay(struct design *design, const struct picks *picks, size_t except)
{
    memcpy(design->run, design->fresh, design->n_doubles * sizeof *design->run);
    for (size_t i = 0; i < picks->count; i++)
        if (i != except)
            observe(design, picks->index[i], design->scratch);
}

/* Picks until budget or runs are used up. */
static void pick(struct design *design, enum strategy strategy, struct picks *picks)
{
    const struct suggest_question *question = design->question;

    picks->count = 0;
    replay(design, picks, SIZE_MAX);
    while (picks->count < question->runs) {
        double share = strategy == EVENLY ? (double)(question->runs - picks->count) : 1;
        double left = question->budget_flops - flops_of(design, picks);
        size_t index = best_candidate(design, strategy, left / share);

        if (index == design->n_candidates)
            break;
        observe(design, index, design->scratch);
        picks->index[picks->count++] = index;
    }
    picks->variance = target_variance(design);
}

/* Each pick in turn is given up for the best that its place and the budget allow, until a whole
 * round changes nothing (Fedorov's exchange). */
static void exchange(struct design *design, struct picks *picks)
{
    bool better = picks->count > 0;

    for (int round = 0; round < ROUNDS_MAX && better; round++) {
        better = false;
        for (size_t i = 0; i < picks->count; i++) {
            struct picks other = *picks;
            double left = design->question->budget_flops - flops_of(design, picks) +
                          design->candidate[picks->index[i]].train_flops;

            replay(design, picks, i);
            other.index[i] = best_candidate(design, BY_REDUCTION, left);
            if (other.index[i] == design->n_candidates)
                continue;
            observe(design, other.index[i], design->scratch);
            other.variance = target_variance(design);
            if (other.variance < picks->variance * (1 - least_gain)) {
                *picks = other;
                better = true;
            }
        }
    }
}

static void add_candidate(struct design *design, double experts, double granularity,
                          double n_active, double tokens)
{
    const struct suggest_question *question = design->question;
    const struct shape *shape = &question->model.shape;
    double d = shape_d_from_n_active(shape, n_active);
    struct suggest_run run = {
        .experts = experts,
        .granularity = granularity,
        .n_active = n_active,
        .n_total = shape_n_total(shape, d, experts),
        .d_model = d,
        .tokens = tokens,
        .train_flops = tokens * shape_flops_per_token(shape, d, experts, granularity,
                                                      question->model.law->routing_flops),
    };
    const struct obs obs = {
        .n_active = n_active,
        .n_total = run.n_total,
        .tokens = tokens,
        .experts = experts,
        .granularity = granularity,
    };
    const struct law_x x = law_x_from_obs(&obs);

    if (!(run.train_flops <= question->budget_flops))
        return;
    centred(design, &x, design->run + design->n_candidates * design->n_draws);
    design->candidate[design->n_candidates++] = run;
}

static double log_point(const double range[2], size_t i)
{
    return range[0] * pow(range[1] / range[0], (double)i / (SUGGEST_GRID - 1));
}

static void add_candidates(struct design *design)
{
    const struct suggest_question *q = design->question;

    for (size_t e = 0; e < q->n_experts; e++)
        for (size_t g = 0; g < q->n_granularity && (g == 0 || q->experts[e] > 1); g++)
            for (size_t i = 0; i < SUGGEST_GRID; i++)
                for (size_t j = 0; j < SUGGEST_GRID; j++)
                    add_candidate(design, q->experts[e], q->experts[e] > 1 ? q->granularity[g] : 1,
                                  log_point(q->n_active, i), log_point(q->tokens, j));
}

static void fill_targets(struct design *design)
{
    for (size_t t = 0; t < design->question->n_targets; t++) {
        const struct plan_configuration *c = &design->question->targets[t];
        const struct obs obs = {
            .n_active = c->n_active,
            .n_total = c->n_total,
            .tokens = c->tokens,
            .experts = c->experts,
            .granularity = c->granularity,
        };
        const struct law_x x = law_x_from_obs(&obs);

        centred(design, &x, design->target + t * design->n_draws);
    }
}

/* Every so many-th draw, when there are more than covariances need. */
static size_t draws_used(size_t n_draws)
{
    size_t stride = (n_draws + DRAWS_MAX - 1) / DRAWS_MAX;

    return n_draws / stride;
}

static enum err_code refuse(const struct suggest_question *question, struct err *err)
{
    const struct shape *shape = &question->model.shape;
    double d = shape_d_from_n_active(shape, question->n_active[0]);
    double flops = question->tokens[0] * shape_flops_per_token(shape, d, question->experts[0],
                                                               question->granularity[0],
                                                               question->model.law->routing_flops);

    return err_add(err, ERR_INFEASIBLE, ERR_AT_PARAMETER, "budget", 0,
                   "no run in the box can be paid for: the cheapest takes %.6g FLOPs", flops);
}

enum err_code suggest_runs(const struct suggest_question *question, struct arena *arena,
                           struct suggest_answer *ret_answer, struct err *err)
{
    size_t most = question->n_experts * question->n_granularity * SUGGEST_GRID * SUGGEST_GRID;
    struct suggest_answer answer = {.runs = NULL};
    struct design design = {.question = question};
    struct picks best = {.variance = INFINITY}, picks;

    assert(question->runs > 0 && question->runs <= SUGGEST_RUNS_MAX && question->n_targets > 0);
    if (question->model.n_draws < DRAWS_MIN)
        return err_set(err, ERR_TOO_FEW_EXPERIMENTS,
                       "the fit holds %zu bootstrap draws; suggestions need at least %d",
                       question->model.n_draws, DRAWS_MIN);
    design.n_draws = draws_used(question->model.n_draws);
    design.n_doubles = (most + question->n_targets) * design.n_draws;
    design.candidate = arena_alloc(arena, most * sizeof *design.candidate);
    design.run = arena_alloc(arena, design.n_doubles * sizeof *design.run);
    design.fresh = arena_alloc(arena, design.n_doubles * sizeof *design.fresh);
    design.scratch = arena_alloc(arena, design.n_draws * sizeof *design.scratch);
    answer.runs = arena_calloc(arena, question->runs, sizeof *answer.runs);
    if (!design.candidate || !design.run || !design.fresh || !design.scratch || !answer.runs)
        return err_set(err, ERR_NO_MEMORY, "no room for %zu candidate runs", most);
    design.target = design.run + most * design.n_draws;
    memset(design.run, 0, design.n_doubles * sizeof *design.run);
    add_candidates(&design);
    fill_targets(&design);
    if (design.n_candidates == 0)
        return refuse(question, err);

    answer.sd_log = sqrt(target_variance(&design));
    memcpy(design.fresh, design.run, design.n_doubles * sizeof *design.fresh);
    for (enum strategy strategy = 0; strategy < STRATEGIES; strategy++) {
        pick(&design, strategy, &picks);
        exchange(&design, &picks);
        if (picks.variance < best.variance)
            best = picks;
    }
    answer.n_runs = best.count;
    answer.flops = flops_of(&design, &best);
    memcpy(design.run, design.fresh, design.n_doubles * sizeof *design.run);
    for (size_t i = 0; i < best.count; i++) {
        observe(&design, best.index[i], design.scratch);
        answer.runs[i] = design.candidate[best.index[i]];
        answer.runs[i].sd_log = sqrt(target_variance(&design));
    }
    *ret_answer = answer;
    return ERR_OK;
}
