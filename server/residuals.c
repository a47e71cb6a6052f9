/* residuals: GET /v1/fits/{fit}/residuals: each run of a fit beside what the fit says of it. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_residual.h"
#include "db/store.h"
#include "server/answer.h"
#include "server/csv.h"
#include "server/fits.h"
#include "server/handlers.h"
#include "server/page.h"
#include "server/snapshot.h"
#include "server/tables.h"

struct residuals_query {
    struct page_query page;
    int format;
};

static const char *const residual_members[] = {
    "id", "name", "loss", "predicted", "residual", "effective_weight", "outlier", NULL};

static const char *const residual_formats[] = {"json", "csv", NULL};

const struct field residuals_fields[] = {
    PAGE_FIELDS(struct residuals_query, page),
    {.name = "format",
     .kind = FIELD_CHOICE,
     .offset = offsetof(struct residuals_query, format),
     .choices = residual_formats,
     .help = "The form of the answer, over Accept; csv holds every run unless `limit` is given."},
};
TABLE_IS(residuals_fields, RESIDUALS_FIELDS);

/* The runs of a fit as they are stored now; runs deleted since are gone. */
struct fitted {
    const struct fit_record *record;
    struct arena *arena;
    size_t next;  /* of record->runs */
    size_t count; /* read */
    int64_t after;
    size_t names_wanted; /* how many names behind `after` are kept */
    int64_t *ids;
    struct obs *obs;
    const char **names;
    bool failed;
};

static bool take_run(void *ctx, const struct experiment *run)
{
    struct fitted *fitted = ctx;
    const struct fit_record *record = fitted->record;

    while (fitted->next < record->n_runs && record->runs[fitted->next] < run->id)
        fitted->next++;
    if (fitted->next == record->n_runs)
        return false;
    if (record->runs[fitted->next] != run->id)
        return true;
    fitted->obs[fitted->count] = run->obs;
    fitted->ids[fitted->count] = run->id;
    fitted->names[fitted->count] = NULL;
    if (run->id > fitted->after && fitted->names_wanted > 0) {
        fitted->names_wanted--;
        fitted->names[fitted->count] = arena_copy(fitted->arena, run->name, strlen(run->name));
        fitted->failed |= fitted->names[fitted->count] == NULL;
    }
    fitted->count++;
    return !fitted->failed;
}

/* Reads every run, because an outlier is one among all of them. */
static enum err_code read_fitted(struct call *call, struct fitted *fitted)
{
    size_t room = fitted->record->n_runs + 1;
    enum err_code code;

    fitted->arena = &call->arena;
    fitted->ids = arena_alloc(&call->arena, room * sizeof *fitted->ids);
    fitted->obs = arena_alloc(&call->arena, room * sizeof *fitted->obs);
    fitted->names = arena_alloc(&call->arena, room * sizeof *fitted->names);
    if (fitted->ids == NULL || fitted->obs == NULL || fitted->names == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    code = experiment_each(call->store, fitted->record->study, NULL, 0, INT64_MAX, 0, take_run,
                           fitted, &call->err);
    if (code == ERR_OK && fitted->failed)
        code = err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    return code;
}

static void write_row(struct out *out, const struct fitted *fitted, size_t i,
                      const struct fit_residual *residual)
{
    out_object_begin(out, NULL);
    out_integer(out, "id", fitted->ids[i]);
    out_text(out, "name", fitted->names[i]);
    out_number(out, "loss", fitted->obs[i].loss);
    out_number(out, "predicted", residual->predicted);
    out_number(out, "residual", residual->residual);
    out_number(out, "effective_weight", residual->effective_weight);
    out_bool(out, "outlier", residual->outlier);
    out_object_end(out);
}

static void write_header(struct out *out)
{
    bool first = true;

    for (size_t k = 0; residual_members[k] != NULL; k++)
        if (out_wants(out, residual_members[k])) {
            csv_write_text(out, first, residual_members[k]);
            first = false;
        }
    csv_write_end(out);
}

static void write_cells(struct out *out, const struct fitted *fitted, size_t i,
                        const struct fit_residual *residual)
{
    const double numbers[] = {(double)fitted->ids[i], NAN,
                              fitted->obs[i].loss,    residual->predicted,
                              residual->residual,     residual->effective_weight};
    bool first = true;

    for (size_t k = 0; residual_members[k] != NULL; k++) {
        if (!out_wants(out, residual_members[k]))
            continue;
        if (strcmp(residual_members[k], "name") == 0)
            csv_write_text(out, first, fitted->names[i]);
        else if (strcmp(residual_members[k], "outlier") == 0)
            csv_write_text(out, first, residual->outlier ? "true" : "false");
        else
            csv_write_number(out, first, numbers[k]);
        first = false;
    }
    csv_write_end(out);
}

static enum err_code reply_csv(struct call *call, const struct residuals_query *query,
                               const struct fitted *fitted, const struct fit_residual *residuals)
{
    size_t left = query->page.limit > 0 ? (size_t)query->page.limit : SIZE_MAX;
    struct out out;
    enum err_code code = answer_select(call, &out, query->page.fields, residual_members);

    if (code != ERR_OK)
        return code;
    write_header(&out);
    for (size_t i = 0; i < fitted->count && code == ERR_OK; i++) {
        if (fitted->ids[i] <= fitted->after)
            continue;
        if (left-- == 0) {
            code = page_link(call, PAGE_RESIDUALS, fitted->ids[i - 1]);
            break;
        }
        write_cells(&out, fitted, i, &residuals[i]);
    }
    return code == ERR_OK ? answer_text(call, 200, &out, answer_media_type(ANSWER_CSV)) : code;
}

static enum err_code reply_page(struct page *page, const struct fitted *fitted,
                                const struct fit_residual *residuals)
{
    for (size_t i = 0; i < fitted->count; i++) {
        if (fitted->ids[i] <= fitted->after)
            continue;
        if (!page_wants(page))
            break;
        write_row(&page->item, fitted, i, &residuals[i]);
        page_item_id(page, fitted->ids[i]);
    }
    return page_end(page);
}

enum err_code residuals_list(struct call *call)
{
    struct residuals_query query = {.format = ANSWER_BY_ACCEPT};
    enum answer_format format = ANSWER_JSON;
    struct fit_residual *residuals;
    struct field_presence presence;
    struct fitted fitted = {0};
    struct page page;
    enum err_code code;

    answer_query(call, NULL, NULL, &query, &presence);
    code = page_begin(&page, call, PAGE_RESIDUALS, &query.page, residual_members);
    if (code == ERR_OK)
        code = answer_format(call, query.format, 1 << ANSWER_JSON | 1 << ANSWER_CSV, &format);
    if (code == ERR_OK)
        code = fit_find_finished(call, &fitted.record);
    if (code != ERR_OK)
        return code;
    fitted.after = page_after_id(&page);
    fitted.names_wanted = format == ANSWER_CSV && query.page.limit == 0 ? SIZE_MAX : page.limit + 1;
    code = read_fitted(call, &fitted);
    if (code != ERR_OK)
        return code;
    residuals = arena_alloc(&call->arena, (fitted.count + 1) * sizeof *residuals);
    if (residuals == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    fit_residuals(snapshot_fit_law(call->snapshot, fitted.record->id), fitted.record->coefficient,
                  &fitted.record->robust, fitted.obs, fitted.count, residuals);
    return format == ANSWER_CSV ? reply_csv(call, &query, &fitted, residuals)
                                : reply_page(&page, &fitted, residuals);
}
