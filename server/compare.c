/* compare: POST /v1/compare: several laws side by side on the same runs. Nothing is stored.
 *
 * Ranked by AICc, and by the held-out error where there is one; what the runs do not tell apart
 * shares a rank. A law whose AICc does not exist (runs <= free coefficients + 2) or that could not
 * be fitted is shown without one. */
#include <math.h>
#include <string.h>

#include "server/answer.h"
#include "server/app.h"
#include "server/fit_document.h"
#include "server/fits.h"
#include "server/fitting.h"
#include "server/handlers.h"
#include "server/studies.h"
#include "server/warning.h"

/* Less than this of AICc is no evidence (Burnham and Anderson 2002, 2.6). */
static const double tie_aicc = 2.0;

struct contender {
    struct fitting fitting;
    enum err_code code; /* why there is no fit */
    struct err err;
    double aicc, bic, holdout; /* NAN where there is none; holdout: rmse_log of the runs held out */
    size_t held_out;
};

struct comparison {
    struct fitting runs; /* request, study and runs, of no law in particular */
    size_t count;
    struct contender *contenders;
};

static enum err_code fit_all(struct call *call);

static enum err_code no_memory(struct call *call)
{
    return err_set(&call->err, ERR_NO_MEMORY, "out of memory for the comparison");
}

enum err_code compare_post(struct call *call)
{
    struct comparison *comparison = arena_calloc(&call->arena, 1, sizeof *comparison);
    struct fit_options options[FIT_REQUEST_LAWS_MAX];
    struct fitting *runs;
    enum err_code code;

    if (comparison == NULL)
        return no_memory(call);
    runs = &comparison->runs;
    code = fit_request_read_compare(call, &runs->request, options);
    runs->study = studies_asked(call, runs->request.study, ERR_AT_POINTER);
    if (code != ERR_OK || runs->study == NULL)
        return call->err.code;
    code = fitting_read_runs(call, runs);
    if (code != ERR_OK)
        return code;
    comparison->count = runs->request.laws.count;
    comparison->contenders =
        arena_calloc(&call->arena, comparison->count, sizeof *comparison->contenders);
    if (comparison->contenders == NULL)
        return no_memory(call);
    for (size_t i = 0; i < comparison->count; i++) {
        comparison->contenders[i].fitting = *runs;
        comparison->contenders[i].fitting.options = options[i];
    }
    call->stage = comparison;
    call_continue(call, LANE_FIT, fit_all);
    return ERR_OK;
}

/* Fits one law; what is wrong with it is kept, and the call goes on. Only the end of the service
 * and of the memory are the call's own errors. */
static enum err_code fit_one(struct call *call, struct contender *contender)
{
    struct fitting *fitting = &contender->fitting;

    contender->aicc = contender->bic = contender->holdout = NAN;
    contender->code = fitting_check_runs(call, fitting);
    if (contender->code == ERR_OK)
        contender->code = fitting_compute(call, fitting);
    if (contender->code == ERR_CANCELLED)
        return jobs_stopped(call);
    if (contender->code == ERR_NO_MEMORY)
        return contender->code;
    contender->err = call->err;
    err_init(&call->err, &call->arena);
    if (contender->code != ERR_OK)
        return ERR_OK;
    contender->aicc = fitting->result.aicc;
    contender->bic = isnan(contender->aicc) ? NAN : fitting->result.bic;
    contender->held_out = fitting->result.holdout.points;
    if (contender->held_out > 0)
        contender->holdout = fitting->result.holdout.rmse_log;
    return ERR_OK;
}

typedef double contender_value(const struct contender *contender);

/* 1 and how many values are better by more than the margin; 0 where there is none. */
static int64_t rank(const struct comparison *comparison, size_t index, contender_value *value,
                    contender_value *margin)
{
    const struct contender *contender = &comparison->contenders[index];
    double own = value(contender);
    int64_t better = 0;

    if (!isfinite(own))
        return 0;
    for (size_t i = 0; i < comparison->count; i++)
        better += value(&comparison->contenders[i]) < own - margin(contender);
    return better + 1;
}

static double aicc_margin(const struct contender *contender)
{
    (void)contender;
    return tie_aicc;
}

/* The standard error of a root mean square over so few runs. */
static double holdout_margin(const struct contender *contender)
{
    return contender->holdout / sqrt(2.0 * (double)contender->held_out);
}

static double aicc_of(const struct contender *contender)
{
    return contender->aicc;
}

static double bic_of(const struct contender *contender)
{
    return contender->bic;
}

static double holdout_of(const struct contender *contender)
{
    return contender->holdout;
}

static double least(const struct comparison *comparison, contender_value *value)
{
    double best = NAN;

    for (size_t i = 0; i < comparison->count; i++)
        best = fmin(best, value(&comparison->contenders[i]));
    return best;
}

static void write_rank(struct out *out, const char *name, int64_t place)
{
    if (place > 0)
        out_integer(out, name, place);
    else
        out_null(out, name);
}

