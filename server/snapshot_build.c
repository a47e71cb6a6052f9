#include "server/snapshot_build.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
    STUDIES_ARENA_BYTES = 256 * 1024 * 1024,
    STUDIES_PAGE = 1000,
};

void snapshot_set_release(struct study_set *set)
{
    if (set == NULL || atomic_fetch_sub(&set->holders, 1) != 1)
        return;
    arena_release(&set->arena);
    free(set);
}

const struct study *snapshot_set_find(const struct study_set *set, const char *id)
{
    size_t low = 0, high = set->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id, set->studies[middle].id);

        if (order == 0)
            return &set->studies[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

size_t snapshot_law_index(const struct law *law)
{
    size_t i = 0;

    while (law_at(i) != law)
        i++;
    return i;
}

static enum err_code no_memory(struct err *err)
{
    return err_set(err, ERR_NO_MEMORY, "out of memory for the snapshot");
}

static enum err_code read_studies(struct store *store, struct study_set **ret, struct err *err)
{
    struct study_set *set = calloc(1, sizeof *set);
    size_t room = 0, got = 0;
    enum err_code code = ERR_OK;

    if (set == NULL)
        return no_memory(err);
    atomic_init(&set->holders, 1);
    arena_init(&set->arena, STUDIES_ARENA_BYTES);
    do {
        const char *after = set->count > 0 ? set->studies[set->count - 1].id : NULL;
        struct study *page, *grown;

        code = study_list(store, after, STUDIES_PAGE, &set->arena, &page, &got, err);
        if (code != ERR_OK)
            break;
        if (set->count + got > room) {
            room = 2 * room + got;
            grown = arena_calloc(&set->arena, room, sizeof *grown);
            if (grown == NULL) {
                code = no_memory(err);
                break;
            }
            if (set->count > 0)
                memcpy(grown, set->studies, set->count * sizeof *grown);
            set->studies = grown;
        }
        if (got > 0)
            memcpy(set->studies + set->count, page, got * sizeof *page);
        set->count += got;
    } while (got == STUDIES_PAGE);
    if (code == ERR_OK)
        *ret = set;
    else
        snapshot_set_release(set);
    return code;
}

struct ids {
    size_t count, room;
    int64_t *ids;
    bool failed;
};

static bool add_id(struct ids *ids, int64_t id)
{
    if (ids->count == ids->room) {
        size_t room = 2 * ids->room + 64;
        int64_t *grown = realloc(ids->ids, room * sizeof *grown);

        if (grown == NULL) {
            ids->failed = true;
            return false;
        }
        ids->ids = grown;
        ids->room = room;
    }
    ids->ids[ids->count++] = id;
    return true;
}

static bool add_record_id(void *ctx, const struct fit_record *record)
{
    return add_id(ctx, record->id);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* The ids to read, ascending, distinct: those that changed, or all. */
static enum err_code changed_ids(struct store *store, const struct snapshot_changes *changes,
                                 struct ids *ids, struct err *err)
{
    enum err_code code = ERR_OK;
    size_t kept = 0;

    if (changes->all_fits) {
        code = fit_each(store, add_record_id, ids, err);
    } else {
        for (size_t i = 0; i < changes->n_fits && add_id(ids, changes->fits[i]); i++)
            continue;
        if (ids->count > 1)
            qsort(ids->ids, ids->count, sizeof *ids->ids, compare_ids);
        for (size_t i = 0; i < ids->count; i++)
            if (kept == 0 || ids->ids[kept - 1] != ids->ids[i])
                ids->ids[kept++] = ids->ids[i];
        ids->count = kept;
    }
    return ids->failed ? no_memory(err) : code;
}

static void hold_or_drop(struct snapshot *snapshot, struct entry *entry)
{
    if (snapshot_set_find(snapshot->set, entry->record.study) == NULL)
        snapshot_entry_release(entry); /* went with its study */
    else
        snapshot->fits[snapshot->n_fits++] = entry;
}

/* Merges the fits of old that are not in ids with those in ids, read anew. */
static enum err_code merge_fits(struct snapshot *snapshot, const struct snapshot *old,
                                struct store *store, const struct ids *ids, struct err *err)
{
    size_t n_old = old != NULL ? old->n_fits : 0, o = 0, i = 0;

    assert(ids->count == 0 || ids->ids != NULL);
    snapshot->fits = calloc(n_old + ids->count + 1, sizeof(struct entry *));
    if (snapshot->fits == NULL)
        return no_memory(err);
    while (o < n_old || i < ids->count) {
        struct entry *entry = NULL;
        enum err_code code;

        if (i == ids->count || (o < n_old && old->fits[o]->record.id < ids->ids[i])) {
            entry = old->fits[o++];
            atomic_fetch_add(&entry->holders, 1);
            hold_or_drop(snapshot, entry);
            continue;
        }
        if (o < n_old && old->fits[o]->record.id == ids->ids[i])
            o++;
        code = snapshot_entry_read(store, ids->ids[i++], &entry, err);
        if (code != ERR_OK)
            return code;
        if (entry != NULL)
            hold_or_drop(snapshot, entry);
    }
    return ERR_OK;
}

static enum err_code index_newest(struct snapshot *snapshot, struct err *err)
{
    size_t columns = law_count() + 1;

    snapshot->newest = calloc(snapshot->set->count * columns + 1, sizeof *snapshot->newest);
    if (snapshot->newest == NULL)
        return no_memory(err);
    for (size_t i = 0; i < snapshot->n_fits; i++) {
        const struct entry *entry = snapshot->fits[i];
        const struct study *study;
        size_t *row;

        assert(entry != NULL);
        study = snapshot_set_find(snapshot->set, entry->record.study);
        assert(study != NULL); /* hold_or_drop */
        row = snapshot->newest + (size_t)(study - snapshot->set->studies) * columns;
        if (entry->record.status != FIT_FINISHED || !entry->record.plain || entry->law == NULL)
            continue;
        row[0] = i + 1;
        row[1 + snapshot_law_index(entry->law)] = i + 1;
    }
    return ERR_OK;
}

static enum err_code fill_presets(struct snapshot *snapshot, struct err *err)
{
    snapshot->presets = calloc(preset_count(), sizeof *snapshot->presets);
    if (snapshot->presets == NULL)
        return no_memory(err);
    for (size_t i = 0; i < preset_count(); i++) {
        const struct preset *preset = preset_at(i);

        snapshot->presets[i] = plan_slices_make(law_find(preset->law), preset->coefficient);
    }
    return ERR_OK;
}

enum err_code snapshot_build(const struct snapshot *old, struct store *store,
                             const struct snapshot_changes *changes, struct snapshot **ret,
                             struct err *err)
{
    struct snapshot *snapshot = calloc(1, sizeof *snapshot);
    struct ids ids = {.count = 0};
    enum err_code code = ERR_OK;

    if (snapshot == NULL)
        return no_memory(err);
    atomic_init(&snapshot->holders, 1);
    if (changes->studies || old == NULL) {
        code = read_studies(store, &snapshot->set, err);
    } else {
        snapshot->set = old->set;
        atomic_fetch_add(&snapshot->set->holders, 1);
    }
    if (code == ERR_OK)
        code = changed_ids(store, changes, &ids, err);
    if (code == ERR_OK)
        code = merge_fits(snapshot, changes->all_fits ? NULL : old, store, &ids, err);
    if (code == ERR_OK)
        code = index_newest(snapshot, err);
    if (code == ERR_OK)
        code = fill_presets(snapshot, err);
    free(ids.ids);
    if (code == ERR_OK)
        *ret = snapshot;
    else
        snapshot_release(snapshot);
    return code;
}
