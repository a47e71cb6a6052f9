/* residuals: GET /v1/fits/{fit}/residuals: each run of a fit beside what the fit says of it. */
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "core/fit_residual.h"
#include "server/answer.h"
#include "server/csv.h"
#include "server/fits.h"
#include "server/fitted.h"
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

/* The runs of a fit that are stored still, and as they are now. */
struct listed {
    const struct fit_record *record;
    struct arena *arena;
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
    struct listed *listed = ctx;

    listed->obs[listed->count] = run->obs;
    listed->ids[listed->count] = run->id;
    listed->names[listed->count] = NULL;
    if (run->id > listed->after && listed->names_wanted > 0) {
        listed->names_wanted--;
        listed->names[listed->count] = arena_copy(listed->arena, run->name, strlen(run->name));
        listed->failed |= listed->names[listed->count] == NULL;
    }
    listed->count++;
    return !listed->failed;
}

/* Reads every run, because an outlier is one among all of them. */
static enum err_code read_listed(struct call *call, struct listed *listed)
{
    size_t room = listed->record->n_runs + 1;
    enum err_code code;

    listed->arena = &call->arena;
    listed->ids = arena_alloc(&call->arena, room * sizeof *listed->ids);
    listed->obs = arena_alloc(&call->arena, room * sizeof *listed->obs);
    listed->names = arena_alloc(&call->arena, room * sizeof *listed->names);
    if (listed->ids == NULL || listed->obs == NULL || listed->names == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    code = fitted_each(call, listed->record, take_run, listed);
    if (code == ERR_OK && listed->failed)
        code = err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    return code;
}

static void write_row(struct out *out, const struct listed *listed, size_t i,
                      const struct fit_residual *residual)
{
    out_object_begin(out, NULL);
    out_integer(out, "id", listed->ids[i]);
    out_text(out, "name", listed->names[i]);
    out_number(out, "loss", listed->obs[i].loss);
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

static void write_cells(struct out *out, const struct listed *listed, size_t i,
                        const struct fit_residual *residual)
{
    const double numbers[] = {(double)listed->ids[i], NAN,
                              listed->obs[i].loss,    residual->predicted,
                              residual->residual,     residual->effective_weight};
    bool first = true;

    for (size_t k = 0; residual_members[k] != NULL; k++) {
        if (!out_wants(out, residual_members[k]))
            continue;
        if (strcmp(residual_members[k], "name") == 0)
            csv_write_text(out, first, listed->names[i]);
        else if (strcmp(residual_members[k], "outlier") == 0)
            csv_write_text(out, first, residual->outlier ? "true" : "false");
        else
            csv_write_number(out, first, numbers[k]);
        first = false;
    }
    csv_write_end(out);
}

static enum err_code reply_csv(struct call *call, const struct residuals_query *query,
                               const struct listed *listed, const struct fit_residual *residuals)
{
    size_t left = query->page.limit > 0 ? (size_t)query->page.limit : SIZE_MAX;
    struct out out;
    enum err_code code = answer_select(call, &out, query->page.fields, residual_members);

    if (code != ERR_OK)
        return code;
    write_header(&out);
    for (size_t i = 0; i < listed->count && code == ERR_OK; i++) {
        if (listed->ids[i] <= listed->after)
            continue;
        if (left-- == 0) {
            code = page_link(call, PAGE_RESIDUALS, listed->ids[i - 1]);
            break;
        }
        write_cells(&out, listed, i, &residuals[i]);
    }
    return code == ERR_OK ? answer_text(call, 200, &out, answer_media_type(ANSWER_CSV)) : code;
}

static enum err_code reply_page(struct page *page, const struct listed *listed,
                                const struct fit_residual *residuals)
{
    for (size_t i = 0; i < listed->count; i++) {
        if (listed->ids[i] <= listed->after)
            continue;
        if (!page_wants(page))
            break;
        write_row(&page->item, listed, i, &residuals[i]);
        page_item_id(page, listed->ids[i]);
    }
    return page_end(page);
}

enum err_code residuals_list(struct call *call)
{
    struct residuals_query query = {.format = ANSWER_BY_ACCEPT};
    enum answer_format format = ANSWER_JSON;
    struct fit_residual *residuals;
    struct field_presence presence;
    struct listed listed = {0};
    struct page page;
    enum err_code code;

    answer_query(call, NULL, NULL, &query, &presence);
    code = page_begin(&page, call, PAGE_RESIDUALS, &query.page, residual_members);
    if (code == ERR_OK)
        code = answer_format(call, query.format, 1 << ANSWER_JSON | 1 << ANSWER_CSV, &format);
    if (code == ERR_OK)
        code = fit_find_finished(call, &listed.record);
    if (code != ERR_OK)
        return code;
    listed.after = page_after_id(&page);
    listed.names_wanted = format == ANSWER_CSV && query.page.limit == 0 ? SIZE_MAX : page.limit + 1;
    code = read_listed(call, &listed);
    if (code != ERR_OK)
        return code;
    residuals = arena_alloc(&call->arena, (listed.count + 1) * sizeof *residuals);
    if (residuals == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    fit_residuals(snapshot_fit_law(call->snapshot, listed.record->id), listed.record->coefficient,
                  &listed.record->robust, listed.obs, listed.count, residuals);
    return format == ANSWER_CSV ? reply_csv(call, &query, &listed, residuals)
                                : reply_page(&page, &listed, residuals);
}
