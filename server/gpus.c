/* gpus: the handler of /v1/gpus: the accelerators that budgets can be given in. */
#include <stdlib.h>
#include <string.h>

#include "server/app.h"
#include "server/catalogue.h"
#include "server/handlers.h"
#include "server/page.h"
#include "server/tables.h"

static const char *const gpu_members[] = {"id",        "name",   "bf16_flops", "memory",
                                          "bandwidth", "source", NULL};

struct list_query {
    struct page_query page;
};

const struct field gpus_list_fields[] = {PAGE_FIELDS(struct list_query, page)};
TABLE_IS(gpus_list_fields, GPUS_LIST_FIELDS);

static void write_gpu(struct out *out, const struct gpu *gpu)
{
    out_object_begin(out, NULL);
    out_text(out, "id", gpu->id);
    out_text(out, "name", gpu->name);
    out_number(out, "bf16_flops", gpu->peak_flops_per_s);
    out_number(out, "memory", gpu->memory_bytes);
    out_number(out, "bandwidth", gpu->bandwidth_bytes_per_s);
    out_text(out, "source", gpu->source);
    out_object_end(out);
}

static int compare_ids(const void *a, const void *b)
{
    const struct gpu *const *left = a, *const *right = b;

    return strcmp((*left)->id, (*right)->id);
}

enum err_code gpus_list(struct call *call)
{
    const struct catalogue *catalogue = call->app->catalogue;
    size_t count = catalogue_count(catalogue);
    const struct gpu **sorted = arena_alloc(&call->arena, count * sizeof *sorted);
    struct list_query query = {0};
    struct field_presence presence;
    struct page page;
    enum err_code code;

    if (sorted == NULL)
        return err_set(&call->err, ERR_NO_MEMORY, "out of memory");
    answer_query(call, NULL, NULL, &query, &presence);
    code = page_begin(&page, call, PAGE_GPUS, &query.page, gpu_members);
    if (code != ERR_OK)
        return code;
    for (size_t i = 0; i < count; i++)
        sorted[i] = catalogue_at(catalogue, i);
    qsort(sorted, count, sizeof *sorted, compare_ids);
    for (size_t i = 0; i < count; i++) {
        if (page.after != NULL && strcmp(sorted[i]->id, page.after) <= 0)
            continue;
        if (!page_wants(&page))
            break;
        write_gpu(&page.item, sorted[i]);
        page_item(&page, sorted[i]->id);
    }
    return page_end(&page);
}
