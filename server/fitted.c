#include "server/fitted.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "server/fit_document.h"
#include "server/fit_request.h"
#include "server/fitting.h"

enum err_code fitted_read_options(struct call *call, struct fitted *fitted)
{
    const char *text;
    size_t length;

    if (!fit_document_member(fitted->record, "options", &text, &length))
        return err_set(&call->err, ERR_INTERNAL, "the fit does not say how it was made");
    return fit_request_reread(call, text, length, fitted->law, &fitted->options);
}

/* A walk over the study's runs, of which the record names some; both ascend. */
struct walk {
    const struct fit_record *record;
    size_t next; /* of the record's */
    fitted_row *row;
    void *ctx;
};

static bool visit(void *ctx, const struct experiment *run)
{
    struct walk *walk = ctx;
    const struct fit_record *record = walk->record;

    while (walk->next < record->n_runs && record->runs[walk->next] < run->id)
        walk->next++;
    if (walk->next == record->n_runs)
        return false;
    return record->runs[walk->next] != run->id || walk->row(walk->ctx, run);
}

enum err_code fitted_each(struct call *call, const struct fit_record *record, fitted_row *row,
                          void *ctx)
{
    struct walk walk = {.record = record, .row = row, .ctx = ctx};

    return experiment_each(call->store, record->study, NULL, 0, INT64_MAX, 0, visit, &walk,
                           &call->err);
}

static bool take_run(void *ctx, const struct experiment *run)
{
    struct fitted *fitted = ctx;

    fitted->obs[fitted->count++] = run->obs;
    return true;
}

enum err_code fitted_read_runs(struct call *call, struct fitted *fitted)
{
    const struct fit_record *record = fitted->record;
    const char *data;
    char sha256[65];
    size_t length;
    enum err_code code;

    fitting_make_room(call);
    fitted->obs = arena_alloc(&call->arena, (record->n_runs + 1) * sizeof *fitted->obs);
    if (fitted->obs == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory for the runs of the fit");
    code = fitted_each(call, record, take_run, fitted);
    if (code != ERR_OK)
        return code;
    qsort(fitted->obs, fitted->count, sizeof *fitted->obs, obs_compare);
    obs_fingerprint(fitted->obs, fitted->count, sha256);
    if (!fit_document_member(record, "data", &data, &length) ||
        memmem(data, length, sha256, strlen(sha256)) == NULL)
        return err_set(&call->err, ERR_CONFLICT,
                       "runs of fit %" PRId64 " were changed or deleted since: fit again",
                       record->id);
    return ERR_OK;
}
