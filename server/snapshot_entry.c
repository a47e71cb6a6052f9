/* A fit of a snapshot: read from the store, with what answers need of it at hand. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "server/fit_document.h"
#include "server/model.h"
#include "server/snapshot_build.h"

enum { FIT_ARENA_BYTES = 1024 * 1024 * 1024 };

void snapshot_entry_release(struct entry *entry)
{
    if (entry == NULL || atomic_fetch_sub(&entry->holders, 1) != 1)
        return;
    arena_release(&entry->arena);
    free(entry);
}

/* The law of a record, if its coefficients are still those of that law, in that order. */
static const struct law *law_of(const struct fit_record *record)
{
    const struct law *law = law_find(record->law);

    if (law == NULL)
        return NULL;
    if (record->status != FIT_FINISHED)
        return law;
    if (law->n_coefficients != record->n_coefficients)
        return NULL;
    for (size_t i = 0; i < law->n_coefficients; i++)
        if (record->coefficient_name[i] == NULL ||
            strcmp(law->coefficients[i].name, record->coefficient_name[i]) != 0)
            return NULL;
    return law;
}

/* The draws as plans ask all of them at once. */
static enum err_code fill_near(struct entry *entry, struct err *err)
{
    const struct fit_record *record = &entry->record;
    size_t room = entry->law != NULL ? law_near_room(entry->law, record->n_draws) : 0;
    float *blocks;

    if (room == 0)
        return ERR_OK;
    blocks = arena_alloc(&entry->arena, room * sizeof *blocks);
    if (blocks == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a fit");
    entry->has_near =
        law_near_init(&entry->near, entry->law, record->draws, record->n_draws, blocks);
    return ERR_OK;
}

/* Those that may be the ends of most intervals asked for. */
static enum err_code fill_shortlists(struct entry *entry, struct err *err)
{
    const struct fit_record *record = &entry->record;
    const struct plan_model model = {
        .law = entry->law,
        .coefficient = record->coefficient,
        .n_draws = record->n_draws,
        .draws = record->draws,
        .slices = &entry->slices,
    };
    struct arena scratch;
    bool made;

    if (entry->law == NULL || record->status != FIT_FINISHED)
        return ERR_OK;
    arena_init(&scratch, FIT_ARENA_BYTES);
    made = plan_shortlists_make(&model, LEVEL_DEFAULT, &entry->arena, &scratch, &entry->shortlists);
    arena_release(&scratch);
    return made ? ERR_OK : err_set(err, ERR_NO_MEMORY, "out of memory for a fit");
}

/* Joins the warnings of the record with these codes, which may be none. */
static enum err_code join_warnings(struct entry *entry, const char *const *codes,
                                   struct fit_note *ret_note, struct err *err)
{
    const char *text;
    char *joined = NULL;
    size_t length, room = 0, used = 0;

    for (const char *const *code = codes; *code != NULL; code++)
        if (fit_document_warning(&entry->record, *code, &text, &length))
            room += length + 1;
    if (room == 0)
        return ERR_OK;
    joined = arena_alloc(&entry->arena, room);
    if (joined == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a fit");
    for (const char *const *code = codes; *code != NULL; code++) {
        if (!fit_document_warning(&entry->record, *code, &text, &length))
            continue;
        memcpy(joined + used, text, length);
        used += length;
        joined[used++] = ',';
    }
    *ret_note = (struct fit_note){joined, used - 1};
    return ERR_OK;
}

static enum err_code fill_notes(struct entry *entry, struct err *err)
{
    static const char *const averages[] = {"experts_vary", "tokens_vary", "granularity_varies",
                                           NULL};
    static const char *const shape[] = {"shape_assumed", NULL};
    struct fit_notes *notes = &entry->notes;
    enum err_code code;

    *notes = (struct fit_notes){.noise_log = NAN};
    if (entry->record.status != FIT_FINISHED)
        return ERR_OK;
    notes->noise_log = fit_document_number(&entry->record, FIT_DOCUMENT_NOISE);
    code = join_warnings(entry, averages, &notes->averages, err);
    return code == ERR_OK ? join_warnings(entry, shape, &notes->shape, err) : code;
}

enum err_code snapshot_entry_read(struct store *store, int64_t id, struct entry **ret,
                                  struct err *err)
{
    struct entry *entry = calloc(1, sizeof *entry);
    enum err_code code;
    struct err gone;

    if (entry == NULL)
        return err_set(err, ERR_NO_MEMORY, "out of memory for a fit");
    err_init(&gone, NULL);
    atomic_init(&entry->holders, 1);
    arena_init(&entry->arena, FIT_ARENA_BYTES);
    code = fit_read(store, id, &entry->arena, &entry->record, &gone);
    if (code == ERR_OK) {
        entry->law = law_of(&entry->record);
        if (entry->law != NULL && entry->record.status == FIT_FINISHED)
            entry->slices = plan_slices_make(entry->law, entry->record.coefficient);
        code = fill_near(entry, &gone);
    }
    if (code == ERR_OK)
        code = fill_shortlists(entry, &gone);
    if (code == ERR_OK)
        code = fill_notes(entry, &gone);
    if (code == ERR_OK) {
        *ret = entry;
        return ERR_OK;
    }
    snapshot_entry_release(entry);
    return code == ERR_FIT_NOT_FOUND ? ERR_OK : err_set(err, code, "%s", gone.detail);
}
