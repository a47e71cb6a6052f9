#include "core/obs.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { FLOPS_PER_PARAM_TOKEN = 6 };

/* Below or above these a value is taken for a slip: millions or billions left out, FLOPs given as
 * tokens, a diverged run. The smallest real runs have some 1e6 parameters and 1e8 tokens; a uniform
 * guess over any vocabulary in use loses less than 13 nats. */
static const double least_n_active = 1e5, least_tokens = 1e6;
static const double most_n_active = 1e14, most_tokens = 1e17;
static const double most_loss = 20;
/* Conventions of counting FLOPs differ by a factor of 2 or so, units by 1000. */
static const double most_flops_ratio = 30;

double obs_flops(const struct obs *obs)
{
    return isnan(obs->train_flops) ? FLOPS_PER_PARAM_TOKEN * obs->n_active * obs->tokens
                                   : obs->train_flops;
}

static bool is_positive(double value)
{
    return isfinite(value) && value > 0;
}

struct reporter {
    obs_report *report;
    void *ctx;
    size_t count;
};

static void check(struct reporter *reporter, bool holds, const char *field, const char *detail)
{
    if (holds)
        return;
    reporter->count++;
    if (reporter->report)
        reporter->report(reporter->ctx, field, detail);
}

size_t obs_check(const struct obs *obs, obs_report *report, void *ctx)
{
    struct reporter r = {report, ctx, 0};
    bool has_total = !isnan(obs->n_total);

    check(&r, is_positive(obs->n_active), "n_active", "must be a finite number above 0");
    if (has_total && is_positive(obs->n_active) && is_positive(obs->n_total))
        check(&r, obs->n_total >= obs->n_active, "n_total", "must not be below n_active");
    else if (has_total)
        check(&r, is_positive(obs->n_total), "n_total", "must be a finite number above 0");
    check(&r, is_positive(obs->tokens), "tokens", "must be a finite number above 0");
    check(&r, isfinite(obs->experts) && obs->experts >= 1, "experts",
          "must be a finite number, at least 1 (1 is a dense model)");
    check(&r, is_positive(obs->granularity), "granularity", "must be a finite number above 0");
    check(&r, is_positive(obs->loss), "loss", "must be a finite number above 0");
    check(&r, isfinite(obs->weight) && obs->weight >= 0, "weight",
          "must be a finite number, at least 0");
    check(&r, isnan(obs->train_flops) || is_positive(obs->train_flops), "train_flops",
          "must be a finite number above 0");
    return r.count;
}

size_t obs_suspect(const struct obs *obs, obs_report *report, void *ctx)
{
    struct reporter r = {report, ctx, 0};
    double flops_ratio = obs_flops(obs) / (FLOPS_PER_PARAM_TOKEN * obs->n_active * obs->tokens);

    check(&r, !(obs->n_active < least_n_active), "n_active",
          "below 100 thousand parameters: it is a count, not millions or billions");
    check(&r, !(obs->n_active > most_n_active), "n_active", "above 100 trillion parameters");
    check(&r, !(obs->tokens < least_tokens), "tokens",
          "below 1 million tokens: it is a count, not millions or billions");
    check(&r, !(obs->tokens > most_tokens), "tokens",
          "above 1e17 tokens: were these training FLOPs?");
    check(&r, !(obs->loss > most_loss), "loss",
          "above 20: worse than a uniform guess over any vocabulary");
    check(&r, !(flops_ratio > most_flops_ratio || flops_ratio < 1 / most_flops_ratio),
          "train_flops", "far from 6 times n_active times tokens: the unit is one FLOP");
    return r.count;
}

/* NAN after every number, and equal to itself. */
static int compare(double a, double b)
{
    if (isnan(a) || isnan(b))
        return !!isnan(a) - !!isnan(b);
    return (a > b) - (a < b);
}

/* Experts first: runs in a row then share Ê, which laws compute once. */
int obs_compare(const void *a, const void *b)
{
    static const size_t fields[] = {
        offsetof(struct obs, experts),  offsetof(struct obs, granularity),
        offsetof(struct obs, n_active), offsetof(struct obs, n_total),
        offsetof(struct obs, tokens),   offsetof(struct obs, loss),
        offsetof(struct obs, weight),   offsetof(struct obs, train_flops),
    };
    const char *left = a, *right = b;

    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        double x, y;
        int order;

        memcpy(&x, left + fields[i], sizeof x);
        memcpy(&y, right + fields[i], sizeof y);
        order = compare(x, y);
        if (order != 0)
            return order;
    }
    return 0;
}
