/* profiles: GET /v1/fits/{fit}/profile: what the fit loses when one coefficient is held elsewhere.
 *
 * The fit's runs are read again (a reader's work), and must be those it was made of; a fit thread
 * refits. Nothing is stored. */
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_profile.h"
#include "server/answer.h"
#include "server/app.h"
#include "server/fits.h"
#include "server/fitted.h"
#include "server/fitting.h"
#include "server/handlers.h"
#include "server/model.h"
#include "server/tables.h"
#include "server/warning.h"

struct profile_query {
    const char *coefficient, *fields;
    int64_t points;
    double level;
};

#define AT(member) offsetof(struct profile_query, member)

const struct field profile_fields[] = {
    {.name = "coefficient",
     .kind = FIELD_TEXT,
     .offset = AT(coefficient),
     .required = true,
     .max = 64,
     .help = "A coefficient the fit left free."},
    {.name = "points",
     .kind = FIELD_INTEGER,
     .offset = AT(points),
     .min = FIT_PROFILE_POINTS_MIN,
     .max = FIT_PROFILE_POINTS_MAX,
     .fallback = "41",
     .help = "Values to refit at, over the interval and half as far again."},
    LEVEL_FIELD(struct profile_query, level),
    SELECT_FIELD(struct profile_query, fields),
};
TABLE_IS(profile_fields, PROFILE_FIELDS);

static const char *const profile_members[] = {
    "fit",       "law",    "study",      "coefficient", "value",
    "objective", "level",  "interval",   "ends",        "dispersion",
    "threshold", "values", "objectives", "warnings",    NULL};

/* What the lanes share. */
struct profiling {
    struct profile_query query;
    struct fitted fitted;
    struct fit_result result; /* coefficient and is_free */
    size_t index;
    struct fit_watch watch;
};

static enum err_code no_memory(struct call *call)
{
    return err_set(&call->err, ERR_NO_MEMORY, "out of memory for the profile");
}

static enum err_code compute(struct call *call);

static enum err_code find_coefficient(struct call *call, struct profiling *profiling)
{
    const struct law *law = profiling->fitted.law;

    profiling->index = law_coefficient_index(law, profiling->query.coefficient);
    if (profiling->index == law->n_coefficients)
        return err_add(&call->err, ERR_INVALID, ERR_AT_PARAMETER, "coefficient", 0,
                       "law '%s' has no coefficient '%.64s'", law->name,
                       profiling->query.coefficient);
    for (size_t i = 0; i < law->n_coefficients; i++) {
        profiling->result.coefficient[i] = profiling->fitted.record->coefficient[i];
        profiling->result.is_free[i] = profiling->fitted.options.hold[i] != FIT_FIXED;
    }
    profiling->result.law = law;
    return profiling->result.is_free[profiling->index]
               ? ERR_OK
               : err_add(&call->err, ERR_UNSUPPORTED, ERR_AT_PARAMETER, "coefficient", 0,
                         "%s was not free in this fit", profiling->query.coefficient);
}

enum err_code profiles_read(struct call *call)
{
    struct profiling *profiling = arena_calloc(&call->arena, 1, sizeof *profiling);
    struct field_presence presence;
    struct out out;
    enum err_code code;

    if (profiling == NULL)
        return no_memory(call);
    profiling->query =
        (struct profile_query){.points = FIT_PROFILE_POINTS_DEFAULT, .level = LEVEL_DEFAULT};
    answer_query(call, NULL, NULL, &profiling->query, &presence);
    code = answer_select(call, &out, profiling->query.fields, profile_members);
    if (code == ERR_OK)
        code = fit_find_finished(call, &profiling->fitted.record);
    if (code != ERR_OK)
        return code;
    profiling->fitted.law = snapshot_fit_law(call->snapshot, profiling->fitted.record->id);
    code = fitted_read_options(call, &profiling->fitted);
    if (code == ERR_OK)
        code = find_coefficient(call, profiling);
    if (code == ERR_OK)
        code = fitted_read_runs(call, &profiling->fitted);
    if (code != ERR_OK)
        return code;
    call->stage = profiling;
    call_continue(call, LANE_FIT, compute);
    return ERR_OK;
}