static void write_error(struct out *out, const struct contender *contender)
{
    if (contender->code == ERR_OK) {
        out_null(out, "error");
        return;
    }
    out_object_begin(out, "error");
    out_text(out, "code", err_name(contender->code));
    out_text(out, "detail", contender->err.detail);
    out_array_begin(out, "errors");
    for (const struct err_field *field = contender->err.first; field != NULL; field = field->next) {
        out_object_begin(out, NULL);
        out_text(out, "pointer", field->name);
        out_text(out, "detail", field->detail);
        out_object_end(out);
    }
    out_array_end(out);
    out_object_end(out);
}

/* The fit's members from `options` on. */
static void write_fit(struct out *out, const struct contender *contender)
{
    const char *name, *value;
    size_t at = 0, name_length, length;

    if (contender->code != ERR_OK) {
        out_null(out, "fit");
        return;
    }
    out_object_begin(out, "fit");
    while (
        fit_document_next(&contender->fitting.record, &at, &name, &name_length, &value, &length)) {
        const char *member = answer_find_name(fit_members, name, name_length);

        if (member != NULL)
            out_raw(out, member, value, length);
    }
    out_object_end(out);
}

static void write_law(struct out *out, const struct comparison *comparison, size_t index)
{
    const struct contender *contender = &comparison->contenders[index];

    out_object_begin(out, NULL);
    out_text(out, "law", contender->fitting.options.law->name);
    write_rank(out, "rank", rank(comparison, index, aicc_of, aicc_margin));
    write_rank(out, "rank_holdout", rank(comparison, index, holdout_of, holdout_margin));
    out_number(out, "delta_aicc", contender->aicc - least(comparison, aicc_of));
    out_number(out, "delta_bic", contender->bic - least(comparison, bic_of));
    write_error(out, contender);
    write_fit(out, contender);
    out_object_end(out);
}

/* Says which laws share the first rank, where several do. */
static void write_tie(struct out *out, const struct comparison *comparison, const char *criterion,
                      contender_value *value, contender_value *margin)
{
    const char *names = NULL;
    size_t first = 0;

    for (size_t i = 0; i < comparison->count; i++) {
        const char *law = comparison->contenders[i].fitting.options.law->name;

        if (rank(comparison, i, value, margin) != 1)
            continue;
        names = first++ == 0 ? law : arena_printf(out->arena, "%s, %s", names, law);
        out->failed = out->failed || names == NULL;
    }
    if (first > 1)
        warning_write(out, "tied",
                      arena_printf(out->arena, "these runs do not tell apart by %s: %s", criterion,
                                   names == NULL ? "" : names));
}

static void write_warnings(struct out *out, const struct comparison *comparison)
{
    size_t ranked = 0;

    out_array_begin(out, "warnings");
    for (size_t i = 0; i < comparison->count; i++) {
        const struct contender *contender = &comparison->contenders[i];
        const char *law = contender->fitting.options.law->name;

        ranked += isfinite(contender->aicc);
        if (contender->code != ERR_OK || isfinite(contender->aicc))
            continue;
        warning_write(out, "not_ranked",
                      arena_printf(out->arena,
                                   "law '%s' has %zu free coefficients on %zu runs: too few runs "
                                   "to compare it by AICc",
                                   law, contender->fitting.result.n_free,
                                   contender->fitting.result.points));
    }
    if (ranked < 2)
        warning_write(out, "nothing_to_rank",
                      "fewer than two laws could be fitted well enough to be compared");
    write_tie(out, comparison, "AICc (less than 2 apart)", aicc_of, aicc_margin);
    write_tie(out, comparison, "the error on the runs held out (within its own)", holdout_of,
              holdout_margin);
    out_array_end(out);
}

static enum err_code answer_comparison(struct call *call, const struct comparison *comparison)
{
    const struct fitting *runs = &comparison->runs;
    char sha256[65];
    struct out out;

    obs_fingerprint(runs->obs, runs->count, sha256);
    out_init(&out, &call->arena);
    out_object_begin(&out, NULL);
    out_text(&out, "study", runs->study->id);
    out_integer(&out, "points", (int64_t)runs->count);
    out_object_begin(&out, "data");
    out_integer(&out, "last_experiment_id", runs->last_experiment_id);
    out_text(&out, "sha256", sha256);
    out_object_end(&out);
    out_array_begin(&out, "laws");
    for (size_t i = 0; i < comparison->count; i++)
        write_law(&out, comparison, i);
    out_array_end(&out);
    write_warnings(&out, comparison);
    out_object_end(&out);
    return answer_out(call, 200, &out);
}

static enum err_code fit_all(struct call *call)
{
    struct comparison *comparison = call->stage;
    struct fit_watch watch;
    enum err_code code = ERR_OK;

    jobs_watch_call(call->app->jobs, &watch, call);
    for (size_t i = 0; i < comparison->count && code == ERR_OK; i++) {
        comparison->contenders[i].fitting.watch = &watch;
        code = fit_one(call, &comparison->contenders[i]);
    }
    jobs_unwatch(call->app->jobs, &watch);
    return code == ERR_OK ? answer_comparison(call, comparison) : code;
}