static bool watch(void *ctx, const struct fit_progress *progress)
{
    struct call *call = ctx;
    struct profiling *profiling = call->stage;

    return jobs_progress(call->app->jobs, &profiling->watch, progress);
}

static void write_warnings(struct out *out, const struct profiling *profiling,
                           const struct fit_profile *profile, double objective)
{
    const char *name = profiling->query.coefficient;
    static const char *const sides[] = {"below", "above"};

    out_array_begin(out, "warnings");
    if (profile->least < objective * (1.0 - 1e-6))
        warning_write(out, "better_objective",
                      "a refit came below the fit's own objective: the fit is not the best "
                      "there is. Fit again with more \"starts\"");
    if (isnan(profile->dispersion))
        warning_write(out, "no_interval",
                      "no more runs than coefficients: nothing says how far chance goes");
    for (int side = 0; side < 2 && !isnan(profile->dispersion); side++) {
        if (profile->end[side] == FIT_PROFILE_BOUND)
            warning_write(out, "at_bound",
                          arena_printf(out->arena,
                                       "%s ends at its bound %s: the runs do not exclude it", name,
                                       sides[side]));
        if (profile->end[side] == FIT_PROFILE_OPEN)
            warning_write(out, "not_determined",
                          arena_printf(out->arena,
                                       "the runs do not limit %s %s: its interval is open there",
                                       name, sides[side]));
    }
    out_array_end(out);
}

static enum err_code answer_profile(struct call *call, const struct profiling *profiling,
                                    const struct fit_profile *profile)
{
    double objective = fit_objective(&profiling->fitted.options, profiling->result.coefficient,
                                     profiling->fitted.obs, profiling->fitted.count);
    struct out out;
    enum err_code code = answer_select(call, &out, profiling->query.fields, profile_members);

    if (code != ERR_OK)
        return code;
    out_object_begin(&out, NULL);
    out_integer(&out, "fit", profiling->fitted.record->id);
    out_text(&out, "law", profiling->fitted.law->name);
    out_text(&out, "study", profiling->fitted.record->study);
    out_text(&out, "coefficient", profiling->query.coefficient);
    out_number(&out, "value", profiling->result.coefficient[profiling->index]);
    out_number(&out, "objective", objective);
    out_number(&out, "level", profiling->query.level);
    if (isnan(profile->dispersion))
        out_null(&out, "interval");
    else
        out_numbers(&out, "interval", profile->interval, 2);
    out_array_begin(&out, "ends");
    for (int side = 0; side < 2; side++)
        out_text(&out, NULL, fit_profile_end_name(profile->end[side]));
    out_array_end(&out);
    out_number(&out, "dispersion", profile->dispersion);
    out_number(&out, "threshold", profile->threshold);
    out_numbers(&out, "values", profile->value, profile->n);
    out_numbers(&out, "objectives", profile->objective, profile->n);
    write_warnings(&out, profiling, profile, objective);
    out_object_end(&out);
    return answer_out(call, 200, &out);
}

static enum err_code compute(struct call *call)
{
    struct profiling *profiling = call->stage;
    struct fit_profile profile;
    enum err_code code;

    profiling->fitted.options.progress = watch;
    profiling->fitted.options.progress_ctx = call;
    profiling->fitted.options.memory = fitting_memory_left(call);
    jobs_watch_call(call->app->jobs, &profiling->watch, call);
    code =
        fit_profile_run(&profiling->fitted.options, profiling->fitted.obs, profiling->fitted.count,
                        &profiling->result, profiling->index, (size_t)profiling->query.points,
                        profiling->query.level, &call->arena, &profile, &call->err);
    jobs_unwatch(call->app->jobs, &profiling->watch);
    if (code == ERR_CANCELLED)
        return jobs_stopped(call);
    return code == ERR_OK ? answer_profile(call, profiling, &profile) : code;
}
